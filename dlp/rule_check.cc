#include "dlp/rule_check.h"

#include "dlp/rule_reader.h"

namespace gatehouse::dlp {

namespace {

class Checker {
 public:
  explicit Checker(RuleReaderSource& source) : source_(source) {}

  void check(const Rule& rule) {
    for (size_t i = 0; i < rule.examples.size(); ++i) {
      if (!finds(rule, rule.examples[i])) fail_sample(rule, "example", i, "is not found");
    }
    for (size_t i = 0; i < rule.negative_examples.size(); ++i) {
      if (finds(rule, rule.negative_examples[i])) fail_sample(rule, "negative example", i, "is found");
    }
  }

  RuleCheck take() { return std::move(outcome_); }

 private:
  bool finds(const Rule& rule, const std::string& sample) {
    ++outcome_.samples;
    StreamInfo stream;
    stream.direction = rule.direction == RuleDirection::in ? Direction::in : Direction::out;
    bool found = false;
    const OnMatch on_match = [&](const Match& match) { found = found || match.rule->id == rule.id; };
    for (const auto& reader : source_.open(stream)) {
      reader->write(sample, on_match);
      reader->end(on_match);
    }
    return found;
  }

  void fail_sample(const Rule& rule, std::string_view kind, size_t index, std::string_view what) {
    outcome_.failures.push_back(fmt::format("{}: {}: {} {} {}", rule.source, rule.id, kind, index + 1, what));
  }

  RuleReaderSource& source_;
  RuleCheck outcome_;
};

}  // namespace

Result<RuleCheck> check_rules(const std::vector<Rule>& rules) {
  const auto tables = RuleTables::build(rules, "");
  if (!tables) return failed(tables);
  const auto source = RuleReaderSource::create(*tables);
  if (!source) return failed(source);
  Checker checker(**source);
  for (const auto& rule : rules) checker.check(rule);
  return checker.take();
}

}  // namespace gatehouse::dlp
