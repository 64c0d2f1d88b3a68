// base32 (RFC 4648 section 6).
#pragma once

#include <string>
#include <string_view>

#include "dlp/decode/decoded_runs.h"
#include "dlp/decode/runs.h"

namespace gatehouse::dlp {

inline constexpr ByteClass kUpperBase32Class("A-Z2-7=");
inline constexpr ByteClass kLowerBase32Class("a-z2-7=");

// Of a character of them but '='.
constexpr uint32_t base32_value(char c) {
  return static_cast<uint32_t>(c <= '7' ? c - '2' + 26 : (c | 0x20) - 'a') & 31;
}

// Runs of one of these classes into the layer `kind` and, shifted, "base32#1" and so on.
class Base32 final : public RunSink {
 public:
  Base32(DecoderHost& host, std::string kind) : runs_(host, std::move(kind), {1, 2, 3, 4, 5, 6, 7}, 12) {}

  void begin(uint64_t origin) override;
  void chars(std::string_view chars, uint64_t origin) override;
  void over() override;
  void boundary() { runs_.boundary(); }
  // All of a run that has no line ends in it: as begin(), chars() and over().
  void read(std::string_view chars, uint64_t origin);

 private:
  DecodedRuns runs_;
  uint64_t end_ = 0;   // of the characters so far
  uint32_t bits_ = 0;  // of characters not yet written; the last bit_count_ of them
  int bit_count_ = 0;
};

}  // namespace gatehouse::dlp
