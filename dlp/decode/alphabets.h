// Text in an alphabet of 64, 32 or 16 characters: base64, base32, hex. The smaller alphabets are parts of the largest,
// so it is enough to look into that one's runs for them.
#pragma once

#include <array>
#include <cstdint>

#include "dlp/decode/base64.h"
#include "dlp/decode/mixed_base32.h"
#include "dlp/decode/runs.h"
#include "dlp/decode/smaller_alphabets.h"
#include "dlp/decode/text_decoder.h"

namespace gatehouse::dlp {

// Into the layers "base64", "base32", "hex".
class AlphabetDecoder final : public TextDecoder, private RunSink {
 public:
  explicit AlphabetDecoder(DecoderHost& host);

  void take(const TextBlock& block) override;
  bool wants(const TextBlock& block) const override;
  void skip(uint64_t bytes) override;
  void boundary() override;
  void end() override;

 private:
  void begin(uint64_t origin) override;
  void chars(std::string_view chars, uint64_t origin) override;
  void over() override;

  void give_held(RunSink& sink);

  DecoderHost& host_;
  Base64 base64_;
  SmallerAlphabets smaller_;
  MixedBase32 mixed_;
  RunFinder base64_runs_;
  uint64_t position_ = 0;
  // Most runs are short words of some text, and many of them were decoded below: until it is known how long a run is,
  // its lines are held.
  static constexpr size_t kHeldLines = 4;
  struct Line {
    size_t size;
    uint64_t origin;
  };
  bool holding_ = false;
  size_t held_size_ = 0;
  size_t line_count_ = 0;
  std::array<Line, kHeldLines> lines_;
  std::array<char, Base64::kShortChars> held_;
};

}  // namespace gatehouse::dlp
