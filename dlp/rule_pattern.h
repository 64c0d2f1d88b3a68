// A rule's pattern before it is part of a table: does it mean something to both engines, and how long are its matches.
#pragma once

#include <re2/re2.h>

#include <climits>
#include <string>

#include "common/base/result.h"

namespace gatehouse::dlp {

struct PatternInfo {
  static constexpr unsigned kUnbounded = UINT_MAX;
  unsigned min_width = 0;  // bytes of the shortest match, at least 1
  unsigned max_width = 0;  // of the longest; kUnbounded
  int groups = 0;
};

// Refused, in words that fit after "the pattern": one that either engine cannot compile, one that can match the empty
// string, one with a NUL byte.
Result<PatternInfo> inspect_pattern(const std::string& pattern);

// How every RE2 here reads its pattern: bytes, case-sensitive, silent, in bounded memory.
RE2::Options re2_options();

}  // namespace gatehouse::dlp
