#include "dlp/decode/separated.h"

#include <algorithm>
#include <bit>

#include "dlp/decode/hex.h"
#include "dlp/decode/simd.h"
#include "dlp/decode/utf8.h"

namespace gatehouse::dlp {
namespace {

constexpr ByteClass kWordClass("0-9A-Za-z");
// Of prose.
constexpr ByteClass kPunctuation(",.;:()!?*");
constexpr size_t kMaxPeriod = kMaxGroupBytes + kMaxSeparatorBytes;
// So many characters on a grid are no accident: of groups of one or two, of longer ones.
constexpr size_t kMinBytes = 16;
constexpr size_t kMinLongGroupBytes = 20;
// Of hex digits alone, UUIDs and addresses have fewer.
constexpr size_t kMinHexDigits = 40;
constexpr size_t kMinSingleHexDigits = 24;
// Of words with white space between, more: prose has three of one length soon enough.
constexpr size_t kMinWordBytes = 24;
constexpr size_t kMinWords = 6;
// Of digits alone, so many.
constexpr size_t kMinDigits = 9;
constexpr size_t kMaxDigits = 19;
// Of groups that are equal, so many are kept in case the next one differs.
constexpr size_t kMaxKeptGroups = 8;
// Of mappings, so many: with what ends them they are too few to be passed on.
constexpr size_t kMaxKeptMappings = 2;
// A grid is followed back from where it was noticed, over characters that are no letters.
constexpr size_t kMaxBackBytes = 128;
// What may yet turn out to be on a grid.
constexpr size_t kUndecidedBytes = 240;
static_assert(kUndecidedBytes >= 4 * kMaxPeriod + kMaxBackBytes && kUndecidedBytes <= kMaxBehindBytes);
static_assert(kUndecidedBytes >= kMinHexDigits / 2 * (2 + kMaxSeparatorBytes) + kMaxPeriod);
static_assert(kUndecidedBytes >= kMinSingleHexDigits * (1 + kMaxSeparatorBytes) + kMaxPeriod);
static_assert(kUndecidedBytes >= (kMinWords + 2) * kMaxPeriod);
static_assert(kUndecidedBytes >= (kMaxKeptGroups + 2) * kMaxPeriod);

// At which of so many words, from `words` on, there have been three gaps alike, or two long ones; bit i for the i-th.
// Three before them can be read.
constexpr size_t kWordsAtOnce = 32;
constexpr uint16_t kLongGap = 9;

uint32_t even_gaps_plain(const uint16_t* words) {
  uint32_t even = 0;
  for (size_t i = 0; i < kWordsAtOnce; ++i) {
    const auto gap = [&](size_t back) { return static_cast<uint16_t>(*(words + i - back) - *(words + i - back - 1)); };
    const uint16_t last = gap(0);
    const bool alike = last == gap(1) && last > 1 && last <= kMaxPeriod;
    even |= static_cast<uint32_t>(alike && (last == gap(2) || last >= kLongGap)) << i;
  }
  return even;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET inline __m256i gaps_avx2(const uint16_t* words) {
  return _mm256_sub_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words - 1)));
}

GATEHOUSE_AVX2_TARGET inline uint32_t even_16_gaps_avx2(const uint16_t* words) {
  const __m256i last = gaps_avx2(words);
  const __m256i second = gaps_avx2(words - 1);
  const __m256i first = gaps_avx2(words - 2);
  const auto in = [&](int least, int most) __attribute__((target("avx2"))) {
    // From `least` on they are the greater, up to `most` the smaller.
    const __m256i above =
        _mm256_cmpeq_epi16(_mm256_max_epu16(last, _mm256_set1_epi16(static_cast<short>(least))), last);
    const __m256i below = _mm256_cmpeq_epi16(_mm256_min_epu16(last, _mm256_set1_epi16(static_cast<short>(most))), last);
    return _mm256_and_si256(above, below);
  };
  const int most = kMaxPeriod;
  const __m256i three = _mm256_and_si256(_mm256_cmpeq_epi16(first, last), in(2, most));
  const __m256i even = _mm256_and_si256(_mm256_cmpeq_epi16(second, last), _mm256_or_si256(three, in(kLongGap, most)));
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
  return static_cast<uint32_t>(_mm_movemask_epi8(bytes));
}

GATEHOUSE_AVX2_TARGET uint32_t even_gaps_avx2(const uint16_t* words) {
  return even_16_gaps_avx2(words) | even_16_gaps_avx2(words + 16) << 16;
}

GATEHOUSE_AVX512_TARGET uint32_t even_gaps_avx512(const uint16_t* words) {
  const __m512i here = _mm512_loadu_si512(words);
  const __m512i one_back = _mm512_loadu_si512(words - 1);
  const __m512i two_back = _mm512_loadu_si512(words - 2);
  const __m512i last = _mm512_sub_epi16(here, one_back);
  const __m512i second = _mm512_sub_epi16(one_back, two_back);
  const __m512i first = _mm512_sub_epi16(two_back, _mm512_loadu_si512(words - 3));
  // Of those in a period's range, counted from 2 up.
  const __mmask32 within = _mm512_cmple_epu16_mask(_mm512_sub_epi16(last, _mm512_set1_epi16(2)),
                                                   _mm512_set1_epi16(static_cast<short>(kMaxPeriod - 2)));
  const __mmask32 alike = _mm512_mask_cmpeq_epi16_mask(within, second, last);
  return alike & (_mm512_cmpeq_epi16_mask(first, last) | _mm512_cmpge_epu16_mask(last, _mm512_set1_epi16(kLongGap)));
}
#endif

uint32_t even_gaps(const uint16_t* words) {
#if GATEHOUSE_AVX2
  if (has_avx512()) return even_gaps_avx512(words);
  if (has_avx2()) return even_gaps_avx2(words);
#endif
  return even_gaps_plain(words);
}

constexpr bool is_group_character(char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\'' && c != '`'; }

// What people put between: signs, white space, zeros, characters of UTF-8.
bool is_separator_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Character next = read_utf8(bytes);
    const bool control = next.character < ' ' && next.character != 0 && next.character != '\n' &&
                         next.character != '\r' && next.character != '\t';
    if (next.size == 0 || control || next.character == '\x7f') return false;
    bytes.remove_prefix(next.size);
  }
  return true;
}

}  // namespace

void SeparatedDecoder::take(const TextBlock& block) {
  stretches_.enter(block.bytes());
  end_ += block.bytes().size();
  scan(block);
  stretches_.leave(kUndecidedBytes);
}

// A grid is noticed by words at equal distances, the first of which may be from the beginning.
bool SeparatedDecoder::wants(const TextBlock& block) const {
  const Mask& letters = block[Sign::word];
  size_t last = 0;
  size_t gap = 0;
  uint64_t before = 0;
  for (size_t i = 0; i < letters.word_count(); ++i) {
    const uint64_t here = letters.words[i];
    for (uint64_t words = here & ~(here << 1 | before); words != 0; words &= words - 1) {
      const size_t word = i * 64 + static_cast<size_t>(std::countr_zero(words));
      if (word - last == gap && gap > 1 && gap <= kMaxPeriod) return true;
      gap = word - last;
      last = word;
    }
    before = here >> 63;
  }
  return false;
}

void SeparatedDecoder::scan(const TextBlock& block) {
  const std::string_view bytes = block.bytes();
  const uint64_t begin = end_ - bytes.size();
  if (grid_.period != 0) follow_grid(false);
  const Mask& letters = block[Sign::word];
  std::array<uint64_t, kMaskWords> words;
  uint64_t before = in_word_ ? 1 : 0;
  for (size_t i = 0; i < letters.word_count(); ++i) {
    const uint64_t here = letters.words[i];
    words[i] = here & ~(here << 1 | before);
    before = here >> 63;
  }
  in_word_ = letters.at(bytes.size() - 1);
  // Where words begin, counted from `begin`; the last three before come first, the ones far away at the same place.
  std::array<uint16_t, kWordsBefore + kMaxPositions + kWordsAtOnce> positions;
  for (size_t i = 0; i < kWordsBefore; ++i) {
    constexpr uint64_t kFar = 4 * kMaxPeriod;
    positions[i] = static_cast<uint16_t>(-static_cast<int>(std::min(begin - words_[i], kFar)));
  }
  const size_t count =
      kWordsBefore + list_positions(words.data(), letters.word_count(), positions.data() + kWordsBefore);
  std::fill_n(positions.begin() + static_cast<ptrdiff_t>(count), kWordsAtOnce, uint16_t{0});  // read with the last ones
  for (size_t i = kWordsBefore; i < count; i += kWordsAtOnce) {
    for (uint32_t even = even_gaps(positions.data() + i); even != 0; even &= even - 1) {
      const size_t last = i + static_cast<size_t>(std::countr_zero(even));
      if (last >= count) break;
      const auto gap = [&](size_t at) { return static_cast<uint16_t>(positions[at] - positions[at - 1]); };
      const bool three = gap(last - 2) == gap(last);
      const size_t first = last - (three ? 3 : 2);
      // What stands in front of the second and third word is not the same: no grid.
      const auto in_front = [&](size_t at) { return bytes[positions[at] - 1]; };
      if (first + 1 >= kWordsBefore && positions[first + 1] > 0 && in_front(first + 1) != in_front(first + 2)) continue;
      const uint64_t word = first < kWordsBefore ? words_[first] : begin + positions[first];
      if (lay_grid(word, gap(last))) follow_grid(false);
    }
  }
  std::array<uint64_t, kWordsBefore> latest;
  for (size_t i = 0; i < kWordsBefore; ++i) {
    const size_t at = count - kWordsBefore + i;
    latest[i] = at < kWordsBefore ? words_[at] : begin + positions[at];
  }
  words_ = latest;
}

// On which a word begins, and the next ones after each `period`; true if there is a separator.
bool SeparatedDecoder::lay_grid(uint64_t word, size_t period) {
  if (grid_.period != 0 || word < tried_) return false;
  Grid grid;
  grid.period = period;
  // What stands in front of the second and third word alike.
  while (grid.size < std::min(kMaxSeparatorBytes, period - 1)) {
    const uint64_t at = word + period - 1 - grid.size;
    const char c = stretches_.at(at);
    if (kWordClass.holds(c) || c != stretches_.at(at + period)) break;
    grid.separator[kMaxSeparatorBytes - 1 - grid.size] = c;
    ++grid.size;
  }
  if (grid.size == 0 || grid.group() > kMaxGroupBytes || begins_escape(word, grid)) return false;
  if (!is_separator_text({grid.separator.data() + kMaxSeparatorBytes - grid.size, grid.size})) return false;
  grid_ = grid;
  if (group_bytes(word) < grid_.group()) {
    grid_.period = 0;
    return false;
  }
  // Back over groups that begin with no letter.
  const uint64_t least = std::max({free_, stretches_.known(), word - std::min<uint64_t>(word, kMaxBackBytes)});
  while (word >= least + period && is_separator(word - grid.size) && group_bytes(word - period) == grid.group()) {
    word -= period;
  }
  grid_.next = grid_.first = word + grid.group();
  if (word > least + grid.size && is_separator(word - grid.size)) {
    const char before = stretches_.at(word - grid.size - 1);
    grid_.led = is_group_character(before);
    if (grid_.led && before != stretches_.at(grid_.next - 1)) grid_.equal = 0;
  }
  count_mapping(word, group_bytes(word));
  return true;
}

// Whether separator and group are an escape, which is decoded as what it is: %67, %2567, %u0067, \x67, \u0067, \147,
// &#103;
bool SeparatedDecoder::begins_escape(uint64_t word, const Grid& grid) const {
  const char sign = grid.separator.back();
  const char first = stretches_.at(word);
  const bool digit = first >= '0' && first <= '9';
  switch (sign) {
    case '%':
      if (grid.group() == 2) return kHexClass.holds(first);
      return first == 'u' || first == 'U' || (first == '2' && grid.group() % 2 == 0 && stretches_.at(word + 1) == '5');
    case '\\':
      return first == 'x' || first == 'u' || first == 'U' || (digit && grid.group() == 3);
    case '#':
      return grid.size > 1 && grid.separator[kMaxSeparatorBytes - 2] == '&' && (digit || first == 'x' || first == 'X');
    default:
      return false;
  }
}

// As far as the bytes go.
void SeparatedDecoder::follow_grid(bool nothing_more) {
  while (grid_.period != 0) {
    const uint64_t group = grid_.next + grid_.size;
    if (group > end_ && !nothing_more) return;
    if (group > end_ || !is_separator(grid_.next)) return finish_grid(std::min(grid_.next, end_));
    const size_t bytes = group_bytes(group);
    const bool whole = bytes == grid_.group();
    if (!whole && group + bytes == end_ && !nothing_more) return;
    if (bytes > 0) count_separator(equal_groups(group, bytes));
    grid_.next += grid_.period;
    if (!whole) return finish_grid(group + bytes);
  }
}

bool SeparatedDecoder::equal_groups(uint64_t group, size_t bytes) {
  bool equal = true;
  for (size_t i = 0; equal && i < bytes; ++i) {
    equal = stretches_.at(group + i) == stretches_.at(group + i - grid_.period);
  }
  grid_.changes = static_cast<uint8_t>(grid_.changes << 1 | (equal ? 0 : 1));
  count_mapping(group, bytes);
  return equal;
}

void SeparatedDecoder::count_mapping(uint64_t group, size_t bytes) {
  const bool mapping = bytes > 1 && stretches_.at(group + 1) == 'A';
  grid_.mappings = mapping ? static_cast<uint8_t>(std::min<size_t>(grid_.mappings + 1u, kMaxMappings)) : 0;
}

bool SeparatedDecoder::has_mappings() const {
  constexpr int kMinChanges = 2;  // or it is one letter repeated
  static_assert(kMaxMappings <= 8);
  const size_t least = grid_.accepted ? kMaxMappings : kMinMappings;
  const bool commas = grid_.size == 1 && grid_.separator.back() == ',';
  return commas && (grid_.group() == 4 || grid_.group() == 5) && grid_.mappings >= least &&
         std::popcount(static_cast<uint8_t>(grid_.changes & (0xffu >> (8 - least)))) >= kMinChanges;
}

void SeparatedDecoder::count_separator(bool equal) {
  if (grid_.count == 0) grid_.first = grid_.next;
  grid_.count += 1;
  grid_.equal = equal ? std::min(grid_.equal + 1, kMaxEqualGroups) : 0;
  const bool mappings = has_mappings();
  if ((grid_.equal == kMaxEqualGroups || mappings) && grid_.kinds != kDigits) {
    for (const size_t kept = mappings ? kMaxKeptMappings : kMaxKeptGroups; grid_.count > kept; --grid_.count) {
      grid_.first += grid_.period;
      grid_.led = false;
    }
    return;
  }
  const size_t bytes = (grid_.count + 1) * grid_.group();
  if (grid_.kinds == kDigits) {
    if (bytes <= kMaxDigits) return;
    grid_.table = true;
    grid_.led = false;
    grid_.count = 0;
    return;
  }
  if (grid_.accepted || bytes >= least_bytes()) pass_on();
}

size_t SeparatedDecoder::least_bytes() const {
  const bool hex = (grid_.kinds & (kLetters | kSigns)) == 0;
  if (hex) return grid_.group() == 1 ? kMinSingleHexDigits : kMinHexDigits;
  const bool words = (grid_.kinds & (kDigits | kCapitals | kSigns)) == 0 && grid_.separator.back() <= ' ';
  if (words && grid_.group() > 1) return std::max(kMinWordBytes, kMinWords * grid_.group());
  return grid_.group() > 2 ? kMinLongGroupBytes : kMinBytes;
}

void SeparatedDecoder::pass_on() {
  grid_.accepted = true;
  if (grid_.led && grid_.kinds != kDigits) stretches_.made(grid_.first - grid_.period, grid_.size, {});
  grid_.led = false;
  for (; grid_.count > 0; --grid_.count, grid_.first += grid_.period) stretches_.made(grid_.first, grid_.size, {});
}

void SeparatedDecoder::finish_grid(uint64_t end) {
  const size_t bytes = (grid_.count + 1) * grid_.group();
  if (grid_.kinds == kDigits && !grid_.table && bytes >= kMinDigits) pass_on();
  if (grid_.accepted) free_ = end;
  tried_ = end;
  grid_.period = 0;
}

bool SeparatedDecoder::is_separator(uint64_t position) const {
  for (size_t i = 0; i < grid_.size; ++i) {
    if (stretches_.at(position + i) != grid_.separator[kMaxSeparatorBytes - grid_.size + i]) return false;
  }
  return true;
}

constexpr std::array<uint8_t, 256> SeparatedDecoder::kKindsOf = [] {
  std::array<uint8_t, 256> kinds{};
  for (unsigned i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool capital = c >= 'A' && c <= 'Z';
    if (!is_group_character(c)) {
      kinds[i] = kNoGroup;
    } else if (c >= '0' && c <= '9') {
      kinds[i] = kDigits;
    } else if (kWordClass.holds(c)) {
      kinds[i] = static_cast<uint8_t>((kHexClass.holds(c) ? kHexLetters : kLetters) | (capital ? kCapitals : 0u));
    } else {
      kinds[i] = kPunctuation.holds(c) ? uint8_t{0} : uint8_t{kSigns};
    }
  }
  return kinds;
}();

size_t SeparatedDecoder::group_bytes(uint64_t position) {
  size_t bytes = 0;
  while (bytes < grid_.group() && position + bytes < end_) {
    const char c = stretches_.at(position + bytes);
    const unsigned kind = kKindsOf[static_cast<uint8_t>(c)];
    if (kind == kNoGroup) break;
    grid_.kinds |= bytes == 0 ? kind & ~kCapitals : kind;
    ++bytes;
  }
  return bytes;
}

void SeparatedDecoder::skip(uint64_t bytes) {
  follow_grid(true);
  stretches_.leave(0);
  stretches_.skip(bytes);
  end_ += bytes;
  in_word_ = false;
  words_.fill(0);
  free_ = tried_ = end_;
}

void SeparatedDecoder::boundary() {
  skip(0);
  stretches_.boundary();
}

void SeparatedDecoder::end() {
  boundary();
  stretches_.end();
  end_ = free_ = tried_ = 0;
}

}  // namespace gatehouse::dlp
