// All decoders of text, as one: each sees the layer's stretches of text only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "dlp/decode/text_decoder.h"
#include "dlp/decode/text_runs.h"

namespace gatehouse::dlp {

// A stretch that is so short that it may hold nothing for a decoder is given only to those that want it.
inline constexpr size_t kHeldTextBytes = 256;

// A stretch of text begins with a run of kMinTextRunBytes and goes on until kTextMarginBytes behind the last such run.
// A piece's first kTextMarginBytes and its last kMinTextRunBytes are text whatever they are. The rest is noise, and
// what is encoded in it is not looked for.
class TextDecoders final : public Decoder {
 public:
  explicit TextDecoders(std::vector<std::unique_ptr<TextDecoder>> decoders)
      : decoders_(std::move(decoders)), states_(decoders_.size()) {}

  void write(std::string_view bytes) override;
  void check() override;
  void boundary() override;
  void end() override;

 private:
  struct State {
    bool in_text = false;  // it was given some of the current stretch
    uint64_t skipped = 0;  // bytes it was not told of yet
  };

  // The layer's next bytes, and those in front of them.
  struct Part {
    std::string_view known;
    std::string_view now;
    std::optional<TextBlock> block;  // of `now`, once it is needed
  };

  void give(Part& part, uint64_t end);
  void give(std::string_view bytes);
  void give(const TextBlock& block);
  void give_held(bool all);
  void give_to(size_t decoder, const TextBlock& block);
  void skip(uint64_t begin);
  void restart();

  const std::vector<std::unique_ptr<TextDecoder>> decoders_;
  std::vector<State> states_;
  TextRunFinder runs_;
  // In the layer:
  uint64_t position_ = 0;  // of the next byte
  uint64_t piece_ = 0;     // the current one's beginning
  uint64_t given_ = 0;     // what is before was given to the decoders, or is noise
  uint64_t text_end_ = kTextMarginBytes;
  // The beginning of the current stretch, all of it so far, as long as no decoder was given any.
  bool holding_ = true;
  size_t held_size_ = 0;
  std::array<char, kHeldTextBytes> held_;
};

}  // namespace gatehouse::dlp
