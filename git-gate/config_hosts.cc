#include "git-gate/config_hosts.h"

#include <algorithm>
#include <optional>

#include "common/policy/text_glob.h"

namespace gatehouse::git_gate {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_key(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// git-config's syntax, read as git reads it.
class ConfigReader {
 public:
  explicit ConfigReader(std::string_view text) : rest_(text) {
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  struct Variable {
    std::string section;  // without its subsection; lower case, as the key
    std::string key;
    std::string value;
  };
  // The next one that has a value; nothing at the end, and where git would stop.
  std::optional<Variable> next() {
    while (!rest_.empty()) {
      const char c = take();
      if (is_space(c)) continue;
      if (c == '#' || c == ';') {
        skip_line();
      } else if (c == '[') {
        if (!read_section()) return std::nullopt;
      } else if (is_letter(c)) {
        std::string key(1, c);
        while (!rest_.empty() && is_key(rest_.front())) key += take();
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) take();
        if (at_line_end()) continue;
        if (take() != '=') return std::nullopt;
        auto value = read_value();
        if (!value) return std::nullopt;
        return Variable{section_, policy::fold_case(key), std::move(*value)};
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  bool at_end() const { return rest_.empty(); }

 private:
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  bool at_line_end() const { return rest_.empty() || rest_.front() == '\n' || rest_.starts_with("\r\n"); }
  void skip_line() { rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size())); }

  bool read_section() {
    std::string name;
    while (!rest_.empty()) {
      const char c = take();
      if (c == ']' || is_space(c)) {
        section_ = policy::fold_case(std::string_view(name).substr(0, name.find('.')));
        return c == ']' || read_subsection();
      }
      if (!is_key(c) && c != '.') return false;
      name += c;
    }
    return false;
  }

  bool read_subsection() {
    while (!rest_.empty() && rest_.front() != '\n' && is_space(rest_.front())) take();
    if (rest_.empty() || take() != '"') return false;
    while (!rest_.empty()) {
      const char c = take();
      if (c == '\n') return false;
      if (c == '"') return !rest_.empty() && take() == ']';
      if (c == '\\' && (rest_.empty() || take() == '\n')) return false;
    }
    return false;
  }

  std::optional<std::string> read_value() {
    std::string value;
    size_t kept = 0;  // without spaces at its end
    bool quoted = false;
    while (!at_line_end()) {
      char c = take();
      if (!quoted && (c == '#' || c == ';')) {
        skip_line();
        break;
      }
      if (!quoted && is_space(c)) {
        if (!value.empty()) value += c;
        continue;
      }
      if (c == '"') {
        quoted = !quoted;
      } else {
        if (c == '\\') {
          if (rest_.starts_with("\r\n")) take();
          if (rest_.empty()) return std::nullopt;
          c = take();
          if (c == '\n') continue;
          if (std::string_view("tbn\\\"").find(c) == std::string_view::npos) return std::nullopt;
        }
        value += c;
      }
      kept = value.size();
    }
    if (quoted) return std::nullopt;
    value.resize(kept);
    return value.substr(0, value.find('\0'));
  }

  std::string_view rest_;
  std::string section_;
};

// How often a URL relative to the remote's own goes up at its beginning; nothing for one that is not relative.
std::optional<size_t> steps_up(std::string_view url) {
  if (url != "." && url != ".." && !url.starts_with("./") && !url.starts_with("../")) return std::nullopt;
  size_t steps = 0;
  while (!url.empty()) {
    const auto part = url.substr(0, url.find('/'));
    if (part == "..") {
      ++steps;
    } else if (part != ".") {
      break;
    }
    url.remove_prefix(std::min(part.size() + 1, url.size()));
  }
  return steps;
}

}  // namespace

Configuration read_configuration(std::string_view text) {
  Configuration read;
  ConfigReader reader(text);
  while (const auto variable = reader.next()) {
    const auto& [section, key, value] = *variable;
    const bool leads = section == "submodule" ? key == "url"
                       : section == "lfs"     ? key == "url" || key == "pushurl"
                                              : section == "remote" && (key == "lfsurl" || key == "lfspushurl");
    if (leads) read.urls.push_back({section, value});
  }
  read.whole = reader.at_end();
  return read;
}

std::string url_host(std::string_view url, size_t depth) {
  if (const auto steps = steps_up(url)) return *steps > depth ? "?" : "";
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
