#include "dlp/decode/escapes.h"

#include <array>

#include "dlp/decode/hex.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMaxCodePointDigits = kMaxEscapeBytes - std::string_view("\\u{}").size();
constexpr std::string_view kLetters = "nrtbfva";
constexpr std::string_view kMeanings = "\n\r\t\b\f\v\a";

// Reads `text` character by character, as far as there is any.
class Reader {
 public:
  Reader(std::string_view text, bool nothing_more) : text_(text), nothing_more_(nothing_more) {}

  size_t at() const { return at_; }
  void back_to(size_t at) { at_ = at; }
  // What to answer when the characters were not those looked for.
  EscapeKind failure() const { return at_ == text_.size() && !nothing_more_ ? EscapeKind::cut : EscapeKind::none; }
  bool more() const { return at_ < text_.size(); }
  bool cut() const { return !more() && !nothing_more_; }

  bool skip(char c) {
    if (!more() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Up to `most` hex digits; how many they were.
  size_t hex(size_t most, uint32_t& value) {
    const size_t begin = at_;
    value = 0;
    while (at_ - begin < most && more() && kHexClass.holds(text_[at_])) value = value << 4 | hex_value(text_[at_++]);
    return at_ - begin;
  }
  size_t octal(size_t most, uint32_t& value) {
    const size_t begin = at_;
    value = 0;
    while (at_ - begin < most && more() && text_[at_] >= '0' && text_[at_] <= '7') {
      value = value << 3 | static_cast<uint32_t>(text_[at_++] - '0');
    }
    return at_ - begin;
  }

 private:
  const std::string_view text_;
  const bool nothing_more_;
  size_t at_ = 1;  // behind the backslash
};

constexpr bool is_punctuation(char c) {
  return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < '\x7f');
}

// What stands for itself behind a backslash, or for a control character; 0: something else.
constexpr std::array<char, 256> kShort = [] {
  std::array<char, 256> meanings{};
  for (int c = ' '; c < 0x7f; ++c) {
    if (is_punctuation(static_cast<char>(c))) meanings[static_cast<size_t>(c)] = static_cast<char>(c);
  }
  for (size_t i = 0; i < kLetters.size(); ++i) meanings[static_cast<uint8_t>(kLetters[i])] = kMeanings[i];
  return meanings;
}();

// Of backslashes, those that begin an escape: not the ones behind such a one.
uint64_t first_of_two(uint64_t backslashes) {
  if ((backslashes & backslashes << 1) == 0) return backslashes;
  uint64_t first = 0;
  while (backslashes != 0) {
    const uint64_t next = backslashes & (~backslashes + 1);
    first |= next;
    backslashes &= ~(next | next << 1);
  }
  return first;
}

#if GATEHOUSE_AVX2
alignas(64) constexpr std::array<char, 128> kAsciiShort = [] {
  std::array<char, 128> meanings{};
  for (size_t i = 0; i < meanings.size(); ++i) meanings[i] = kShort[i];
  return meanings;
}();

// Of up to 64 bytes, and one more that can be read. How many bytes they are without the escapes' second ones; 0 if one
// of the escapes is not of two bytes.
GATEHOUSE_AVX512_TARGET size_t read_escapes_avx512(const char* text, size_t size, uint64_t escapes, char* decoded) {
  const __mmask64 within = ~uint64_t{0} >> (64 - size);
  const __m512i in = _mm512_maskz_loadu_epi8(within, text);
  const __m512i next = _mm512_maskz_loadu_epi8(within, text + 1);
  const __m512i meaning =
      _mm512_maskz_permutex2var_epi8(~_mm512_movepi8_mask(next), _mm512_load_si512(kAsciiShort.data()), next,
                                     _mm512_load_si512(kAsciiShort.data() + 64));
  if ((escapes & ~_mm512_test_epi8_mask(meaning, meaning)) != 0) return 0;
  const __m512i replaced = _mm512_mask_mov_epi8(in, escapes, meaning);
  const uint64_t kept = within & ~(escapes << 1);
  _mm512_storeu_si512(decoded, _mm512_maskz_compress_epi8(kept, replaced));
  return static_cast<size_t>(_mm_popcnt_u64(kept));
}
#endif

EscapeKind complete(Reader& reader, Escape& escape) {
  escape.used = reader.at();
  return EscapeKind::complete;
}

// Behind \u.
EscapeKind read_unicode(Reader& reader, Escape& escape, bool& cut_off) {
  uint32_t character = 0;
  if (reader.skip('{')) {
    // ECMA-262 section 12.9.4 allows any number of zeros in front; here they must fit.
    const size_t digits = reader.hex(kMaxCodePointDigits, character);
    if (digits == 0 || !reader.skip('}')) {
      cut_off = digits == kMaxCodePointDigits && character < 0x110000;
      return reader.failure();
    }
    escape.add_character(character);
    return complete(reader, escape);
  }
  if (reader.hex(4, character) < 4) return reader.failure();
  const size_t first_end = reader.at();
  uint32_t low = 0;
  if (character >= 0xd800 && character < 0xdc00) {
    if (reader.skip('\\') && reader.skip('u') && reader.hex(4, low) == 4 && low >= 0xdc00 && low < 0xe000) {
      character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
    } else if (reader.cut()) {
      return EscapeKind::cut;
    } else {
      reader.back_to(first_end);
    }
  }
  escape.add_character(character);
  return complete(reader, escape);
}

}  // namespace

bool BackslashDecoder::read_word(std::string_view text, size_t size, uint64_t signs, Word& word) const {
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    word.escapes = first_of_two(signs);
    const bool cut = (word.escapes >> (size - 1) & 1) != 0;  // the last one's second byte is behind them
    word.used = size + (cut ? 1 : 0);
    word.size = read_escapes_avx512(text.data(), size, word.escapes, word.decoded);
    return word.size > 0;
  }
#endif
  static_cast<void>(text), static_cast<void>(size), static_cast<void>(signs), static_cast<void>(word);
  return false;
}

EscapeKind BackslashDecoder::read(std::string_view text, uint64_t /*position*/, bool nothing_more,
                                  Escape& escape) const {
  if (text.size() > 1) {
    // Those of two characters.
    if (const char meaning = kShort[static_cast<uint8_t>(text[1])]; meaning != 0) {
      escape.used = 2;
      escape.add(meaning);
      return EscapeKind::complete;
    }
  }
  Reader reader(text, nothing_more);
  if (!reader.more()) return reader.failure();
  const char kind = text[1];
  uint32_t value = 0;
  if (kind >= '0' && kind <= '7') {
    const size_t digits = reader.octal(kind <= '3' ? 3 : 2, value);
    if (digits < 3 && reader.cut()) return EscapeKind::cut;
    escape.add(static_cast<char>(value));
    return complete(reader, escape);
  }
  reader.skip(kind);
  switch (kind) {
    case 'x':
      if (reader.hex(2, value) < 2) return reader.failure();
      escape.add(static_cast<char>(value));
      return complete(reader, escape);
    case 'u': {
      bool cut_off = false;
      const EscapeKind read = read_unicode(reader, escape, cut_off);
      if (cut_off) refuse_zeros("json");
      return read;
    }
    case 'U':
      if (reader.hex(8, value) < 8) return reader.failure();
      escape.add_character(value);
      return complete(reader, escape);
    case '\r':
      if (!reader.skip('\n') && reader.cut()) return EscapeKind::cut;
      return complete(reader, escape);
    case '\n':
      return complete(reader, escape);
    default:
      return EscapeKind::none;
  }
}

}  // namespace gatehouse::dlp
