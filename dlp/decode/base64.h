// base64 (RFC 4648 section 4) and base64url (section 5), mixed as they come: padded or not, joined after padding.
#pragma once

#include <string_view>

#include "dlp/decode/decoded_runs.h"
#include "dlp/decode/runs.h"

namespace gatehouse::dlp {

inline constexpr ByteClass kBase64Class("-A-Za-z0-9+/_=");

// Decodes whole groups of four characters of kBase64Class but '='; `out` has room for three bytes each, and 16 more.
void decode_base64(std::string_view groups, char* out);

// Runs of kBase64Class into the layers "base64" and, shifted, "base64#1" and so on.
class Base64 final : public RunSink {
 public:
  explicit Base64(DecoderHost& host) : runs_(host, "base64", {2, 4, 6}, 1) {}

  void begin(uint64_t origin) override;
  void chars(std::string_view chars, uint64_t origin) override;
  void over() override;
  void boundary() { runs_.boundary(); }

  // All of a run, of up to kShortChars: as begin(), chars() and over().
  static constexpr size_t kShortChars = 63;
  void read_short(std::string_view chars, uint64_t origin, uint64_t end);

 private:
  struct Rest {
    uint8_t bits;
    int count;
  };

  void decode(std::string_view chars);
  Rest finish_group();

  DecodedRuns runs_;
  uint64_t end_ = 0;  // of the characters so far
  char group_[4];
  size_t group_size_ = 0;
};

}  // namespace gatehouse::dlp
