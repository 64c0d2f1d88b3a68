// Every shipped rule through the real engine: it finds each of its examples and none of its negative ones.
#include <gtest/gtest.h>

#include <set>

#include "dlp/rule_reader.h"

namespace gatehouse::dlp {
namespace {

class ShippedRules : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto directory = rules_directory();
    ASSERT_TRUE(directory) << directory.error().message();
    const auto rules = load_rules(*directory);
    ASSERT_TRUE(rules) << rules.error().message();
    auto table = RuleTable::build(*rules, "");
    ASSERT_TRUE(table) << table.error().message();
    workspace_ = RuleWorkspace::create(std::move(*table)).value();
  }
  static void TearDownTestSuite() { workspace_.reset(); }

  // What `rule` finds in the text.
  static std::vector<Match> matches_of(const Rule& rule, std::string_view text) {
    std::vector<Match> matches;
    RuleReader reader(*workspace_);
    const auto note = [&](const Match& match) {
      if (match.rule == &rule) matches.push_back(match);
    };
    reader.write(text, note);
    reader.end(note);
    return matches;
  }
  static const std::vector<Rule>& rules() { return workspace_->table().rules(); }

  static std::unique_ptr<RuleWorkspace> workspace_;
};

std::unique_ptr<RuleWorkspace> ShippedRules::workspace_;

TEST_F(ShippedRules, AreAtLeastTwoHundred) { EXPECT_GE(rules().size(), 200u); }

TEST_F(ShippedRules, FindTheirExamplesWithTheSeverityTheySay) {
  for (const Rule& rule : rules()) {
    for (const auto& example : rule.examples) {
      const auto matches = matches_of(rule, example);
      EXPECT_FALSE(matches.empty()) << rule.source << ": rule '" << rule.id << "' does not find its example "
                                    << example;
      for (const auto& match : matches) {
        EXPECT_EQ(match.severity, match.confidence == Confidence::low ? rule.unconfirmed : rule.severity) << rule.id;
      }
    }
  }
}

TEST_F(ShippedRules, DoNotFindTheirNegativeExamples) {
  for (const Rule& rule : rules()) {
    for (const auto& example : rule.negative_examples) {
      const auto matches = matches_of(rule, example);
      EXPECT_TRUE(matches.empty()) << rule.source << ": rule '" << rule.id << "' finds its negative example " << example
                                   << " at " << matches.front().begin;
    }
  }
}

// In the midst of something else, and cut in two at every offset.
TEST_F(ShippedRules, FindTheirExamplesHoweverTheyAreCut) {
  for (const Rule& rule : rules()) {
    const std::string text = "\n" + rule.examples.front() + "\n" + std::string(kHeldBytes, '\n');
    const auto whole = matches_of(rule, text);
    EXPECT_FALSE(whole.empty()) << rule.id << " does not find its first example between line ends";
    for (size_t cut = 0; cut <= rule.examples.front().size() + 1; ++cut) {
      std::vector<Match> matches;
      RuleReader reader(*workspace_);
      const auto note = [&](const Match& match) {
        if (match.rule == &rule) matches.push_back(match);
      };
      reader.write(text.substr(0, cut) + std::string(), note);
      reader.write(text.substr(cut), note);
      reader.end(note);
      ASSERT_EQ(matches.size(), whole.size()) << rule.id << " cut at " << cut;
      for (size_t i = 0; i < matches.size(); ++i) {
        ASSERT_EQ(matches[i].begin, whole[i].begin) << rule.id << " cut at " << cut;
        ASSERT_EQ(matches[i].end, whole[i].end) << rule.id << " cut at " << cut;
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::dlp
