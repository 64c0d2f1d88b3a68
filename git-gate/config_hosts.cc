#include "git-gate/config_hosts.h"

#include <algorithm>

#include "common/policy/text_glob.h"

namespace gatehouse::git_gate {

namespace {

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\f\v");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\f\v") - first + 1);
}

// "name" and the rest after '=' of a variable's line; a name begins with a letter.
bool is_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// A value without quotes, escapes and comments; what is odd stays in it, and leads nowhere that a policy names.
std::string plain_value(std::string_view value) {
  std::string out;
  bool quoted = false;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '\\' && i + 1 < value.size()) {
      out += value[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '#' || c == ';')) {
      break;
    } else {
      out += c;
    }
  }
  return std::string(trimmed(out));
}

}  // namespace

std::vector<ConfiguredUrl> configured_urls(std::string_view text) {
  std::vector<ConfiguredUrl> urls;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::string joined;  // lines that end with a backslash go on
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '\n') {
      ++i;
    } else {
      joined += text[i];
    }
  }
  std::string section;
  std::string_view rest = joined;
  while (!rest.empty()) {
    const auto raw = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(raw.size() + 1, rest.size()));
    auto line = trimmed(raw);
    if (line.starts_with('[')) {
      const size_t end = line.find(']', line.find('"') == std::string_view::npos ? 0 : line.rfind('"'));
      if (end == std::string_view::npos) return {};
      const auto head = line.substr(1, end - 1);
      section = policy::fold_case(head.substr(0, head.find_first_of(" \t\".")));
      line = trimmed(line.substr(end + 1));
    }
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const size_t equals = line.find('=');
    const auto key = trimmed(line.substr(0, equals));
    if (section.empty() || !is_key(key)) return {};
    if (equals == std::string_view::npos) continue;
    const std::string name = policy::fold_case(key);
    const bool leads = section == "submodule" ? name == "url"
                       : section == "lfs"     ? name == "url" || name == "pushurl"
                                              : section == "remote" && (name == "lfsurl" || name == "lfspushurl");
    if (leads) urls.push_back({section, plain_value(line.substr(equals + 1))});
  }
  return urls;
}

std::string url_host(std::string_view url) {
  if (url.starts_with("./") || url.starts_with("../") || url == "." || url == "..") return {};
  const size_t scheme = url.find("://");
  std::string_view authority;
  if (scheme != std::string_view::npos) {
    const std::string name = policy::fold_case(url.substr(0, scheme));
    constexpr std::string_view kSchemes[] = {"https", "http", "ssh", "git", "git+ssh", "ssh+git"};
    if (std::find(std::begin(kSchemes), std::end(kSchemes), name) == std::end(kSchemes)) return "?";
    authority = url.substr(scheme + 3);
    authority = authority.substr(0, authority.find_first_of("/?#\\"));
  } else {
    const size_t colon = url.find(':');
    if (colon == std::string_view::npos || url.find('/') < colon || url.substr(colon).starts_with("::")) return "?";
    authority = url.substr(0, colon);
  }
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  authority = authority.substr(0, authority.find(':'));
  return authority.empty() ? "?" : policy::fold_case(authority);
}

}  // namespace gatehouse::git_gate
