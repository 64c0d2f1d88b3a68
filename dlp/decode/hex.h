// Two hex digits a byte, in either case, from either digit on.
#pragma once

#include <string>
#include <string_view>

#include "dlp/decode/decoded_runs.h"
#include "dlp/decode/runs.h"

namespace gatehouse::dlp {

inline constexpr ByteClass kHexClass("0-9a-fA-F");

// Of a character of kHexClass.
constexpr uint8_t hex_value(char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10); }

// Runs of kHexClass into the layer `kind` and, shifted by a digit, "hex#1".
class Hex final : public RunSink {
 public:
  Hex(DecoderHost& host, std::string kind) : runs_(host, std::move(kind), {4}, 8) {}

  void begin(uint64_t origin) override;
  void chars(std::string_view chars, uint64_t origin) override;
  void over() override;
  void boundary() { runs_.boundary(); }

 private:
  DecodedRuns runs_;
  uint64_t end_ = 0;   // of the characters so far
  uint8_t digit_ = 0;  // the first of two
  bool half_ = false;
};

}  // namespace gatehouse::dlp
