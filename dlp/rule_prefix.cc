// The beginnings of all matches are listed by reading the pattern from the left: literals, groups, alternatives, small
// classes and what may be left out multiply the list, anything else ends its entries. What is not understood at all
// gives no list, never a wrong one.
#include "dlp/rule_prefix.h"

#include <algorithm>
#include <bitset>
#include <charconv>
#include <string_view>

namespace gatehouse::dlp {

namespace {

constexpr size_t kMaxPrefixes = 256;
constexpr size_t kMaxPrefixBytes = 40;
constexpr size_t kMaxClass = 10;  // members that are told apart; of a larger class any byte is taken
constexpr char16_t kAnyByte = 256;

char16_t lower(unsigned char c) { return static_cast<char16_t>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

struct Prefix {
  std::u16string text;  // lower-case bytes, kAnyByte
  bool open = true;     // the match goes on with what is read next; otherwise in a way that is not known
};
using Prefixes = std::vector<Prefix>;

struct Repetition {
  int least = 1;
  int most = 1;  // -1: no limit
};

class PrefixReader {
 public:
  explicit PrefixReader(std::string_view pattern) : rest_(pattern) {}

  std::optional<Prefixes> read() {
    Prefixes prefixes = alternatives();
    if (!understood_ || !rest_.empty()) return std::nullopt;
    return prefixes;
  }

 private:
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  char next() {
    if (rest_.empty()) {
      understood_ = false;
      return '\0';
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  Prefixes nothing() { return {{}}; }
  Prefixes byte(char16_t value) { return {{std::u16string(1, value), true}}; }
  Prefixes fail() {
    understood_ = false;
    return {};
  }

  static void append(Prefixes& prefixes, const Prefixes& next);
  Prefixes alternatives();
  Prefixes sequence();
  Prefixes atom();
  Prefixes group();
  Prefixes byte_class();
  Prefixes escape();
  std::optional<unsigned char> escaped_byte(char letter);
  Repetition repetition();

  std::string_view rest_;
  bool understood_ = true;
};

void PrefixReader::append(Prefixes& prefixes, const Prefixes& next) {
  Prefixes longer;
  for (const Prefix& prefix : prefixes) {
    if (!prefix.open) {
      longer.push_back(prefix);
      continue;
    }
    for (const Prefix& more : next) {
      Prefix both{prefix.text + more.text, more.open};
      if (both.text.size() >= kMaxPrefixBytes) both = {both.text.substr(0, kMaxPrefixBytes), false};
      longer.push_back(std::move(both));
    }
    if (longer.size() > kMaxPrefixes) {
      for (Prefix& closed : prefixes) closed.open = false;
      return;
    }
  }
  prefixes = std::move(longer);
}

Prefixes PrefixReader::alternatives() {
  Prefixes all = sequence();
  while (understood_ && take("|")) {
    const Prefixes more = sequence();
    all.insert(all.end(), more.begin(), more.end());
  }
  if (all.size() > kMaxPrefixes) all = {{{}, false}};
  return all;
}

Prefixes PrefixReader::sequence() {
  Prefixes all = nothing();
  while (understood_ && !rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
    const Prefixes one = atom();
    const auto [least, most] = repetition();
    if (!understood_) return {};
    if (least == 0) {
      Prefixes maybe = {{{}, most == 1}};
      if (most == 1) maybe.insert(maybe.end(), one.begin(), one.end());
      append(all, maybe);
      continue;
    }
    for (int i = 0; i < std::min<int>(least, kMaxPrefixBytes); ++i) append(all, one);
    if (most != least) {
      for (Prefix& prefix : all) prefix.open = false;
    }
  }
  return all;
}

Repetition PrefixReader::repetition() {
  Repetition repetition;
  if (take("?")) {
    repetition = {0, 1};
  } else if (take("*")) {
    repetition = {0, -1};
  } else if (take("+")) {
    repetition = {1, -1};
  } else if (rest_.starts_with('{') && rest_.size() > 1 && rest_[1] >= '0' && rest_[1] <= '9') {
    const size_t close = std::min(rest_.find('}'), rest_.size() - 1);
    const std::string_view inside = rest_.substr(1, close - 1);
    const char* const end = inside.data() + inside.size();
    auto [at, error] = std::from_chars(inside.data(), end, repetition.least);
    repetition.most = repetition.least;
    if (error == std::errc() && at != end && *at == ',') {
      repetition.most = -1;
      if (++at != end) at = std::from_chars(at, end, repetition.most).ptr;
    }
    understood_ = understood_ && error == std::errc() && at == end;
    rest_.remove_prefix(close + 1);
  } else {
    return repetition;
  }
  take("?");
  if (!rest_.empty() && std::string_view("?*+{").find(rest_.front()) != std::string_view::npos) understood_ = false;
  return repetition;
}

Prefixes PrefixReader::atom() {
  switch (const char c = next(); c) {
    case '(':
      return group();
    case '[':
      return byte_class();
    case '\\':
      return escape();
    case '.':
      return byte(kAnyByte);
    case '^':
    case '$':
      return nothing();
    default:
      return byte(lower(static_cast<unsigned char>(c)));
  }
}

Prefixes PrefixReader::group() {
  if (take("?P<")) {
    while (understood_ && next() != '>') continue;
  } else if (take("?")) {
    // Flags: they bear on case, on ^ and $, on the dot and on which match is preferred, and on no beginning.
    for (char c = next(); c != ':'; c = next()) {
      if (c == ')') return nothing();
      if (!understood_ || std::string_view("imsU-").find(c) == std::string_view::npos) return fail();
    }
  }
  Prefixes inside = alternatives();
  return take(")") ? inside : fail();
}

// The byte that \x41, \n or \. stands for.
std::optional<unsigned char> PrefixReader::escaped_byte(char letter) {
  constexpr std::string_view kLetters = "afnrtv";
  constexpr std::string_view kBytes = "\a\f\n\r\t\v";
  if (const size_t at = kLetters.find(letter); at != std::string_view::npos) {
    return static_cast<unsigned char>(kBytes[at]);
  }
  if (letter == 'x') {
    unsigned value = 0;
    const std::string_view digits = rest_.substr(0, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc() || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    rest_.remove_prefix(2);
    return static_cast<unsigned char>(value);
  }
  const bool is_word = (letter >= '0' && letter <= '9') || (lower(static_cast<unsigned char>(letter)) >= 'a' &&
                                                            lower(static_cast<unsigned char>(letter)) <= 'z');
  if (is_word || letter == '\0') return std::nullopt;
  return static_cast<unsigned char>(letter);
}

Prefixes PrefixReader::escape() {
  const char letter = next();
  if (std::string_view("bBAz").find(letter) != std::string_view::npos) return nothing();
  if (std::string_view("dDwWsSC").find(letter) != std::string_view::npos) return byte(kAnyByte);
  const auto value = escaped_byte(letter);
  return value ? byte(lower(*value)) : fail();
}

Prefixes PrefixReader::byte_class() {
  const bool is_negated = take("^");
  bool is_large = is_negated;
  std::bitset<256> members;
  for (bool is_first = true; understood_ && (is_first || !rest_.starts_with(']')); is_first = false) {
    if (rest_.starts_with("[:")) {
      const size_t close = rest_.find(":]");
      if (close == std::string_view::npos) return fail();
      rest_.remove_prefix(close + 2);
      is_large = true;
      continue;
    }
    const auto member = [this, &is_large]() -> unsigned {
      const char c = next();
      if (c != '\\') return static_cast<unsigned char>(c);
      const char letter = next();
      if (std::string_view("dDwWsS").find(letter) != std::string_view::npos) {
        is_large = true;
        return 0;
      }
      const auto value = escaped_byte(letter);
      understood_ = understood_ && value.has_value();
      return value.value_or(0);
    };
    const unsigned first = member();
    unsigned last = first;
    if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
      next();
      last = member();
    }
    for (unsigned value = first; value <= last; ++value) members.set(lower(static_cast<unsigned char>(value)));
  }
  next();  // ']'
  if (is_large || members.count() > kMaxClass) return byte(kAnyByte);
  Prefixes all;
  for (char16_t value = 0; value < kAnyByte; ++value) {
    if (members.test(value)) all.push_back({std::u16string(1, value), true});
  }
  return all.empty() ? fail() : all;
}

}  // namespace

std::optional<std::vector<KeywordPlace>> keyword_places(const std::string& pattern,
                                                        const std::vector<std::string>& keywords) {
  const auto prefixes = PrefixReader(pattern).read();
  if (!prefixes) return std::nullopt;
  std::vector<KeywordPlace> places;
  for (const Prefix& prefix : *prefixes) {
    std::optional<KeywordPlace> place;  // of the longest keyword that stands there
    for (size_t index = 0; index < keywords.size(); ++index) {
      std::u16string folded;
      for (const char c : keywords[index]) folded += lower(static_cast<unsigned char>(c));
      const size_t offset = prefix.text.find(folded);
      if (folded.empty() || offset == std::u16string::npos) continue;
      if (!place || folded.size() > keywords[place->keyword].size()) place = KeywordPlace{index, offset};
    }
    if (!place) return std::nullopt;
    if (std::find(places.begin(), places.end(), *place) == places.end()) places.push_back(*place);
  }
  return places;
}

std::array<bool, 256> first_bytes(const std::string& pattern) {
  std::array<bool, 256> any;
  any.fill(true);
  const auto prefixes = PrefixReader(pattern).read();
  if (!prefixes) return any;
  std::array<bool, 256> bytes{};
  for (const Prefix& prefix : *prefixes) {
    // Of letters beyond ASCII, cases are not known here.
    if (prefix.text.empty() || prefix.text[0] >= 0x80) return any;
    const char16_t first = prefix.text[0];
    bytes[first] = true;
    if (first >= 'a' && first <= 'z') bytes[static_cast<size_t>(first - 'a' + 'A')] = true;
  }
  return bytes;
}

}  // namespace gatehouse::dlp
