// All decoders of text, as one: each sees the layer's stretches of text only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "dlp/decode/text_decoder.h"
#include "dlp/decode/text_runs.h"

namespace gatehouse::dlp {

// A stretch of text begins with a run of kMinTextRunBytes and goes on until kTextMarginBytes behind the last such run.
// A piece's first kTextMarginBytes and its last kMinTextRunBytes are text whatever they are. The rest is noise, and
// what is encoded in it is not looked for.
class TextDecoders final : public Decoder {
 public:
  explicit TextDecoders(std::vector<std::unique_ptr<TextDecoder>> decoders) : decoders_(std::move(decoders)) {}

  void write(std::string_view bytes) override;
  void boundary() override;
  void end() override;

 private:
  void give(std::string_view known, std::string_view now, uint64_t end);
  void give(std::string_view bytes);
  void skip(uint64_t begin);
  void restart();

  const std::vector<std::unique_ptr<TextDecoder>> decoders_;
  TextRunFinder runs_;
  // In the layer:
  uint64_t position_ = 0;  // of the next byte
  uint64_t piece_ = 0;     // the current one's beginning
  uint64_t given_ = 0;     // what is before was given to the decoders, or is noise
  uint64_t text_end_ = kTextMarginBytes;
};

}  // namespace gatehouse::dlp
