// Whether a policy's own tests hold.
#include <fmt/format.h>

#include <algorithm>

#include "common/policy/compiled.h"
#include "common/policy/finding_words.h"

namespace gatehouse::policy {

namespace {

struct Answer {
  std::string verdict;  // as in TestOutcome
  std::string reason;
  bool expected = false;
};

std::string with_cause(std::string_view verdict, const std::string& cause) {
  return cause.empty() ? std::string(verdict) : fmt::format("{} by {}", verdict, cause);
}

Answer answer(const Decision& decision, const TestEntry& test) {
  return {with_cause(to_string(decision.verdict), decision.rule_id), decision.reason,
          decision.verdict == test.expect && (test.rule.empty() || decision.rule_id == test.rule)};
}

Answer answer(const FindingDecision& decision, const TestEntry& test) {
  return {with_cause(to_string(decision.action), decision.exemption), decision.cause,
          decision.action == test.expect_finding && (test.rule.empty() || decision.exemption == test.rule)};
}

Answer ask(const Policy& policy, const Question& question, const TestEntry& test,
           const std::vector<FindingRule>& rules) {
  switch (question.kind) {
    case QuestionKind::http: {
      std::vector<HeaderField> fields;
      return answer(policy.judge(question.request(fields)), test);
    }
    case QuestionKind::git:
      return answer(question.judge_git(policy), test);
    case QuestionKind::tls:
      return answer(policy.judge(question.tls_question()), test);
    case QuestionKind::mcp:
    case QuestionKind::resource:
    case QuestionKind::prompt:
      return answer(question.judge_mcp(policy), test);
    case QuestionKind::dns:
      return answer(policy.judge(question.dns_question()), test);
    case QuestionKind::dlp:
      return answer(policy.judge(question.finding(facts_of(question.rule, rules))), test);
  }
  return {};
}

TestOutcome outcome_of(const TestEntry& test) {
  TestOutcome outcome;
  outcome.source = test.place.source->name;
  outcome.line = test.place.line();
  const bool dlp = test.kind == QuestionKind::dlp;
  if (test.kind != QuestionKind::http) {
    const auto word = std::find_if(std::begin(kQuestionWords), std::end(kQuestionWords),
                                   [&](const auto& one) { return one.second == test.kind; });
    outcome.test = fmt::format("{} ", word->first);
  }
  outcome.test += test.question;
  if (!test.arguments.empty()) outcome.test += " " + test.arguments;
  outcome.expected = with_cause(dlp ? to_string(test.expect_finding) : to_string(test.expect), test.rule);
  return outcome;
}

}  // namespace

std::vector<TestOutcome> Policy::run_tests(const std::vector<FindingRule>& rules) const {
  std::vector<TestOutcome> outcomes;
  for (const auto& layer : compiled_->layers) {
    for (const auto& compiled : layer->tests) {
      TestOutcome outcome = outcome_of(*compiled.test);
      for (const auto& question : compiled.questions) {
        Answer given = ask(*this, question, *compiled.test, rules);
        outcome.verdict = std::move(given.verdict);
        outcome.reason = std::move(given.reason);
        outcome.passed = given.expected;
        if (!outcome.passed) break;
      }
      outcomes.push_back(std::move(outcome));
    }
  }
  return outcomes;
}

}  // namespace gatehouse::policy
