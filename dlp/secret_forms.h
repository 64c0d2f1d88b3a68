// A secret's value as the strings that give it away: itself, backwards, as the bytes it encodes, and its parts; and
// which of its bytes are secret at all (a key's PEM armour, its public half, a URL's host and "sk-ant-api03-" are not).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::dlp {

// Of bytes or positions, the end exclusive.
struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;

  uint32_t size() const { return end - begin; }
  bool contains(Span other) const { return begin <= other.begin && other.end <= end; }
};

// How a form stands to the part of the secret's text it was made from.
struct Disguise {
  enum class Encoding {
    none,
    hex,     // the form is what this encoding's text means,
    base64,  // likewise
    as_hex,  // is the text in this encoding,
    as_base64,
    rot13,
  };
  Encoding encoding = Encoding::none;
  bool reversed = false;

  std::string_view words() const;  // "reversed"; empty for none
};

struct SecretForm {
  std::string bytes;
  uint32_t base = 0;  // where in the secret's text its part begins
  Disguise disguise;
  bool caseless = false;    // ASCII letters match in either case
  bool wrapped = false;     // white space within is skipped: a key's lines
  std::vector<Span> whole;  // each of these alone is the secret, not a piece of it

  // The positions of the secret's text that these bytes tell; `length` is that of the form.
  Span positions(Span span, uint32_t length) const;
};

struct ShapedSecret {
  // What is secret, joined: the value itself, or the bodies of its keys, or the strings of its JSON that look secret.
  std::string text;
  std::vector<bool> counts;  // for each byte of text, whether seeing it tells anything
  std::vector<SecretForm> forms;
};

inline constexpr size_t kMinPartBytes = 12;     // of a value: its lines, its JSON strings
inline constexpr size_t kMinPasswordBytes = 8;  // of "user:password", when it has more than letters

// `value` without its final line break, at least one byte.
ShapedSecret shape_secret(std::string_view value);

// At least five different bytes, and three changes between lower case, upper case and digits other than a word's first
// letter: a token rather than words. Holds for a string when it holds for a part of it.
bool looks_random(std::string_view text);

}  // namespace gatehouse::dlp
