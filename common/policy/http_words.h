// What HTTP calls things.
#pragma once

#include <algorithm>
#include <string_view>

namespace gatehouse::policy {

// A method or a field's name (RFC 9110 section 5.6.2).
inline bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

}  // namespace gatehouse::policy
