#include "dlp/decode/escapes.h"

#include <array>

#include "dlp/decode/hex.h"

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

EscapeKind complete(Reader& reader, Escape& escape) {
  escape.used = reader.at();
  return EscapeKind::complete;
}

// Behind \u.
EscapeKind read_unicode(Reader& reader, Escape& escape) {
  uint32_t character = 0;
  if (reader.skip('{')) {
    // ECMA-262 section 12.9.4 allows any number of zeros in front; here they must fit.
    if (reader.hex(kMaxCodePointDigits, character) == 0 || !reader.skip('}')) return reader.failure();
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
    case 'u':
      return read_unicode(reader, escape);
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
