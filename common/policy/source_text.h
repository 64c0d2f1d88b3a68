// A policy file's text, and how a complaint about one place in it reads.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::policy {

struct SourceText {
  std::string name;  // as shown in errors: the path
  std::string text;
  bool machine_wide = false;

  // Counted from 1. An offset past the end means the end.
  int line_at(size_t offset) const;

  // "file:line:column: message", the source line, and a caret under the place. Columns count characters. A long line is
  // shown only around the place, control characters as '?'.
  Error error_at(size_t offset, std::string_view message) const;
};

// Where in which file something was written.
struct Place {
  std::shared_ptr<const SourceText> source;
  size_t offset = 0;

  Error error(std::string_view message) const { return source->error_at(offset, message); }
  int line() const { return source->line_at(offset); }
  std::string to_string() const;  // "file:line"
};

// The offset of the first byte that is no part of well-formed UTF-8 (RFC 3629: no overlong form, no surrogate), if any.
std::optional<size_t> find_invalid_utf8(std::string_view text);

// "; did you mean 'x'?" for the word of `valid` nearest to `word` by edit distance, or "" when none is near.
std::string suggest(std::string_view word, const std::vector<std::string_view>& valid);

}  // namespace gatehouse::policy
