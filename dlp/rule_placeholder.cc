#include "dlp/rule_placeholder.h"

#include <algorithm>
#include <array>

namespace gatehouse::dlp {

namespace {

constexpr size_t kMaxPlaceholderBytes = 64;  // of words and names; fillers have no limit
constexpr size_t kMinFillers = 3;

// Words that make a placeholder of the text they stand in, and those that may stand with them.
constexpr std::string_view kTelling[] = {"your", "example", "sample",  "dummy",  "fake", "placeholder", "redacted",
                                         "here", "insert",  "replace", "change", "todo", "enter",       "masked"};
constexpr std::string_view kFillerWords[] = {"a",    "an",     "the",   "my",       "me",     "with", "goes",  "api",
                                             "id",   "access", "key",   "token",    "secret", "pass", "word",  "user",
                                             "name", "app",    "value", "personal", "this",   "auth", "client"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_separator(char c) { return c == '-' || c == '_' || c == ' ' || c == '.'; }

bool starts_with_caseless(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) { return lower(a) == lower(b); });
}

bool is_filler(std::string_view body) {
  size_t fillers = 0;
  for (const char c : body) {
    if (c == 'x' || c == 'X' || c == '*') {
      ++fillers;
    } else if (!is_separator(c)) {
      return false;
    }
  }
  return fillers >= kMinFillers;
}

// Whether the letters of `body`, lower case and without separators, are words of the two lists, one of them telling.
bool is_words(std::string_view body) {
  // reached[i] bit 0: the first i letters are words; bit 1: and one of them is telling.
  std::array<unsigned char, kMaxPlaceholderBytes + 1> reached{};
  reached[0] = 1;
  const auto step = [&](size_t at, std::string_view word, unsigned char telling) {
    if (body.substr(at).starts_with(word)) reached[at + word.size()] |= reached[at] | telling;
  };
  for (size_t at = 0; at < body.size(); ++at) {
    if (reached[at] == 0) continue;
    for (const auto word : kTelling) step(at, word, 2);
    for (const auto word : kFillerWords) step(at, word, 0);
  }
  return (reached[body.size()] & 2) != 0;
}

bool is_said_in_words(std::string_view body) {
  if (body.size() > kMaxPlaceholderBytes) return false;
  std::string letters;
  for (const char c : body) {
    if (is_separator(c)) continue;
    if (!is_letter(c)) return false;
    letters += lower(c);
  }
  const bool has_separator = letters.size() < body.size();
  if (has_separator && letters.starts_with("your") && letters.ends_with("here")) return true;
  return is_words(letters);
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxPlaceholderBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_separator(c); });
}

bool is_slot(std::string_view body) {
  constexpr std::pair<std::string_view, std::string_view> kBrackets[] = {{"${{", "}}"}, {"{{", "}}"}, {"${", "}"},
                                                                         {"<", ">"},    {"%", "%"},   {"$(", ")"}};
  for (const auto& [open, close] : kBrackets) {
    if (body.size() > open.size() + close.size() && body.starts_with(open) && body.ends_with(close)) {
      return is_name(body.substr(open.size(), body.size() - open.size() - close.size()));
    }
  }
  return false;
}

}  // namespace

bool is_placeholder(std::string_view secret, const std::vector<std::string>& keywords) {
  const auto is_one = [](std::string_view body) { return is_filler(body) || is_said_in_words(body) || is_slot(body); };
  if (is_one(secret)) return true;
  return std::any_of(keywords.begin(), keywords.end(), [&](const std::string& keyword) {
    return starts_with_caseless(secret, keyword) && is_one(secret.substr(keyword.size()));
  });
}

}  // namespace gatehouse::dlp
