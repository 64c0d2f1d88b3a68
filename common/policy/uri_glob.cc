#include "common/policy/uri_glob.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/policy/request_path.h"

namespace gatehouse::policy {

namespace {

// From where to where the host is, with user and port; nowhere if there is none.
std::pair<size_t, size_t> authority_of(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || !text.substr(colon).starts_with("://")) return {0, 0};
  return {colon + 3, std::min(text.find_first_of("/?#", colon + 3), text.size())};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// One URI that the glob matches.
std::string example_of(std::string_view glob) {
  std::string text;
  if (glob.starts_with("**/")) {
    text = "x:";
    glob.remove_prefix(2);
  }
  for (const char c : glob) {
    if (c != '*' || !text.ends_with('x')) text += c == '*' ? 'x' : c;
  }
  return text;
}

}  // namespace

Result<UriGlob> UriGlob::parse(std::string_view text) {
  const std::string shown = log::printable(text, 100);
  UriGlob glob;
  glob.text_ = text;
  if (!glob.matches_all()) {
    for (const char c : text) {
      if (std::string_view("[]{}").find(c) == std::string_view::npos) continue;
      return fail("URI '{}': '{}' is not supported; only * and ** are special", shown, c);
    }
    if (!text.starts_with("**/") && text.substr(0, text.find(':')).find('*') != std::string_view::npos) {
      return fail("URI '{}' must name its scheme, such as file: or https:, without *, or begin with **/", shown);
    }
    if (text.find("***") != std::string_view::npos) return fail("URI '{}' has more than two * in a row", shown);
    const auto [host, end] = authority_of(text);
    if (text.substr(host, end - host).find("**") != std::string_view::npos) {
      return fail("URI '{}' has ** in its host; there * stands for any characters up to the next slash", shown);
    }
    const std::string folded = fold_case(text);
    if (folded.find("%25") != std::string::npos || folded.find("%2a") != std::string::npos) {
      return fail("URI '{}' has an escape of '%' or '*'; write * for it", shown);
    }
    if (const auto example = ResourceUri::parse(example_of(text)); !example) {
      return fail("URI '{}' {}, and such are always denied", shown, example.error().message());
    }
  }
  glob.tokens_ = tokens_of(text);
  glob.decoded_ = tokens_of(decode_escapes(text));
  return glob;
}

std::vector<UriGlob::Token> UriGlob::tokens_of(std::string_view text) {
  using Kind = Token::Kind;
  std::vector<Token> tokens;
  const auto [host, host_end] = authority_of(text);
  for (size_t at = 0; at < text.size(); ++at) {
    const bool in_host = at >= host && at < host_end;
    if (text.substr(at).starts_with("/**") && (at + 3 == text.size() || text[at + 3] == '/')) {
      tokens.push_back({Kind::tail});
      tokens.push_back({Kind::any});
      at += 2;
    } else if (text.substr(at).starts_with("**")) {
      tokens.push_back({Kind::any});
      ++at;
    } else if (text[at] == '*') {
      const bool begins = at == 0 || text[at - 1] == '/' || text[at - 1] == ':';
      const bool ends = at + 1 == text.size() || text[at + 1] == '/';
      if (begins && ends) tokens.push_back({Kind::one, 0, in_host});
      tokens.push_back({Kind::star, 0, in_host});
    } else {
      tokens.push_back({Kind::literal, text[at], in_host});
    }
  }
  return tokens;
}

bool UriGlob::Token::takes(char text, Case letters) const {
  switch (kind) {
    case Kind::literal:
      return c == text || (letters == Case::ignored && lower(c) == lower(text));
    case Kind::one:
    case Kind::star:
      return text != '/' && text != '?' && text != '#' && !(in_host && text == '@');
    case Kind::any:
      return true;
    case Kind::tail:
      return text == '/';
  }
  return false;
}

// All ways at once: `here` holds the tokens that some way of matching what is behind us has come to.
bool UriGlob::matches(const std::vector<Token>& tokens, std::string_view text, Case letters) {
  using Kind = Token::Kind;
  std::vector<size_t> here;
  std::vector<size_t> next;
  std::vector<size_t> seen_at(tokens.size() + 1, std::string_view::npos);
  const auto arrive = [&](size_t token, size_t position) {
    // What may stand for nothing is also passed by.
    for (;; ++token) {
      if (seen_at[token] == position) return;
      seen_at[token] = position;
      next.push_back(token);
      if (token == tokens.size()) return;
      const Kind kind = tokens[token].kind;
      if (kind == Kind::literal || kind == Kind::one) return;
      if (kind == Kind::tail) ++token;
    }
  };
  arrive(0, 0);
  for (size_t at = 0; at < text.size(); ++at) {
    here.swap(next);
    next.clear();
    for (const size_t token : here) {
      if (token == tokens.size() || !tokens[token].takes(text[at], letters)) continue;
      const Kind kind = tokens[token].kind;
      arrive(kind == Kind::star || kind == Kind::any ? token : token + 1, at + 1);
    }
    if (next.empty()) return false;
  }
  return std::find(next.begin(), next.end(), tokens.size()) != next.end();
}

bool UriGlob::surely_matches(const ResourceUri& uri) const {
  return std::all_of(uri.plain().begin(), uri.plain().end(), [&](const ResourceUri::Reading& reading) {
    return matches(reading.decoded ? decoded_ : tokens_, reading.text, Case::told_apart);
  });
}

bool UriGlob::may_match(const ResourceUri& uri) const {
  const auto some = [&](const ResourceUri::Reading& reading) {
    return matches(tokens_, reading.text, Case::ignored) ||
           (reading.decoded && matches(decoded_, reading.text, Case::ignored));
  };
  return std::any_of(uri.plain().begin(), uri.plain().end(), some) ||
         std::any_of(uri.others().begin(), uri.others().end(), some);
}

}  // namespace gatehouse::policy
