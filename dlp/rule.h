// One rule of the scanner, as its file says. See dlp/rules/README.md for the format in words.
#pragma once

#include <climits>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/verdict.h"
#include "common/dlp/finding.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxMatchBytes = 8192;      // no rule's match is looked for beyond this
inline constexpr size_t kMaxKeywordDistance = 512;  // from where a match begins to where one of its keywords begins

// What is known of a pattern once it was compiled.
struct PatternInfo {
  static constexpr unsigned kUnbounded = UINT_MAX;
  unsigned min_width = 0;  // bytes of the shortest match, at least 1
  unsigned max_width = 0;  // of the longest; kUnbounded
  int groups = 0;
  int program = 0;  // RE2's instructions
};

enum class RuleDirection { out, in, both };

struct Rule {
  std::string id;        // lower case, digits, '-'; unique over all files
  std::string title;     // "GitHub personal access token": goes into the sentence "a ... in the body"
  std::string category;  // "credentials", "private-keys", "personal-data", "entropy", "injection"
  // In the syntax that Hyperscan and RE2 share, bytes, case-sensitive unless (?i). No look-around, no back-references.
  // Cannot match the empty string. The guest is hostile: a pattern that is distinctive by itself has no \b in front,
  // since one letter put there would hide the secret.
  std::string pattern;
  PatternInfo info;  // as parse_rules() found it; min_width is 0 in a rule made by hand
  int group = 0;     // the capture group that is the secret; 0: all of the match
  // Literals, compared without regard to case: every match holds one. Empty: the pattern itself is always looked for,
  // which is dear for patterns that do not begin with a literal.
  std::vector<std::string> keywords;
  // Where no literal announces a match, what else does: every match holds one. "digit-groups", "letters-digits"; see
  // shape_scan.h. Instead of keywords.
  std::string shape;
  double entropy = 0;                            // least Shannon entropy of the secret, bits a byte; 0: any
  FindingAction severity = FindingAction::deny;  // "block", "redact" or "warn" in the file
  FindingAction unconfirmed =
      FindingAction::deny;  // when the validator does not confirm; as severity if the file is silent
  std::string validator;    // see validator.h; empty: none
  RuleDirection direction = RuleDirection::out;
  std::vector<std::string> allow;  // RE2 patterns for the whole secret: documented samples ("AKIAIOSFODNN7EXAMPLE")
  std::vector<std::string> examples;
  std::vector<std::string> negative_examples;
  std::string source;  // "credentials.json:12", for messages
};

// Reads one rule file: {"rules": [...]}, comments allowed. `name` stands in errors, which say name:line:column, the
// rule, and what to do. Refused: unknown keys, a missing id, title, pattern or example, unknown validators and
// severities, a pattern that does not compile (in both engines) or can match the empty string, a group that does not
// exist, a keyword of under 3 bytes, an id given twice.
Result<std::vector<Rule>> parse_rules(const std::string& name, const std::string& text);

// All *.json of `directory` in order of their names; ids are unique over all. Which patterns were found good is
// remembered in `cache_directory`, as RuleTable::build() does with what it compiles; empty: nowhere.
Result<std::vector<Rule>> load_rules(const std::string& directory, const std::string& cache_directory = {});

// Where the shipped rules are: $GATEHOUSE_RULES, or dlp/rules found upwards from the running binary, or
// /usr/share/gatehouse/rules.
Result<std::string> rules_directory();

}  // namespace gatehouse::dlp
