#include "dlp/rule_check.h"

#include <gtest/gtest.h>

namespace gatehouse::dlp {
namespace {

TEST(RuleCheck, NamesEachSampleThatIsWrong) {
  const auto rules = parse_rules("own.json", R"({"rules": [
  {"id": "acme", "title": "Acme key", "category": "credentials", "pattern": "acme_[0-9]{8}", "keywords": ["acme_"],
   "severity": "block", "examples": ["acme_01234567", "acme_0123456"], "negative_examples": ["acme", "xacme_012345678"]},
  {"id": "inward", "title": "inbound thing", "category": "injection", "pattern": "obey[0-9]", "keywords": ["obey"],
   "severity": "warn", "direction": "in", "examples": ["obey1"], "negative_examples": ["obey"]}]})");
  ASSERT_TRUE(rules) << rules.error().message();
  const auto outcome = check_rules(*rules);
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_EQ(outcome->samples, 6U);
  EXPECT_EQ(outcome->failures, (std::vector<std::string>{"own.json:2: acme: example 2 is not found",
                                                         "own.json:2: acme: negative example 2 is found"}));
}

// The rules that are shipped, each with its samples.
TEST(RuleCheck, FindsNothingWrongWithTheShippedRules) {
  const auto directory = rules_directory();
  ASSERT_TRUE(directory) << directory.error().message();
  const auto rules = load_rules(*directory);
  ASSERT_TRUE(rules) << rules.error().message();
  EXPECT_GE(rules->size(), 200U);
  const auto outcome = check_rules(*rules);
  ASSERT_TRUE(outcome) << outcome.error().message();
  for (const auto& failure : outcome->failures) ADD_FAILURE() << failure;
  for (const auto& rule : *rules) {
    EXPECT_GE(rule.examples.size(), 2U) << rule.id;
    EXPECT_GE(rule.negative_examples.size(), 1U) << rule.id;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
