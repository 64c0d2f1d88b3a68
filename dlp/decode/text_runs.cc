#include "dlp/decode/text_runs.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dlp/decode/simd.h"
#include "dlp/decode/text_runs_avx512.h"

namespace gatehouse::dlp {
namespace {

constexpr char kNoText = '\x01';

// Of 64 bytes, as bits.
struct Kinds {
  uint64_t ascii = 0;  // text by itself
  uint64_t lead2 = 0;  // first bytes of characters of two, three and four
  uint64_t lead3 = 0;
  uint64_t lead4 = 0;
  uint64_t next = 0;   // further bytes
  uint64_t signs = 0;  // escapes begin with one
  uint64_t quotes = 0;
};

// What the next 64 bytes need of those before.
struct Before {
  Kinds kinds;
  uint64_t second = 0;  // bytes of a character
  uint64_t third = 0;
  uint64_t text = 0;
  uint64_t two = 0;  // ends of so many bytes of text
  uint64_t four = 0;
  uint64_t seven = 0;
  uint64_t escape = 0;       // a sign of one
  uint64_t escapes_two = 0;  // among the last two, the last four
  uint64_t escapes_four = 0;
};

// `n` bytes on.
inline uint64_t later(uint64_t bits, uint64_t before, int n) { return bits << n | before >> (64 - n); }

// What there is before, after words that are text all through, the last of which is `kinds`.
inline Before behind_text(const Kinds& kinds) {
  Before before;
  before.kinds = kinds;
  before.text = before.two = before.four = before.seven = ~uint64_t{0};
  const auto quotes = [&](int n) { return kinds.quotes << n; };
  before.escape = kinds.signs | (kinds.quotes & (quotes(1) | quotes(2) | quotes(3) | quotes(4) | quotes(5)));
  before.escapes_two = before.escape | before.escape << 1;
  before.escapes_four = before.escapes_two | before.escapes_two << 2;
  return before;
}

[[gnu::always_inline]] inline uint64_t ends_of_runs(const Kinds& kinds, Before& before) {
  const uint64_t lead = kinds.lead2 | kinds.lead3 | kinds.lead4;
  const uint64_t lead_before = before.kinds.lead2 | before.kinds.lead3 | before.kinds.lead4;
  Before now;
  now.kinds = kinds;
  // Text by what is known up to it, each byte one later; a lead is text when a byte follows that continues it.
  now.text = later(kinds.ascii, before.kinds.ascii, 1);
  if ((lead | lead_before | before.third) != 0) {
    const uint64_t long_lead = later(kinds.lead3 | kinds.lead4, before.kinds.lead3 | before.kinds.lead4, 2);
    now.second = kinds.next & later(lead, lead_before, 1);
    now.third = kinds.next & later(now.second, before.second, 1) & long_lead;
    const uint64_t fourth = kinds.next & later(now.third, before.third, 1) & later(kinds.lead4, before.kinds.lead4, 3);
    const uint64_t fourth_before = before.kinds.next & (before.third << 1) & (before.kinds.lead4 << 3);
    now.text |= now.second | later(now.second | now.third | fourth, before.second | before.third | fourth_before, 1);
  }
  static_assert(kMinEscapedRunBytes == 7 && kMinTextRunBytes == 14);
  now.two = now.text & later(now.text, before.text, 1);
  now.four = now.two & later(now.two, before.two, 2);
  now.seven = now.four & later(now.four, before.four, 3);
  const auto quotes = [&](int n) { return later(kinds.quotes, before.kinds.quotes, n); };
  const uint64_t pairs = kinds.quotes & (quotes(1) | quotes(2) | quotes(3) | quotes(4) | quotes(5));
  now.escape = kinds.signs | pairs;
  now.escapes_two = now.escape | later(now.escape, before.escape, 1);
  now.escapes_four = now.escapes_two | later(now.escapes_two, before.escapes_two, 2);
  // Of the seven bytes before.
  const uint64_t escaped =
      later(now.escapes_four, before.escapes_four, 1) | later(now.escapes_four, before.escapes_four, 4);
  const uint64_t ends = now.seven & (later(now.seven, before.seven, 7) | escaped);
  before = now;
  return ends;
}

// First and further bytes of characters, 64 bytes a word. Only of words in which there are any.
struct Characters {
  std::array<uint64_t, kMaskWords> lead2;
  std::array<uint64_t, kMaskWords> lead3;
  std::array<uint64_t, kMaskWords> lead4;
  std::array<uint64_t, kMaskWords> next;
};

void find_characters(const char* bytes, size_t word, Characters& found) {
  found.lead2[word] = found.lead3[word] = found.lead4[word] = found.next[word] = 0;
  for (unsigned i = 0; i < 64; ++i) {
    const auto c = static_cast<uint8_t>(bytes[i]);
    const uint64_t bit = uint64_t{1} << i;
    if (c >= 0x80 && c < 0xc0) found.next[word] |= bit;
    if (c >= 0xc2 && c < 0xe0) found.lead2[word] |= bit;
    if (c >= 0xe0 && c < 0xf0) found.lead3[word] |= bit;
    if (c >= 0xf0 && c < 0xf5) found.lead4[word] |= bit;
  }
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET inline uint64_t bits_of(__m256i low, __m256i high) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(low)) |
         static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(high))) << 32;
}

// The bytes from `first` on, as signed numbers.
GATEHOUSE_AVX2_TARGET inline uint64_t bits_from(int first, __m256i low, __m256i high) {
  const __m256i below = _mm256_set1_epi8(static_cast<char>(first - 1));
  return bits_of(_mm256_cmpgt_epi8(low, below), _mm256_cmpgt_epi8(high, below));
}

GATEHOUSE_AVX2_TARGET void find_characters_avx2(const char* bytes, size_t word, Characters& found) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + 32));
  const uint64_t above = bits_of(low, high);
  const uint64_t from_c0 = above & bits_from(0xc0 - 256, low, high);
  const uint64_t from_c2 = above & bits_from(0xc2 - 256, low, high);
  const uint64_t from_e0 = above & bits_from(0xe0 - 256, low, high);
  const uint64_t from_f0 = above & bits_from(0xf0 - 256, low, high);
  const uint64_t from_f5 = above & bits_from(0xf5 - 256, low, high);
  found.next[word] = above & ~from_c0;
  found.lead2[word] = from_c2 & ~from_e0;
  found.lead3[word] = from_e0 & ~from_f0;
  found.lead4[word] = from_f0 & ~from_f5;
}
#endif

// The last word's bytes are in `last`, filled up.
void find_all_characters(const TextBlock& block, const char* last, Characters& found) {
  auto* find = find_characters;
#if GATEHOUSE_AVX2
  if (has_avx2()) find = find_characters_avx2;
#endif
  const Mask& above = block[Sign::above];
  const size_t whole = block.bytes().size() / 64;
  for (size_t i = 0; i < above.word_count(); ++i) {
    if (above.words[i] != 0) find(i < whole ? block.bytes().data() + i * 64 : last, i, found);
  }
}

[[gnu::always_inline]] inline Kinds kinds_of(const TextBlock& block, size_t word, const Characters& characters) {
  Kinds kinds;
  kinds.ascii = block[Sign::text].words[word];
  kinds.quotes = block[Sign::quote].words[word];
  kinds.signs = block[Sign::backslash].words[word] | block[Sign::percent].words[word] |
                block[Sign::ampersand].words[word] | block[Sign::equals].words[word];
  if (block[Sign::above].words[word] == 0) return kinds;
  kinds.lead2 = characters.lead2[word];
  kinds.lead3 = characters.lead3[word];
  kinds.lead4 = characters.lead4[word];
  kinds.next = characters.next[word];
  return kinds;
}

bool is_text(const Mask& text) { return text.find_not(0) == text.size; }

}  // namespace

void TextRunFinder::find(std::string_view bytes, std::optional<TextBlock>& block, Mask& ends) {
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    // Text is known by its signs, which its decoders want; noise has no need of them.
    text_before_ = text_before_ ? is_text(block.emplace(bytes)[Sign::text]) : is_text_avx512(bytes);
    find_text_runs_avx512(before_.data(), bytes, text_before_, ends);
    return remember(bytes);
  }
#endif
  find_in(block.emplace(bytes), ends);
  remember(bytes);
}

void TextRunFinder::find_in(const TextBlock& block, Mask& ends) const {
  constexpr uint64_t kAll = ~uint64_t{0};
  const std::string_view bytes = block.bytes();
  const size_t rest = bytes.size() % 64;
  Characters characters;
  const TextBlock block_before({before_.data(), before_.size()});
  find_all_characters(block_before, nullptr, characters);
  Before before;
  ends_of_runs(kinds_of(block_before, 0, characters), before);
  if (block.has(Sign::above)) {
    std::array<char, 64> last = filling();
    std::memcpy(last.data(), bytes.data() + bytes.size() - rest, rest);
    find_all_characters(block, last.data(), characters);
  }

  ends.size = bytes.size();
  const auto& text = block[Sign::text].words;
  for (size_t i = 0; i < ends.word_count(); ++i) {
    const size_t first = i;
    if (before.kinds.ascii == kAll) {
      while (i < ends.word_count() && text[i] == kAll) ends.words[i++] = kAll;
      if (i == ends.word_count()) break;
      if (i > first) before = behind_text(kinds_of(block, i - 1, characters));
    }
    ends.words[i] = ends_of_runs(kinds_of(block, i, characters), before);
  }
  if (rest != 0) ends.words[bytes.size() / 64] &= (uint64_t{1} << rest) - 1;
}

void TextRunFinder::remember(std::string_view bytes) {
  const size_t fresh = std::min(bytes.size(), kBeforeBytes);
  std::memmove(before_.data(), before_.data() + fresh, kBeforeBytes - fresh);
  std::memcpy(before_.data() + kBeforeBytes - fresh, bytes.data() + bytes.size() - fresh, fresh);
}

void TextRunFinder::restart() { before_ = filling(); }

std::array<char, TextRunFinder::kBeforeBytes> TextRunFinder::filling() {
  std::array<char, kBeforeBytes> bytes;
  bytes.fill(kNoText);
  return bytes;
}

}  // namespace gatehouse::dlp
