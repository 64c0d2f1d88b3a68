#include "common/policy/resource_uri.h"

#include <algorithm>

#include "common/policy/request_path.h"
#include "common/policy/source_text.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// RFC 3986 section 3.1.
bool is_scheme(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// ".." wherever some reader might begin and end a name of a path, "." where all do.
bool has_dot_segment(std::string_view text) {
  constexpr std::string_view kBefore = "/:=?&#;,";
  constexpr std::string_view kBehind = "/?&#;,";
  for (size_t at = text.find('.'); at != std::string_view::npos; at = text.find('.', at + 1)) {
    const bool twice = text.substr(at).starts_with("..");
    const size_t end = at + (twice ? 2 : 1);
    const bool ends = end == text.size() || kBehind.find(text[end]) != std::string_view::npos;
    const bool begins =
        at > 0 && (twice ? kBefore : std::string_view("/")).find(text[at - 1]) != std::string_view::npos;
    if (begins && ends) return true;
    if (twice) ++at;
  }
  return false;
}

Result<void> check_reading(std::string_view text) {
  for (const char c : text) {
    if (c == '\\') return fail("has a backslash");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return fail("has a control character");
  }
  if (has_dot_segment(text)) return fail("has a dot segment");
  if (fold_case(text).find("%2f") != std::string::npos) return fail("has an encoded slash");
  return {};
}

// scheme ":" [ "//" authority ] path [ "?" query ] [ "#" fragment ]
struct Parts {
  std::string scheme;  // folded
  bool has_authority = false;
  std::string_view authority, path, tail;  // the tail from '?' or '#' on

  explicit Parts(std::string_view text) {
    const size_t colon = text.find(':');
    scheme = fold_case(text.substr(0, colon));
    text.remove_prefix(colon + 1);
    if (text.starts_with("//")) {
      has_authority = true;
      authority = text.substr(2, text.find_first_of("/?#", 2) - 2);
      text.remove_prefix(2 + authority.size());
    }
    path = text.substr(0, text.find_first_of("?#"));
    tail = text.substr(path.size());
  }

  // Without user and port.
  std::string_view host() const {
    std::string_view rest = authority.substr(authority.rfind('@') + 1);
    const size_t port = rest.rfind(':');
    const bool digits = port != std::string_view::npos && !rest.ends_with(']') &&
                        rest.find_first_not_of("0123456789", port + 1) == std::string_view::npos;
    if (digits) rest = rest.substr(0, port);
    if (rest.ends_with('.')) rest.remove_suffix(1);
    return rest;
  }
};

// Of schemes whose readers agree on what a host is, and find one behind any number of slashes.
Result<void> check_host(const Parts& parts) {
  const bool web = one_of(parts.scheme, {"http", "https", "ws", "wss", "ftp"});
  if (!web && parts.scheme != "file") return {};
  if (web && parts.host().empty()) return fail("names no host behind {}://", parts.scheme);
  if (parts.authority.find('%') != std::string_view::npos) return fail("has an escape in its host");
  return {};
}

}  // namespace

void ResourceUri::add_other(std::string text, bool decoded) {
  const auto same = [&](const Reading& reading) { return reading.text == text; };
  if (std::any_of(plain_.begin(), plain_.end(), same) || std::any_of(others_.begin(), others_.end(), same)) return;
  others_.push_back({std::move(text), decoded});
}

Result<ResourceUri> ResourceUri::parse(std::string_view text) {
  if (text.size() > kMaxUriBytes) return fail("is longer than {} bytes", kMaxUriBytes);
  for (const char c : text) {
    if (c == ' ') return fail("has a space");
    if (static_cast<unsigned char>(c) >= 0x80) return fail("has a byte that must be escaped");
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) {
    return fail("has no scheme, such as file: or https:");
  }

  ResourceUri uri;
  std::string reading(text);
  for (int level = 0;; ++level) {
    if (auto ok = check_reading(reading); !ok) return failed(ok);
    if (level > 0 && find_invalid_utf8(reading)) return fail("has escapes that are not UTF-8");
    uri.plain_.push_back({reading, level > 0});
    if (reading.find('%') == std::string::npos) break;
    if (level == kMaxEscapeLevels) return fail("is escaped more than {} times over", kMaxEscapeLevels);
    if (!has_valid_escapes(reading)) return fail("has a '%' that is not followed by two hex digits");
    reading = decode_escapes(reading);
  }

  const Parts parts(text);
  if (auto ok = check_host(parts); !ok) return failed(ok);
  for (const auto& [plain, decoded] : uri.plain_) {
    uri.add_other(plain.substr(0, plain.find('#')), decoded);
    uri.add_other(plain.substr(0, plain.find_first_of("?#")), decoded);
  }
  if (!parts.path.starts_with('/') && parts.scheme != "file") return uri;
  // file:/x, file:x, file://localhost/x and file:////x are file:///x.
  std::string path(parts.path);
  if (parts.scheme == "file") path = "/" + path.substr(std::min(path.find_first_not_of('/'), path.size()));
  const std::string_view host = parts.scheme == "file" ? std::string_view() : parts.host();
  const std::string front = fmt::format("{}:{}{}", parts.scheme, parts.has_authority ? "//" : "", host);
  const std::string file = "file://";
  const auto readings = RequestPath::parse(path);
  if (!readings) return failed(readings);
  readings->for_each_reading([&](std::string_view one) {
    const std::string whole = fmt::format("{}{}", parts.scheme == "file" ? file : front, one);
    uri.add_other(whole, true);
    uri.add_other(whole + std::string(parts.tail), true);
  });
  return uri;
}

}  // namespace gatehouse::policy
