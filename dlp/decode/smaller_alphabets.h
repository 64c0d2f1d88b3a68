// base32 and hex in what may as well be base64: their alphabets are parts of its.
#pragma once

#include <string_view>

#include "dlp/decode/base32.h"
#include "dlp/decode/hex.h"
#include "dlp/decode/runs.h"

namespace gatehouse::dlp {

// Whether among characters of base64 there are kMinRunBytes in a row of one of the smaller alphabets: base32 in upper
// or lower case, hex.
bool holds_smaller_run(std::string_view chars);

// Into the layers "base32" and "hex". Most runs of base64 have nothing for them, and most are short: they are held back
// until it is known.
class SmallerAlphabets final : public RunSink {
 public:
  explicit SmallerAlphabets(DecoderHost& host);

  void begin(uint64_t origin) override;
  void chars(std::string_view chars, uint64_t origin) override;
  void over() override;
  void boundary();

 private:
  enum class State {
    fresh,
    held,   // nothing was in the run so far
    given,  // to the finders
  };

  void give(std::string_view chars, uint64_t origin);
  bool outside() const;
  void end_runs();

  Base32 upper_base32_;
  Base32 lower_base32_;
  Hex hex_;
  RunFinder upper_base32_runs_;
  RunFinder lower_base32_runs_;
  RunFinder hex_runs_;
  State state_ = State::fresh;
  size_t held_size_ = 0;  // the last characters, which may be the beginning of something
  uint64_t held_origin_ = 0;
  char held_[kMinRunBytes];
};

}  // namespace gatehouse::dlp
