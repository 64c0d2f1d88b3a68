// base32 in letters of both cases: what no encoder writes and some decoders read.
#pragma once

#include <cstdint>
#include <string_view>

#include "dlp/decode/base32.h"
#include "dlp/decode/runs.h"

namespace gatehouse::dlp {

inline constexpr ByteClass kMixedBase32Class("A-Za-z2-7=");
// In base64, one run of so many of its characters in 250 is of these by chance; of all others the bits must be those of
// ASCII.
inline constexpr size_t kSureMixedBytes = 64;
inline constexpr size_t kMinMixedBytes = 40;

// Told of runs of base64's characters; into the layer "base32#mixed".
class MixedBase32 final : public RunSink {
 public:
  explicit MixedBase32(DecoderHost& host) : base32_(host, "base32#mixed") {}

  void begin(uint64_t origin) override;
  void chars(std::string_view chars, uint64_t origin) override;
  void over() override;
  void boundary() { base32_.boundary(); }

 private:
  void take(std::string_view chars, uint64_t origin);
  void keep(std::string_view chars, uint64_t origin);
  void put(std::string_view run, uint64_t origin);

  Base32 base32_;
  bool open_ = false;  // a run goes on that is passed on
  // The last characters, if they may begin a run.
  size_t kept_size_ = 0;
  uint64_t kept_origin_ = 0;
  char kept_[kSureMixedBytes];
};

}  // namespace gatehouse::dlp
