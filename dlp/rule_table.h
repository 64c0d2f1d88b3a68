// The compiled form of a set of rules: immutable, shared by all threads.
//
// Stage 1 is one Hyperscan database of all rules' keywords (and of the patterns that no keyword announces). It runs
// over every byte, and what it says is only "here": of each of its matches a rule knows between which two places a
// match of its own would have to begin. Stage 2, RuleMatcher, looks there.
#pragma once

#include <hs/hs.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dlp/rule.h"
#include "dlp/rule_matcher.h"
#include "dlp/shape_scan.h"

namespace gatehouse::dlp {

class RuleTable {
 public:
  // What a match of an expression, or a shape, that ends at `to` means to one rule: its own match, if there is one,
  // begins in [to - farthest, to - nearest].
  struct Trigger {
    uint32_t rule = 0;  // index
    uint32_t farthest = 0;
    uint32_t nearest = 0;
  };

  // What of a rule is not its text.
  struct Entry {
    size_t reach = 0;     // its longest match, at most kMaxMatchBytes
    size_t farthest = 0;  // the greatest of its triggers
    size_t gap = 0;       // places to begin at that are no farther apart are looked at together
    std::unique_ptr<RuleMatcher> matcher;
  };

  // Compiles the rules, or takes what an earlier call left in `cache_directory` for these very rules, this Hyperscan
  // and this processor. An empty directory means no cache. One that cannot be read or written is a logged warning.
  // Refused by name: a rule whose pattern does not compile or can match the empty string, a keyword longer than any
  // match.
  static Result<std::shared_ptr<const RuleTable>> build(std::vector<Rule> rules, const std::string& cache_directory);

  RuleTable(const RuleTable&) = delete;
  RuleTable& operator=(const RuleTable&) = delete;

  const std::vector<Rule>& rules() const { return rules_; }
  const Entry& entry(size_t rule) const { return entries_[rule]; }
  std::span<const Trigger> triggers(unsigned expression) const { return triggers_[expression]; }
  std::span<const Trigger> triggers(Shape shape) const { return shape_triggers_[static_cast<size_t>(shape)]; }
  bool has_shapes() const { return has_shapes_; }
  size_t max_farthest() const { return max_farthest_; }

  // Null when there are no rules.
  const hs_database_t* streaming() const { return streaming_.get(); }
  const hs_database_t* block() const { return block_.get(); }

 private:
  struct FreeDatabase {
    void operator()(hs_database_t* database) const { hs_free_database(database); }
  };
  struct Expression {
    std::string text;
    unsigned flags = 0;
  };

  RuleTable() = default;
  Result<void> plan();
  Result<void> plan(uint32_t index);
  void add_keywords(uint32_t index);
  void add_trigger(const std::string& expression, unsigned flags, Trigger trigger);
  void note(const Trigger& trigger);
  Result<void> compile(unsigned mode, std::unique_ptr<hs_database_t, FreeDatabase>& database);
  Result<void> compile_or_load(const std::string& cache_directory);
  std::string description() const;

  std::vector<Rule> rules_;
  std::vector<Entry> entries_;  // one a rule
  std::vector<Expression> expressions_;
  std::vector<std::vector<Trigger>> triggers_;  // one list an expression
  std::array<std::vector<Trigger>, kShapes> shape_triggers_;
  bool has_shapes_ = false;
  size_t max_farthest_ = 0;
  std::unique_ptr<hs_database_t, FreeDatabase> streaming_;
  std::unique_ptr<hs_database_t, FreeDatabase> block_;
};

// The rules for each direction, as their files say.
struct RuleTables {
  std::shared_ptr<const RuleTable> out;
  std::shared_ptr<const RuleTable> in;

  static Result<RuleTables> build(const std::vector<Rule>& rules, const std::string& cache_directory);
};

}  // namespace gatehouse::dlp
