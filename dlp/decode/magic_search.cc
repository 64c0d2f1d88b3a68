#include "dlp/decode/magic_search.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "common/codec/inflate.h"
#include "dlp/decode/simd.h"

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

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET inline __m256i is(__m256i lanes, uint8_t byte) {
  return _mm256_cmpeq_epi8(lanes, _mm256_set1_epi8(static_cast<char>(byte)));
}

GATEHOUSE_AVX2_TARGET inline __m256i pairs_at_avx2(const char* at) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 1));
  const __m256i flags = _mm256_or_si256(_mm256_or_si256(is(b, kZlibFlags[0]), is(b, kZlibFlags[1])),
                                        _mm256_or_si256(is(b, kZlibFlags[2]), is(b, kZlibFlags[3])));
  const __m256i gzip = _mm256_and_si256(is(a, kGzip[0]), is(b, kGzip[1]));
  const __m256i zstd = _mm256_and_si256(is(a, kZstd[0]), is(b, kZstd[1]));
  const __m256i zip = _mm256_and_si256(is(a, kZip[0]), is(b, kZip[1]));
  return _mm256_or_si256(_mm256_or_si256(gzip, zstd), _mm256_or_si256(zip, _mm256_and_si256(is(a, kZlib), flags)));
}

// Not behind the first pair; to it, or to where the block begins that has it, or where too few bytes are left for one.
GATEHOUSE_AVX2_TARGET size_t skip_blocks_avx2(std::string_view bytes, size_t at) {
  for (; at + kBlock + 1 <= bytes.size(); at += kBlock) {
    const char* block = bytes.data() + at;
    const __m256i hits = _mm256_or_si256(pairs_at_avx2(block), pairs_at_avx2(block + 32));
    if (_mm256_testz_si256(hits, hits) == 0) break;
  }
  return at;
}

// Of a byte, which pairs it begins or ends, as bits.
constexpr std::array<uint8_t, 256> kBegins = [] {
  std::array<uint8_t, 256> pairs{};
  pairs[kGzip[0]] = 1;
  pairs[kZstd[0]] = 2;
  pairs[kZip[0]] = 4;
  pairs[kZlib] = 8;
  return pairs;
}();
constexpr std::array<uint8_t, 256> kEnds = [] {
  std::array<uint8_t, 256> pairs{};
  pairs[kGzip[1]] = 1;
  pairs[kZstd[1]] = 2;
  pairs[kZip[1]] = 4;
  for (const uint8_t flags : kZlibFlags) pairs[flags] = 8;
  return pairs;
}();

GATEHOUSE_AVX512_TARGET size_t skip_blocks_avx512(std::string_view bytes, size_t at) {
  const __m512i begins_low = _mm512_loadu_si512(kBegins.data());
  const __m512i begins_high = _mm512_loadu_si512(kBegins.data() + 64);
  const __m512i ends_low = _mm512_loadu_si512(kEnds.data());
  const __m512i ends_high = _mm512_loadu_si512(kEnds.data() + 64);
  const __m512i above_low = _mm512_loadu_si512(kEnds.data() + 128);
  const __m512i above_high = _mm512_loadu_si512(kEnds.data() + 192);
  for (; at + kBlock + 1 <= bytes.size(); at += kBlock) {
    const __m512i a = _mm512_loadu_si512(bytes.data() + at);
    const __m512i b = _mm512_loadu_si512(bytes.data() + at + 1);
    const __mmask64 above = _mm512_movepi8_mask(b);
    const __m512i begins = _mm512_maskz_permutex2var_epi8(~_mm512_movepi8_mask(a), begins_low, a, begins_high);
    const __m512i ends = _mm512_mask_mov_epi8(_mm512_permutex2var_epi8(ends_low, b, ends_high), above,
                                              _mm512_permutex2var_epi8(above_low, b, above_high));
    const uint64_t pairs = _mm512_test_epi8_mask(begins, ends);
    if (pairs != 0) return at + static_cast<size_t>(std::countr_zero(pairs));
  }
  return at;
}
#endif

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
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    at = skip_blocks_avx512(bytes, at);
  } else if (has_avx2()) {
    at = skip_blocks_avx2(bytes, at);
  }
#endif
  for (; at + kBlock + 1 <= bytes.size(); at += kBlock) {
    const char* block = bytes.data() + at;
    const Lanes hits = pairs_at(block) | pairs_at(block + sizeof(Lanes)) | pairs_at(block + 2 * sizeof(Lanes)) |
                       pairs_at(block + 3 * sizeof(Lanes));
    if (any(hits)) break;
  }
  for (; at + 1 < bytes.size(); ++at) {
    if (is_pair(static_cast<uint8_t>(bytes[at]), static_cast<uint8_t>(bytes[at + 1]))) return at;
  }
  return std::string_view::npos;
}

}  // namespace gatehouse::dlp
