#include "dlp/decode/magic_search.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "dlp/decode/inflate.h"

namespace gatehouse::dlp {

namespace {

constexpr uint8_t kGzip[] = {0x1f, 0x8b};
constexpr uint8_t kZstd[] = {0x28, 0xb5};
constexpr uint8_t kZip[] = {'P', 'K'};
constexpr uint8_t kZlib = 0x78;
constexpr uint8_t kZlibFlags[] = {0x01, 0x5e, 0x9c, 0xda};  // fastest, fast, default, best

// Sixteen bytes at once, on whatever the machine has for that.
using Lanes = uint8_t __attribute__((vector_size(16)));
constexpr size_t kBlock = 4 * sizeof(Lanes);

Lanes load(const char* at) {
  Lanes lanes;
  std::memcpy(&lanes, at, sizeof lanes);
  return lanes;
}

// Nonzero in the lanes where a pair begins.
Lanes pairs_at(const char* at) {
  const Lanes a = load(at);
  const Lanes b = load(at + 1);
  const auto flags = (b == kZlibFlags[0]) | (b == kZlibFlags[1]) | (b == kZlibFlags[2]) | (b == kZlibFlags[3]);
  return reinterpret_cast<Lanes>(((a == kGzip[0]) & (b == kGzip[1])) | ((a == kZstd[0]) & (b == kZstd[1])) |
                                 ((a == kZip[0]) & (b == kZip[1])) | ((a == kZlib) & flags));
}

bool any(Lanes lanes) {
  uint64_t halves[2];
  std::memcpy(halves, &lanes, sizeof halves);
  return (halves[0] | halves[1]) != 0;
}

bool is_pair(uint8_t a, uint8_t b) {
  switch (a) {
    case kGzip[0]:
      return b == kGzip[1];
    case kZstd[0]:
      return b == kZstd[1];
    case kZip[0]:
      return b == kZip[1];
    case kZlib:
      return b == kZlibFlags[0] || b == kZlibFlags[1] || b == kZlibFlags[2] || b == kZlibFlags[3];
    default:
      return false;
  }
}

bool is_text(uint8_t byte) { return (byte >= 0x20 && byte < 0x7f) || byte == '\t' || byte == '\r' || byte == '\n'; }

// Whether a deflate block can begin here, as far as that costs nothing to see.
bool may_be_deflate(const uint8_t* bytes) {
  switch (bytes[0] >> 1 & 3) {
    case 0:
      return (bytes[1] ^ bytes[3]) == 0xff && (bytes[2] ^ bytes[4]) == 0xff;  // stored: a length and its complement
    case 3:
      return false;
    default:
      return true;
  }
}

}  // namespace

bool may_be_zlib(std::string_view bytes) {
  if (bytes.size() < kMagicBytes) return false;
  const auto* begin = reinterpret_cast<const uint8_t*>(bytes.data());
  return Inflate::is_zlib_header(begin[0], begin[1]) && may_be_deflate(begin + 2) &&
         !std::all_of(begin + 2, begin + kMagicBytes, is_text);
}

Magic magic_of(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (bytes.size() < kMagicBytes || !is_pair(at(0), at(1))) return Magic::none;
  switch (at(0)) {
    case kGzip[0]:
      return at(2) == 8 ? Magic::gzip : Magic::none;
    case kZstd[0]:
      return at(2) == 0x2f && at(3) == 0xfd ? Magic::zstd : Magic::none;
    case kZip[0]:
      return at(2) == 3 && at(3) == 4 ? Magic::zip : Magic::none;
    default:
      return may_be_zlib(bytes) ? Magic::zlib : Magic::none;
  }
}

size_t find_magic_pair(std::string_view bytes, size_t from) {
  size_t at = from;
  while (at + kBlock + 1 <= bytes.size()) {
    const char* block = bytes.data() + at;
    const Lanes hits = pairs_at(block) | pairs_at(block + sizeof(Lanes)) | pairs_at(block + 2 * sizeof(Lanes)) |
                       pairs_at(block + 3 * sizeof(Lanes));
    if (any(hits)) {
      for (size_t i = 0; i < kBlock; ++i) {
        if (is_pair(static_cast<uint8_t>(block[i]), static_cast<uint8_t>(block[i + 1]))) return at + i;
      }
    }
    at += kBlock;
  }
  for (; at + 1 < bytes.size(); ++at) {
    if (is_pair(static_cast<uint8_t>(bytes[at]), static_cast<uint8_t>(bytes[at + 1]))) return at;
  }
  return std::string_view::npos;
}

}  // namespace gatehouse::dlp
