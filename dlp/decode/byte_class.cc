#include "dlp/decode/byte_class.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

uint64_t members_of_64(const ByteClass& members, const char* bytes) {
  uint64_t mask = 0;
  for (unsigned i = 0; i < 64; ++i) mask |= static_cast<uint64_t>(members.holds(bytes[i])) << i;
  return mask;
}

void members_of(const ByteClass& members, const char* bytes, size_t words, uint64_t* out) {
  for (size_t i = 0; i < words; ++i) out[i] = members_of_64(members, bytes + i * 64);
}

void equal_to(char byte, const char* bytes, size_t words, uint64_t* out) {
  for (size_t i = 0; i < words; ++i) {
    out[i] = 0;
    for (unsigned bit = 0; bit < 64; ++bit) out[i] |= static_cast<uint64_t>(bytes[i * 64 + bit] == byte) << bit;
  }
}

size_t list_bits(const uint64_t* words, size_t count, uint16_t* positions) {
  size_t size = 0;
  for (size_t i = 0; i < count; ++i) {
    for (uint64_t bits = words[i]; bits != 0; bits &= bits - 1) {
      positions[size++] = static_cast<uint16_t>(i * 64 + static_cast<size_t>(std::countr_zero(bits)));
    }
  }
  return size;
}

#if GATEHOUSE_AVX2
// Always a multiple of eight, so that there is nothing to guess for the processor.
GATEHOUSE_AVX2_TARGET size_t list_bits_avx2(const uint64_t* words, size_t count, uint16_t* positions) {
  size_t size = 0;
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = words[i];
    const auto set = static_cast<size_t>(_mm_popcnt_u64(bits));
    for (size_t at = size; at < size + set; at += 8) {
      for (size_t j = 0; j < 8; ++j, bits = _blsr_u64(bits)) {
        positions[at + j] = static_cast<uint16_t>(i * 64 + _tzcnt_u64(bits));
      }
    }
    size += set;
  }
  return size;
}

GATEHOUSE_AVX2_TARGET void equal_to_avx2(char byte, const char* bytes, size_t words, uint64_t* out) {
  const __m256i all = _mm256_set1_epi8(byte);
  for (size_t i = 0; i < words; ++i) {
    const auto half = [&](size_t at) __attribute__((target("avx2"))) {
      const __m256i in = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i * 64 + at));
      return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(in, all)));
    };
    out[i] = half(0) | static_cast<uint64_t>(half(32)) << 32;
  }
}

// A byte is a member when the row of its low half has the bit of its high half; a table look-up gives 0 for bytes
// above ASCII.
GATEHOUSE_AVX2_TARGET void members_of_avx2(const ByteClass& members, const char* bytes, size_t words, uint64_t* out) {
  const __m256i rows =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(members.rows().data())));
  const __m256i bits = _mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64,
                                        -128, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i above = _mm256_set1_epi8(members.above_ascii() ? -1 : 0);
  for (size_t i = 0; i < words; ++i) {
    uint64_t mask = 0;
    for (unsigned half = 0; half < 2; ++half) {
      const __m256i in = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i * 64 + half * 32));
      const __m256i row = _mm256_shuffle_epi8(rows, in);
      const __m256i bit = _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16(in, 4), low));
      const __m256i found = _mm256_cmpeq_epi8(_mm256_and_si256(row, bit), _mm256_setzero_si256());
      const uint32_t ascii = ~static_cast<uint32_t>(_mm256_movemask_epi8(found));
      const uint32_t high = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_and_si256(in, above)));
      mask |= static_cast<uint64_t>(ascii | high) << (half * 32);
    }
    out[i] = mask;
  }
}

GATEHOUSE_AVX512_TARGET size_t list_bits_avx512(const uint64_t* words, size_t count, uint16_t* positions) {
  const __m512i numbers =
      _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40,
                      39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                      15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  size_t size = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t bits = words[i];
    if (bits == 0) continue;
    const __m512i listed = _mm512_maskz_compress_epi8(bits, numbers);
    const __m512i base = _mm512_set1_epi16(static_cast<short>(i * 64));
    const __m512i first = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(listed));
    _mm512_storeu_si512(positions + size, _mm512_add_epi16(first, base));
    const auto set = static_cast<size_t>(_mm_popcnt_u64(bits));
    if (set > 32) {
      const __m512i second = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(listed, 1));
      _mm512_storeu_si512(positions + size + 32, _mm512_add_epi16(second, base));
    }
    size += set;
  }
  return size;
}

GATEHOUSE_AVX512_TARGET void equal_to_avx512(char byte, const char* bytes, size_t words, uint64_t* out) {
  const __m512i all = _mm512_set1_epi8(byte);
  for (size_t i = 0; i < words; ++i) out[i] = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes + i * 64), all);
}

GATEHOUSE_AVX512_TARGET void members_of_avx512(const ByteClass& members, const char* bytes, size_t words,
                                               uint64_t* out) {
  const __m512i first = _mm512_loadu_si512(members.table().data());
  const __m512i second = _mm512_loadu_si512(members.table().data() + 64);
  const uint64_t above_ascii = members.above_ascii() ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < words; ++i) {
    const __m512i in = _mm512_loadu_si512(bytes + i * 64);
    const uint64_t above = _mm512_movepi8_mask(in);
    const __m512i found = _mm512_permutex2var_epi8(first, in, second);
    out[i] = (_mm512_test_epi8_mask(found, found) & ~above) | (above & above_ascii);
  }
}
#endif

template <class Find>
void find_all(std::string_view bytes, Mask& mask, Find find) {
  assert(bytes.size() <= kMaskedBytes);
  mask.size = bytes.size();
  const size_t whole = bytes.size() / 64;
  const size_t rest = bytes.size() % 64;
  find(bytes.data(), whole, mask.words.data());
  if (rest == 0) return;
  char last[64] = {};
  std::memcpy(last, bytes.data() + whole * 64, rest);
  find(last, 1, mask.words.data() + whole);
  mask.words[whole] &= (uint64_t{1} << rest) - 1;
}

}  // namespace

size_t list_positions(const uint64_t* words, size_t count, uint16_t* positions) {
  auto* list = list_bits;
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    list = list_bits_avx512;
  } else if (has_avx2()) {
    list = list_bits_avx2;
  }
#endif
  return list(words, count, positions);
}

size_t Mask::find(size_t from) const {
  if (from >= size) return size;
  size_t word = from / 64;
  uint64_t bits = words[word] & (~uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word >= word_count()) return size;
    bits = words[word];
  }
  return word * 64 + static_cast<size_t>(std::countr_zero(bits));
}

size_t Mask::find_not(size_t from) const {
  if (from >= size) return size;
  size_t word = from / 64;
  uint64_t bits = ~words[word] & (~uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word >= word_count()) return size;
    bits = ~words[word];
  }
  return std::min(size, word * 64 + static_cast<size_t>(std::countr_zero(bits)));
}

void find_members(const ByteClass& members, std::string_view bytes, Mask& mask) {
  auto* find = members_of;
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    find = members_of_avx512;
  } else if (has_avx2()) {
    find = members_of_avx2;
  }
#endif
  find_all(bytes, mask, [&](const char* at, size_t words, uint64_t* out) { find(members, at, words, out); });
}

void find_byte(char byte, std::string_view bytes, Mask& mask) {
  auto* find = equal_to;
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    find = equal_to_avx512;
  } else if (has_avx2()) {
    find = equal_to_avx2;
  }
#endif
  find_all(bytes, mask, [&](const char* at, size_t words, uint64_t* out) { find(byte, at, words, out); });
}

}  // namespace gatehouse::dlp
