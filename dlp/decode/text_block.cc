#include "dlp/decode/text_block.h"

#include <cassert>
#include <cstring>

#include "dlp/decode/base64.h"
#include "dlp/decode/hex.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

// In the order of Sign.
constexpr std::array<ByteClass, kSignCount> kClasses{
    ByteClass(std::string_view("\0\t\n\r -~", 7)),
    ByteClass("0-9A-Za-z"),
    kHexClass,
    kBase64Class,
    ByteClass("\"'`"),
    ByteClass("\"'` \n\r\t+.&|~"),
    ByteClass("\\"),
    ByteClass("%"),
    ByteClass("&"),
    ByteClass("="),
    ByteClass("#"),
    ByteClass("\r\n"),
    ByteClass("0-9A-Fa-fxX"),
    ByteClass("-0-9A-Za-z_+/=.!@#$%^*~&;?:"),
    ByteClass("", true),
};

// By character, which of them hold it, as bits.
constexpr std::array<uint16_t, 256> kSignsOf = [] {
  std::array<uint16_t, 256> signs{};
  for (size_t c = 0; c < 256; ++c) {
    for (size_t sign = 0; sign < kSignCount; ++sign) {
      const bool holds = kClasses[sign].holds(static_cast<char>(c));
      signs[c] = static_cast<uint16_t>(signs[c] | (holds ? 1u << sign : 0u));
    }
  }
  return signs;
}();

// Where the signs of a block go, 64 bytes at a time.
class Words {
 public:
  Words(std::array<Mask, kSignCount>& masks, std::array<uint64_t, kSignCount>& any) : masks_(masks), any_(any) {}
  [[gnu::always_inline]] void put(size_t sign, size_t word, uint64_t bits) { masks_[sign].words[word] = bits; }
  // Whether it was in any of them.
  [[gnu::always_inline]] void note(size_t sign, uint64_t bits) { any_[sign] |= bits; }

 private:
  std::array<Mask, kSignCount>& masks_;
  std::array<uint64_t, kSignCount>& any_;
};

// Of `count` times 64 bytes, into the words from `first` on.
void find_signs(const char* bytes, size_t first, size_t count, Words& out) {
  for (size_t word = first; word < first + count; ++word, bytes += 64) {
    std::array<uint64_t, kSignCount> found{};
    for (unsigned i = 0; i < 64; ++i) {
      const uint64_t signs = kSignsOf[static_cast<uint8_t>(bytes[i])];
      for (size_t sign = 0; sign < kSignCount; ++sign) found[sign] |= (signs >> sign & 1) << i;
    }
    for (size_t sign = 0; sign < kSignCount; ++sign) {
      out.put(sign, word, found[sign]);
      out.note(sign, found[sign]);
    }
  }
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET inline uint64_t bits_of(__m256i low, __m256i high) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(low)) |
         static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(high))) << 32;
}

// By ByteClass's rows, for each class.
GATEHOUSE_AVX2_TARGET void find_signs_avx2(const char* bytes, size_t first, size_t count, Words& out) {
  const __m256i powers = _mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64,
                                          -128, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i four = _mm256_set1_epi8(15);
  const __m256i zero = _mm256_setzero_si256();
  for (size_t word = first; word < first + count; ++word, bytes += 64) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + 32));
    const __m256i low_bit = _mm256_shuffle_epi8(powers, _mm256_and_si256(_mm256_srli_epi16(low, 4), four));
    const __m256i high_bit = _mm256_shuffle_epi8(powers, _mm256_and_si256(_mm256_srli_epi16(high, 4), four));
    for (size_t sign = 0; sign + 1 < kSignCount; ++sign) {
      const auto* const of = reinterpret_cast<const __m128i*>(kClasses[sign].rows().data());
      const __m256i rows = _mm256_broadcastsi128_si256(_mm_loadu_si128(of));
      const __m256i low_row = _mm256_and_si256(_mm256_shuffle_epi8(rows, low), low_bit);
      const __m256i high_row = _mm256_and_si256(_mm256_shuffle_epi8(rows, high), high_bit);
      const uint64_t bits = ~bits_of(_mm256_cmpeq_epi8(low_row, zero), _mm256_cmpeq_epi8(high_row, zero));
      out.put(sign, word, bits);
      out.note(sign, bits);
    }
    const uint64_t above = bits_of(low, high);
    out.put(kSignCount - 1, word, above);
    out.note(kSignCount - 1, above);
  }
}

// One byte for each ASCII character: eight of its signs.
constexpr std::array<uint8_t, 128> signs_from(size_t first) {
  std::array<uint8_t, 128> signs{};
  for (size_t c = 0; c < 128; ++c) signs[c] = static_cast<uint8_t>(kSignsOf[c] >> first);
  return signs;
}
alignas(64) constexpr std::array<uint8_t, 128> kFirstSigns = signs_from(0);
alignas(64) constexpr std::array<uint8_t, 128> kMoreSigns = signs_from(8);

GATEHOUSE_AVX512_TARGET inline __m512i look_up(const std::array<uint8_t, 128>& table, __m512i in, __mmask64 ascii) {
  return _mm512_maskz_permutex2var_epi8(ascii, _mm512_load_si512(table.data()), in,
                                        _mm512_load_si512(table.data() + 64));
}

GATEHOUSE_AVX512_TARGET inline uint64_t has_bit(__m512i in, int bit) {
  return _mm512_test_epi8_mask(in, _mm512_set1_epi8(static_cast<char>(1 << bit)));
}

GATEHOUSE_AVX512_TARGET void find_signs_avx512(const char* bytes, size_t first, size_t count, Words& out) {
  __m512i any_some = _mm512_setzero_si512();
  __m512i any_more = _mm512_setzero_si512();
  uint64_t any_above = 0;
  for (size_t word = first; word < first + count; ++word, bytes += 64) {
    const __m512i in = _mm512_loadu_si512(bytes);
    const __mmask64 above = _mm512_movepi8_mask(in);
    const __m512i some = look_up(kFirstSigns, in, ~above);
    const __m512i more = look_up(kMoreSigns, in, ~above);
    any_some = _mm512_or_si512(any_some, some);
    any_more = _mm512_or_si512(any_more, more);
    any_above |= above;
    static_assert(kSignCount == 15);
    out.put(0, word, has_bit(some, 0));
    out.put(1, word, has_bit(some, 1));
    out.put(2, word, has_bit(some, 2));
    out.put(3, word, has_bit(some, 3));
    out.put(4, word, has_bit(some, 4));
    out.put(5, word, has_bit(some, 5));
    out.put(6, word, has_bit(some, 6));
    out.put(7, word, has_bit(some, 7));
    out.put(8, word, has_bit(more, 0));
    out.put(9, word, has_bit(more, 1));
    out.put(10, word, has_bit(more, 2));
    out.put(11, word, has_bit(more, 3));
    out.put(12, word, has_bit(more, 4));
    out.put(13, word, has_bit(more, 5));
    out.put(14, word, above);
  }
  for (size_t sign = 0; sign < 8; ++sign) out.note(sign, has_bit(any_some, static_cast<int>(sign)));
  for (size_t sign = 8; sign < 14; ++sign) out.note(sign, has_bit(any_more, static_cast<int>(sign - 8)));
  out.note(14, any_above);
}
#endif

}  // namespace

TextBlock::TextBlock(std::string_view bytes) : bytes_(bytes) {
  assert(bytes.size() <= kMaskedBytes);
  auto* find = find_signs;
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    find = find_signs_avx512;
  } else if (has_avx2()) {
    find = find_signs_avx2;
  }
#endif
  Words out(masks_, any_);
  for (Mask& mask : masks_) mask.size = bytes.size();
  const size_t whole = bytes.size() / 64;
  const size_t rest = bytes.size() % 64;
  if (rest != 0) {
    // What is behind the end has no sign.
    char last[64];
    std::memset(last, '\x01', sizeof last);
    std::memcpy(last, bytes.data() + whole * 64, rest);
    find(last, whole, 1, out);
  }
  find(bytes.data(), 0, whole, out);
}

}  // namespace gatehouse::dlp
