#include "dlp/shape_scan.h"

#include <emmintrin.h>  // SSE2, which every x86-64 has, as Hyperscan needs more than that

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {

namespace {

constexpr size_t kBlock = 64;

// A bit for each byte of a block: what it is.
struct Kinds {
  uint64_t digits = 0;
  uint64_t capitals = 0;
};

// What lies `by` places on, out of a block's bits and the next one's.
uint64_t ahead(uint64_t block, uint64_t next, int by) { return block >> by | next << (64 - by); }

// Where four in a row begin.
uint64_t fours(uint64_t block, uint64_t next) {
  return block & ahead(block, next, 1) & ahead(block, next, 2) & ahead(block, next, 3);
}

// Where two capitals and two digits begin.
uint64_t letters_digits(const Kinds& block, const Kinds& next) {
  return block.capitals & ahead(block.capitals, next.capitals, 1) & ahead(block.digits, next.digits, 2) &
         ahead(block.digits, next.digits, 3);
}

// Where four of a group begin four places on, or five with a separator before them; `separators` are four places on.
uint64_t second_group(uint64_t group, uint64_t next_group, uint64_t separators) {
  return ahead(group, next_group, 4) | (separators & ahead(group, next_group, 5));
}

// A bit for each of 16 bytes that lies in [low, low + count).
__m128i in_range(__m128i bytes, char low, char count) {
  const __m128i from_zero = _mm_sub_epi8(bytes, _mm_set1_epi8(low));
  const __m128i limit = _mm_set1_epi8(static_cast<char>(count - 1));
  return _mm_cmpeq_epi8(_mm_min_epu8(from_zero, limit), from_zero);
}

uint64_t bits(__m128i mask, size_t at) {
  return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(mask))) << at;
}

Kinds kinds_of(const char* block) {
  Kinds kinds;
  for (size_t at = 0; at < kBlock; at += sizeof(__m128i)) {
    __m128i bytes;
    std::memcpy(&bytes, block + at, sizeof bytes);
    kinds.digits |= bits(in_range(bytes, '0', 10), at);
    kinds.capitals |= bits(in_range(bytes, 'A', 26), at);
  }
  return kinds;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET inline uint32_t in_range_avx2(__m256i bytes, char low, char count) {
  const __m256i from_zero = _mm256_sub_epi8(bytes, _mm256_set1_epi8(low));
  const __m256i limit = _mm256_set1_epi8(static_cast<char>(count - 1));
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(from_zero, limit), from_zero)));
}

GATEHOUSE_AVX2_TARGET Kinds kinds_of_avx2(const char* block) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32));
  Kinds kinds;
  kinds.digits = in_range_avx2(low, '0', 10) | static_cast<uint64_t>(in_range_avx2(high, '0', 10)) << 32;
  kinds.capitals = in_range_avx2(low, 'A', 26) | static_cast<uint64_t>(in_range_avx2(high, 'A', 26)) << 32;
  return kinds;
}

// From where on, up to `to`, there may be a shape in a block: as find_shapes() sees it, in whole blocks.
GATEHOUSE_AVX2_TARGET size_t skip_blocks_avx2(std::string_view text, size_t begin, size_t to) {
  if (begin + 2 * kBlock > text.size()) return begin;
  Kinds next = kinds_of_avx2(text.data() + begin);
  for (; begin + kBlock <= to && begin + 2 * kBlock <= text.size(); begin += kBlock) {
    const Kinds block = next;
    next = kinds_of_avx2(text.data() + begin + kBlock);
    if ((fours(block.digits, next.digits) | letters_digits(block, next)) != 0) break;
  }
  return begin;
}

struct KindsAndSeparators {
  Kinds kinds;
  uint64_t separators = 0;
};

GATEHOUSE_AVX512_TARGET inline KindsAndSeparators kinds_of_avx512(const char* block) {
  const __m512i bytes = _mm512_loadu_si512(block);
  KindsAndSeparators of;
  of.kinds.digits = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
  of.kinds.capitals = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('A')), _mm512_set1_epi8(26));
  of.separators =
      _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' ')) | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('-'));
  return of;
}

// Likewise; only where there is a shape.
GATEHOUSE_AVX512_TARGET size_t skip_blocks_avx512(std::string_view text, size_t begin, size_t to) {
  if (begin + 2 * kBlock > text.size()) return begin;
  KindsAndSeparators next = kinds_of_avx512(text.data() + begin);
  for (; begin + kBlock <= to && begin + 2 * kBlock <= text.size(); begin += kBlock) {
    const Kinds block = next.kinds;
    const uint64_t before = next.separators;
    next = kinds_of_avx512(text.data() + begin + kBlock);
    const uint64_t digits = fours(block.digits, next.kinds.digits);
    const uint64_t mixed = letters_digits(block, next.kinds);
    if ((digits | mixed) == 0) continue;
    const uint64_t separators = ahead(before, next.separators, 4);
    const uint64_t either = fours(block.digits | block.capitals, next.kinds.digits | next.kinds.capitals);
    const uint64_t next_either = fours(next.kinds.digits | next.kinds.capitals, 0);
    const uint64_t places = (digits & second_group(digits, fours(next.kinds.digits, 0), separators)) |
                            (mixed & second_group(either, next_either, separators));
    if (places != 0) break;
  }
  return begin;
}
#endif

// Blanks and hyphens.
uint64_t separators_of(const char* block) {
  uint64_t separators = 0;
  for (size_t at = 0; at < kBlock; at += sizeof(__m128i)) {
    __m128i bytes;
    std::memcpy(&bytes, block + at, sizeof bytes);
    separators |=
        bits(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'))), at);
  }
  return separators;
}

// What `of` says of the bytes [begin, begin + kBlock), none beyond the text's end.
auto of_block(std::string_view text, size_t begin, auto of) {
  if (begin < text.size() && text.size() - begin >= kBlock) return of(text.data() + begin);
  char padded[kBlock] = {};
  if (begin < text.size()) text.copy(padded, kBlock, begin);
  return of(padded);
}

// Of the block's bytes four places on, which are separators.
uint64_t separators_ahead(std::string_view text, size_t begin) {
  return ahead(of_block(text, begin, separators_of), of_block(text, begin + kBlock, separators_of), 4);
}

void report(uint64_t places, size_t begin, Shape shape, OnShape on_shape, void* context) {
  while (places != 0) {
    const int first = std::countr_zero(places);
    const int count = std::countr_one(places >> first);
    on_shape(context, shape, begin + static_cast<size_t>(first), begin + static_cast<size_t>(first + count - 1));
    if (first + count >= 64) return;
    places &= ~uint64_t{0} << (first + count);
  }
}

}  // namespace

std::optional<Shape> find_shape(std::string_view name) {
  if (name == "digit-groups") return Shape::digit_groups;
  if (name == "letters-digits") return Shape::letters_digits;
  return std::nullopt;
}

void find_shapes(std::string_view text, size_t from, size_t to, OnShape on_shape, void* context) {
  assert(to <= text.size());
  for (size_t begin = from; begin < to; begin += kBlock) {
#if GATEHOUSE_AVX2
    if (has_avx512()) {
      begin = skip_blocks_avx512(text, begin, to);
    } else if (has_avx2()) {
      begin = skip_blocks_avx2(text, begin, to);
    }
    if (begin == to) return;
#endif
    const Kinds block = of_block(text, begin, kinds_of);
    const Kinds next = of_block(text, begin + kBlock, kinds_of);
    const uint64_t wanted = to - begin >= kBlock ? ~uint64_t{0} : (uint64_t{1} << (to - begin)) - 1;

    const uint64_t digits = fours(block.digits, next.digits) & wanted;
    const uint64_t mixed = letters_digits(block, next) & wanted;
    if ((digits | mixed) == 0) continue;
    // Of the next block's groups only those count that begin in its first bytes, so nothing beyond it is asked for.
    if (digits != 0) {
      const uint64_t group = fours(block.digits, next.digits);
      const uint64_t places = digits & second_group(group, fours(next.digits, 0), separators_ahead(text, begin));
      report(places, begin, Shape::digit_groups, on_shape, context);
    }
    if (mixed != 0) {
      const uint64_t either = block.capitals | block.digits;
      const uint64_t next_either = next.capitals | next.digits;
      const uint64_t places =
          mixed & second_group(fours(either, next_either), fours(next_either, 0), separators_ahead(text, begin));
      report(places, begin, Shape::letters_digits, on_shape, context);
    }
  }
}

}  // namespace gatehouse::dlp
