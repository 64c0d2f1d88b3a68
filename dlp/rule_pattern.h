// A rule's pattern before it is part of a table: does it mean something to both engines, and how long are its matches.
#pragma once

#include <re2/re2.h>

#include <map>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "dlp/rule.h"

namespace gatehouse::dlp {

// Refused, in words that fit after "the pattern": one that either engine cannot compile, one that can match the empty
// string, one with a NUL byte.
Result<PatternInfo> inspect_pattern(const std::string& pattern);

// As inspect_pattern(), but what was accepted once is not compiled again: two hundred patterns in two engines would
// make most of the time that a start takes.
class PatternInspector {
 public:
  // Knows what an earlier one kept in `cache_directory`; empty: nothing.
  explicit PatternInspector(std::string cache_directory);

  Result<PatternInfo> inspect(const std::string& pattern);
  // A pattern for RE2 alone. The refusal fits after "does not compile: ".
  Result<void> inspect_allowed(const std::string& pattern);

  // Keeps what was accepted, when there is something new in it.
  void store() const;

 private:
  using Known = std::map<std::pair<bool, std::string>, PatternInfo>;  // for RE2 alone or both, pattern
  const std::string cache_directory_;
  Known known_;
  Known accepted_;
  bool has_new_ = false;
};

// How every RE2 here reads its pattern: bytes, case-sensitive, silent, in bounded memory. `program` is what is known of
// the pattern's size, 0 when nothing is.
RE2::Options re2_options(int program = 0);

}  // namespace gatehouse::dlp
