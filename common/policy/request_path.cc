#include "common/policy/request_path.h"

#include <algorithm>

#include "common/policy/source_text.h"

namespace gatehouse::policy {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string collapse_slashes(std::string_view path) {
  std::string collapsed;
  std::unique_copy(path.begin(), path.end(), std::back_inserter(collapsed),
                   [](char a, char b) { return a == '/' && b == '/'; });
  return collapsed;
}

// Without what follows ';' in each segment (as servlet containers do), and without what a decoded '?' or '#' begins.
std::string strip_parameters(std::string_view path) {
  std::string stripped;
  bool in_parameters = false;
  for (const char c : path.substr(0, path.find_first_of("?#"))) {
    if (c == '/') in_parameters = false;
    if (c == ';') in_parameters = true;
    if (!in_parameters) stripped += c;
  }
  return stripped;
}

bool has_dot_segment(std::string_view path) {
  for (size_t at = path.find("/."); at != std::string_view::npos; at = path.find("/.", at + 1)) {
    size_t end = at + 2;
    if (end < path.size() && path[end] == '.') ++end;
    if (end == path.size() || std::string_view("/;?#").find(path[end]) != std::string_view::npos) return true;
  }
  return false;
}

Result<void> check_reading(std::string_view path) {
  for (const char c : path) {
    if (c == '\\') return fail("has a backslash");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return fail("has a control character");
  }
  if (has_dot_segment(path)) return fail("has a dot segment");
  return {};
}

}  // namespace

bool has_valid_escapes(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (at + 2 >= text.size() || hex_value(text[at + 1]) < 0 || hex_value(text[at + 2]) < 0) return false;
  }
  return true;
}

std::string decode_escapes(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (escape) {
      decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

Result<RequestPath> RequestPath::parse(std::string_view target) {
  RequestPath path;
  path.raw_ = target.substr(0, target.find('?'));
  if (!path.raw_.starts_with('/')) return fail("does not begin with '/'");
  if (path.raw_.size() > kMaxPathBytes) return fail("is longer than {} bytes", kMaxPathBytes);
  if (auto ok = check_reading(path.raw_); !ok) return failed(ok);
  bool plain = true;
  for (const char c : path.raw_) {
    if (c == ' ' || c == '#' || static_cast<unsigned char>(c) >= 0x80) return fail("has a byte that must be escaped");
    if (c == '%' || c == ';') plain = false;
  }
  if (plain && path.raw_.find("//") == std::string_view::npos) return path;

  const auto add = [&path](std::string reading) {
    if (reading.empty()) reading.push_back('/');
    if (reading != path.raw_ && std::find(path.others_.begin(), path.others_.end(), reading) == path.others_.end()) {
      path.others_.push_back(std::move(reading));
    }
  };
  std::string decoded(path.raw_);
  for (int level = 0;; ++level) {
    const std::string stripped = strip_parameters(decoded);
    add(decoded);
    add(collapse_slashes(decoded));
    add(stripped);
    add(collapse_slashes(stripped));
    if (decoded.find('%') == std::string::npos) return path;
    if (level == kMaxEscapeLevels) return fail("is escaped more than {} times over", kMaxEscapeLevels);
    if (!has_valid_escapes(decoded)) return fail("has a '%' that is not followed by two hex digits");
    decoded = decode_escapes(decoded);
    if (auto ok = check_reading(decoded); !ok) return failed(ok);
    if (find_invalid_utf8(decoded)) return fail("has escapes that are not UTF-8");
  }
}

}  // namespace gatehouse::policy
