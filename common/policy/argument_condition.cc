#include "common/policy/argument_condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/policy/host_pattern.h"

namespace gatehouse::policy {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kEach = "*";
constexpr std::string_view kHttp = "http";
constexpr std::string_view kHttps = "https";

Met stricter_of(Met a, Met b) { return std::min(a, b); }
Met yes_if(bool holds) { return holds ? Met::yes : Met::no; }

// What a pointer leads to.
struct Found {
  std::vector<const Json*> values;
  bool missing = false;    // at least one way ends before the pointer does
  bool uncertain = false;  // a server may see something there that we do not, or see it otherwise
};

void follow(const std::vector<std::string>& tokens, size_t at, const Json& value, Found& found) {
  if (at == tokens.size()) return found.values.push_back(&value);
  const std::string& token = tokens[at];
  if (value.is_array()) {
    if (token == kEach) {
      for (const auto& item : value) follow(tokens, at + 1, item, found);
      return;
    }
    size_t index = 0;
    const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    const bool plain = error == std::errc() && stop == token.data() + token.size() && (token == "0" || token[0] != '0');
    if (plain && index < value.size()) return follow(tokens, at + 1, value[index], found);
    found.missing = true;
  } else if (value.is_object()) {
    if (token == kEach) {
      for (const auto& [key, member] : value.items()) follow(tokens, at + 1, member, found);
      return;
    }
    const Json* exact = nullptr;
    for (const auto& [key, member] : value.items()) {
      if (key == token) {
        exact = &member;
      } else if (fold_case(key) == fold_case(token)) {
        found.uncertain = true;
      }
    }
    if (exact != nullptr) return follow(tokens, at + 1, *exact, found);
    found.missing = true;
  } else {
    found.missing = true;
    found.uncertain |= value.is_string();  // which may be JSON itself to a lenient server
  }
}

// Of the condition of no token: nothing but what `conditions` name.
Met others_met(const std::vector<ArgumentCondition>& conditions, const ArgumentCondition& own, const Json& arguments) {
  for (const auto& argument : arguments.items()) {
    const std::string& key = argument.key();
    const bool named = std::any_of(conditions.begin(), conditions.end(), [&](const ArgumentCondition& condition) {
      return !condition.at.tokens.empty() &&
             (condition.at.tokens.front() == key || condition.at.tokens.front() == kEach);
    });
    if (!named) return yes_if(own.wants == ArgumentCondition::Wants::present);
  }
  return yes_if(own.wants == ArgumentCondition::Wants::absent);
}

Met one_met(const ArgumentCondition& condition, const Json& arguments, Quantity quantity,
            const UrlAllowed& url_allowed) {
  Found found;
  follow(condition.at.tokens, 0, arguments, found);
  if (condition.wants == ArgumentCondition::Wants::absent) {
    if (!found.values.empty()) return Met::no;
    return found.uncertain ? Met::unsure : Met::yes;
  }
  Met met;
  if (quantity == Quantity::all) {
    met = yes_if(!found.missing);
    for (const Json* value : found.values) {
      if (condition.wants == ArgumentCondition::Wants::value)
        met = stricter_of(met, value_met(condition.value, *value, url_allowed));
    }
  } else {
    met = Met::no;
    for (const Json* value : found.values) {
      met = std::max(met, condition.wants == ArgumentCondition::Wants::value
                              ? value_met(condition.value, *value, url_allowed)
                              : Met::yes);
    }
  }
  // The letters of a key decide what a strict server reads and not what every server does.
  if (found.uncertain && (met == Met::yes || quantity == Quantity::any)) return Met::unsure;
  return met;
}

bool is_plain_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

}  // namespace

Result<ArgumentPointer> ArgumentPointer::parse(std::string_view text) {
  const std::string shown = log::printable(text, 100);
  if (!text.starts_with('/')) return fail("'{}' is no JSON pointer; write \"/name\", or \"*\" for all others", shown);
  ArgumentPointer pointer;
  pointer.text = text;
  for (size_t at = 1; at <= text.size();) {
    const size_t slash = std::min(text.find('/', at), text.size());
    std::string token;
    for (size_t i = at; i < slash; ++i) {
      if (text[i] != '~') {
        token += text[i];
        continue;
      }
      if (i + 1 >= slash || (text[i + 1] != '0' && text[i + 1] != '1')) {
        return fail("'{}' has a '~' that is followed by neither 0 nor 1", shown);
      }
      token += text[++i] == '0' ? '~' : '/';
    }
    pointer.tokens.push_back(std::move(token));
    at = slash + 1;
  }
  if (pointer.tokens.size() > kMaxTokens) return fail("'{}' is deeper than {} levels", shown, kMaxTokens);
  return pointer;
}

bool ArgumentPointer::names_many() const { return std::find(tokens.begin(), tokens.end(), kEach) != tokens.end(); }

std::string ArgumentCondition::to_string() const {
  if (at.tokens.empty()) return wants == Wants::absent ? "no other argument" : "some other argument";
  if (wants == Wants::absent) return "no " + at.text;
  if (wants == Wants::present) return "any " + at.text;
  return fmt::format("{} {}", at.text, value.to_string());
}

Met meets(const std::vector<ArgumentCondition>& conditions, const Json& arguments, Quantity quantity,
          const UrlAllowed& url_allowed, const ArgumentCondition*& missed) {
  Met met = Met::yes;
  for (const auto& condition : conditions) {
    const Met one = condition.at.tokens.empty() ? others_met(conditions, condition, arguments)
                                                : one_met(condition, arguments, quantity, url_allowed);
    if (one == Met::yes) continue;
    if (one < met) {
      met = one;
      missed = &condition;
    }
    if (met == Met::no) break;
  }
  return met;
}

Result<PlainUrl> parse_plain_url(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= 0x20 || c >= 0x7f || c == '\\'; })) {
    return fail("a character that readers of URLs treat differently");
  }
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return fail("no scheme");
  PlainUrl url;
  url.scheme = fold_case(text.substr(0, colon));
  if (url.scheme != kHttp && url.scheme != kHttps) return fail("neither http nor https");
  url.port = url.scheme == kHttps ? 443 : 80;
  text.remove_prefix(colon + 3);
  std::string_view authority = text.substr(0, text.find_first_of("/?#"));
  text.remove_prefix(authority.size());
  if (const size_t port = authority.find(':'); port != std::string_view::npos) {
    const char* end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(authority.data() + port + 1, end, url.port);
    if (error != std::errc() || stop != end || url.port == 0) return fail("no sound port");
    authority = authority.substr(0, port);
  }
  if (!std::all_of(authority.begin(), authority.end(), is_plain_host_byte)) return fail("no plain host");
  url.host = fold_case(authority);
  if (!is_host_name(url.host)) return fail("no plain host");
  url.path = text.substr(0, text.find('#'));
  if (!url.path.starts_with('/')) url.path.insert(0, "/");
  return url;
}

}  // namespace gatehouse::policy
