// Names of objects, as they stand in git's protocols.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace gatehouse::git {

enum class ObjectFormat { sha1, sha256 };

constexpr size_t hex_length(ObjectFormat format) { return format == ObjectFormat::sha1 ? 40 : 64; }
constexpr size_t raw_length(ObjectFormat format) { return hex_length(format) / 2; }
constexpr std::string_view to_string(ObjectFormat format) { return format == ObjectFormat::sha1 ? "sha1" : "sha256"; }

// Lower-case hex digits, as many as the format has.
inline bool is_object_id(std::string_view text, ObjectFormat format) {
  return text.size() == hex_length(format) &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// No object: a ref that is made, or removed.
inline bool is_null_id(std::string_view id) { return id.find_first_not_of('0') == std::string_view::npos; }

std::string to_hex(std::string_view raw);

}  // namespace gatehouse::git
