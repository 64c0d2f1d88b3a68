// Stage 2 for one rule: where its pattern matches, and whether what it matched is to be reported.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "dlp/rule.h"
#include "dlp/validator.h"

namespace re2 {
class RE2;
}

namespace gatehouse::dlp {

// Where a match and the secret in it lie in the text that was searched.
struct MatchSpan {
  size_t begin = 0;  // of the match
  size_t secret_begin = 0;
  size_t secret_end = 0;
};

struct Judgement {
  FindingAction severity = FindingAction::deny;
  Confidence confidence = Confidence::medium;
};

// Immutable, and used by all threads. Its patterns are compiled when they are first needed: most of two hundred rules
// never are, and a table is to be loaded in milliseconds.
class RuleMatcher {
 public:
  // The rule outlives it, its pattern was accepted by inspect_pattern(). No match is longer than `reach` bytes.
  RuleMatcher(const Rule& rule, size_t reach);
  ~RuleMatcher();

  // The first match that begins in [from, last] of `text`, is no longer than `reach` and ends by `end`. What lies
  // before `from` and from `end` on is there for \b, ^ and $ alone; text.size() is above `end` unless the input ends
  // with it, and `from` is above 0 unless the input begins with it.
  std::optional<MatchSpan> find(std::string_view text, size_t from, size_t last, size_t end) const;

  // Nothing when the secret is below the entropy floor, on the rule's allow list or a placeholder.
  std::optional<Judgement> judge(std::string_view secret) const;

 private:
  struct Patterns;
  const Patterns& patterns() const;
  std::optional<MatchSpan> match_at(const Patterns& patterns, std::string_view text, size_t begin, size_t end) const;

  const Rule& rule_;
  const size_t reach_;
  const Validator validator_;
  mutable std::once_flag compiled_;
  mutable std::unique_ptr<const Patterns> patterns_;
};

}  // namespace gatehouse::dlp
