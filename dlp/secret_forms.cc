#include "dlp/secret_forms.h"

#include <algorithm>
#include <bitset>
#include <nlohmann/json.hpp>
#include <optional>

#include "dlp/secret_pem.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMinTokenRest = 16;      // what follows a public prefix such as "ghp_"
constexpr size_t kMaxPublicPrefix = 16;   // "sk-ant-api03-" and the like
constexpr size_t kMinEncodedBytes = 16;   // of hex or base64 whose meaning is known too
constexpr size_t kMaxLeaves = 64;         // of a JSON value
constexpr size_t kMaxTurnedBytes = 1024;  // of a text that is looked for in notations that no decoder reads

enum class Class { lower, upper, digit, other };

Class class_of(char c) {
  if (c >= 'a' && c <= 'z') return Class::lower;
  if (c >= 'A' && c <= 'Z') return Class::upper;
  return c >= '0' && c <= '9' ? Class::digit : Class::other;
}

bool is_letter(char c) { return class_of(c) == Class::lower || class_of(c) == Class::upper; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    for (const int digit : {c >> 4 & 15, c & 15}) text += "0123456789abcdef"[digit];
  }
  return text;
}

// Of whole groups of three bytes.
std::string to_base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i + 3 <= bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = i; j < i + 3; ++j) bits = bits << 8 | static_cast<uint8_t>(bytes[j]);
    for (int shift = 18; shift >= 0; shift -= 6) text += kLetters[bits >> shift & 63];
  }
  return text;
}

std::string to_rot13(std::string_view text) {
  std::string turned(text);
  for (char& c : turned) {
    const char first = static_cast<char>(c & 0x20 ? 'a' : 'A');
    if (is_letter(c)) c = static_cast<char>((c - first + 13) % 26 + first);
  }
  return turned;
}

uint32_t length_of(std::string_view text) { return static_cast<uint32_t>(text.size()); }

// "ghp_", "sk-ant-api03-", "AKIA" has none: short words of letters, perhaps ending in digits, each followed by - or _.
size_t public_prefix(std::string_view token) {
  size_t prefix = 0;
  for (size_t at = 0; at < std::min(token.size(), kMaxPublicPrefix);) {
    size_t end = at;
    while (end < token.size() && is_letter(token[end])) ++end;
    if (end == at) break;
    while (end < token.size() && class_of(token[end]) == Class::digit) ++end;
    if (end >= std::min(token.size(), kMaxPublicPrefix) || (token[end] != '-' && token[end] != '_')) break;
    at = prefix = end + 1;
  }
  return token.size() - prefix >= kMinTokenRest ? prefix : 0;
}

// What is taken for a secret among many lines or leaves: a token, and no date.
bool looks_secret(std::string_view word) {
  return word.size() >= kMinPartBytes && looks_random(word) && std::count_if(word.begin(), word.end(), is_letter) >= 4;
}

class Shaper {
 public:
  void value(std::string_view value) {
    if (value.front() == '{' || value.front() == '[') {
      const auto tree = nlohmann::json::parse(value, nullptr, false);
      if (!tree.is_discarded()) leaves(tree);
    }
    if (shaped_.forms.empty()) text(value, true);
  }

  ShapedSecret take() { return std::move(shaped_); }

 private:
  void leaves(const nlohmann::json& node) {
    if (node.is_structured()) {
      for (const auto& item : node) leaves(item);
    } else if (node.is_string() && leaves_ < kMaxLeaves) {
      const auto& leaf = node.get_ref<const std::string&>();
      if (!looks_secret(leaf)) return;
      if (leaf.find_first_of(" @") != leaf.npos && leaf.find("PRIVATE KEY") == leaf.npos) return;  // prose, addresses
      if (leaf.find("://") != leaf.npos && leaf.find('@') == leaf.npos) return;  // an endpoint, not a credential
      ++leaves_;
      text(leaf, false);
    }
  }

  // `last`: nothing else tells what is secret of the value, so if nothing in it stands out, it is all of it.
  void text(std::string_view text, bool last) {
    const auto keys = private_keys(text);
    for (const PemKey& key : keys) add(key.body, key.counts, {}, true);
    if (!keys.empty()) return;
    if (text.find('\n') != text.npos && lines(text)) return;
    if (text.find("://") != text.npos) {
      url(text);
    } else if (last && text.find(':') != text.npos) {
      pair(text);
    } else {
      token(text);
    }
  }

  // Of many lines (.netrc, kubeconfig) the words that look like tokens.
  bool lines(std::string_view text) {
    bool found = false;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = text.find_first_not_of(" \t\r\n\"'=,;", at);
      if (begin == text.npos) break;
      const size_t end = std::min(text.find_first_of(" \t\r\n\"'=,;", begin), text.size());
      const std::string_view word = text.substr(begin, end - begin);
      if (looks_secret(word)) {
        token(word);
        found = true;
      }
      at = end;
    }
    return found;
  }

  // A URL is secret in its password, or else in what follows its host.
  void url(std::string_view text) {
    std::vector<bool> counts(text.size(), false);
    std::vector<Span> parts;
    const size_t authority = text.find("://") + 3;
    const size_t path = std::min(text.find_first_of("/?#", authority), text.size());
    const size_t at = text.substr(0, path).rfind('@');
    const size_t colon = text.find(':', authority);
    if (at != text.npos && at > authority) {
      const size_t password = colon < at ? colon + 1 : authority;
      std::fill(counts.begin() + password, counts.begin() + at, true);
      part(text, password, at, parts);
    } else {
      std::fill(counts.begin() + path, counts.end(), true);
    }
    add(text, counts, parts, false);
  }

  // "user:password": the password alone is the secret, too.
  void pair(std::string_view text) {
    std::vector<bool> counts(text.size(), true);
    std::vector<Span> parts;
    part(text, text.find(':') + 1, text.size(), parts);
    add(text, counts, parts, false);
  }

  void token(std::string_view text) {
    std::vector<bool> counts(text.size(), true);
    size_t prefix = public_prefix(text);
    if (text.starts_with("eyJ") && std::count(text.begin(), text.end(), '.') >= 2) {
      // A JWT's header, and how every other's claims begin.
      prefix = std::min({text.find('.') + 1 + 24, text.rfind('.'), text.size() - 1});
    }
    std::fill(counts.begin(), counts.begin() + prefix, false);
    add(text, counts, {}, false);
  }

  static void part(std::string_view text, size_t begin, size_t end, std::vector<Span>& parts) {
    const std::string_view word = text.substr(begin, end - begin);
    const bool only_letters = std::all_of(word.begin(), word.end(), is_letter);  // "password" is in many texts
    if (word.size() >= (only_letters ? kMinPartBytes : kMinPasswordBytes)) {
      parts.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    }
  }

  void add(std::string_view text, const std::vector<bool>& counts, std::vector<Span> whole, bool wrapped) {
    const uint32_t base = length_of(shaped_.text);
    shaped_.text.append(text);
    shaped_.counts.insert(shaped_.counts.end(), counts.begin(), counts.end());
    whole.push_back({0, length_of(text)});
    const bool hex = std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
    const bool caseless = hex || text.size() >= kMinPartBytes;
    both_ways({std::string(text), base, {}, caseless, wrapped, whole});
    if (text.size() < kMinEncodedBytes) return;
    // Who decodes a token as if it were base64 loses nothing of it either.
    const auto meant = [&](Disguise::Encoding encoding, std::optional<std::string> bytes) {
      if (!bytes || bytes->size() < 8) return;
      const Span all{0, length_of(*bytes)};
      both_ways({std::move(*bytes), base, {encoding, false}, false, false, {all}});
    };
    if (hex) meant(Disguise::Encoding::hex, from_hex(text));
    meant(Disguise::Encoding::base64, from_base64(text));
    if (!wrapped && text.size() <= kMaxTurnedBytes) turned(text, base, caseless);
  }

  // In the notations of a moment's thought that no decoder undoes: rot13, and hex and base64 backwards, the latter at
  // whatever byte of a group it begins.
  void turned(std::string_view text, uint32_t base, bool caseless) {
    const auto written = [&](Disguise::Encoding encoding, std::string bytes, uint32_t from, bool any_case,
                             bool reversed) {
      if (reversed) std::reverse(bytes.begin(), bytes.end());
      const Span all{0, length_of(bytes)};
      shaped_.forms.push_back({std::move(bytes), from, {encoding, reversed}, any_case, false, {all}});
    };
    if (std::any_of(text.begin(), text.end(), is_letter)) {
      written(Disguise::Encoding::rot13, to_rot13(text), base, caseless, false);
    }
    written(Disguise::Encoding::as_hex, to_hex(text), base, true, true);
    for (const uint32_t skipped : {0u, 1u, 2u}) {
      written(Disguise::Encoding::as_base64, to_base64(text.substr(skipped)), base + skipped, false, true);
    }
  }

  void both_ways(SecretForm form) {
    SecretForm reversed = form;
    std::reverse(reversed.bytes.begin(), reversed.bytes.end());
    reversed.disguise.reversed = true;
    const uint32_t length = length_of(form.bytes);
    for (Span& span : reversed.whole) span = {length - span.end, length - span.begin};
    const bool same = reversed.bytes == form.bytes;
    shaped_.forms.push_back(std::move(form));
    if (!same) shaped_.forms.push_back(std::move(reversed));
  }

  ShapedSecret shaped_;
  size_t leaves_ = 0;
};

}  // namespace

std::string_view Disguise::words() const {
  if (encoding == Encoding::none) return reversed ? "reversed" : "";
  if (encoding == Encoding::rot13) return "rot13";
  if (encoding == Encoding::as_hex) return "its hex, reversed";
  if (encoding == Encoding::as_base64) return "its base64, reversed";
  if (encoding == Encoding::hex) return reversed ? "the bytes it is hex of, reversed" : "the bytes it is hex of";
  return reversed ? "the bytes it is base64 of, reversed" : "the bytes it is base64 of";
}

Span SecretForm::positions(Span span, uint32_t length) const {
  if (disguise.reversed) span = {length - span.end, length - span.begin};
  if (disguise.encoding == Disguise::Encoding::hex) span = {span.begin * 2, span.end * 2};
  if (disguise.encoding == Disguise::Encoding::as_hex) span = {(span.begin + 1) / 2, span.end / 2};
  if (disguise.encoding == Disguise::Encoding::as_base64) span = {(span.begin * 3 + 3) / 4, span.end * 3 / 4};
  if (disguise.encoding == Disguise::Encoding::base64) span = {(span.begin * 4 + 2) / 3, span.end * 4 / 3};
  return {base + span.begin, base + span.end};
}

ShapedSecret shape_secret(std::string_view value) {
  Shaper shaper;
  shaper.value(value);
  return shaper.take();
}

bool looks_random(std::string_view text) {
  std::bitset<256> seen;
  size_t changes = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    seen.set(static_cast<unsigned char>(text[i]));
    if (i == 0) continue;
    const Class before = class_of(text[i - 1]), here = class_of(text[i]);
    if (before == here || before == Class::other || here == Class::other) continue;
    const bool begins_word = before == Class::upper && here == Class::lower && (i == 1 || !is_letter(text[i - 2]));
    if (!begins_word) ++changes;
  }
  return changes >= 3 && seen.count() >= 5;
}

}  // namespace gatehouse::dlp
