// Which paths a rule speaks of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

// An absolute path in which '*' stands for any characters of one segment (never for an empty segment) and '**', a whole
// segment, for any number of segments, also none: "/repos/*/issues", "/v2/**" (also "/v2"). All else is literal.
class PathGlob {
 public:
  // Refuses what does not begin with '/', '**' inside a segment, dot segments, empty segments but the last, a query or
  // fragment, bad percent escapes, '\', '[', ']', '{', '}', and anything but printable ASCII.
  static Result<PathGlob> parse(std::string_view text);

  // Takes time proportional to the path times the glob at worst; allocates nothing.
  bool matches(std::string_view path, Case letters) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string prefix_;                 // up to the first wildcard: the quick test
  std::vector<std::string> segments_;  // between the slashes
};

}  // namespace gatehouse::policy
