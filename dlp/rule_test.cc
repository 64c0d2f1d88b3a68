// What a rule file may say, and in which words it is refused.
#include "dlp/rule.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gatehouse::dlp {
namespace {

// A file of one rule: the usual keys, and `more` after them.
std::string rule_with(const std::string& more) {
  return R"({"rules": [{"id": "acme", "title": "Acme key", "category": "credentials", "severity": "block", )" + more +
         "}]}";
}

std::string refusal(const std::string& text) {
  const auto rules = parse_rules("r.json", text);
  return rules ? "accepted" : rules.error().message();
}

// The complaint alone, without the line of the file and the caret under it.
std::string complaint(const std::string& text) {
  const std::string all = refusal(text);
  const std::string first = all.substr(0, all.find('\n'));
  const size_t column = first.find(": ");
  return column == std::string::npos ? first : first.substr(column + 2);
}

constexpr const char* kRest = R"("pattern": "acme_[0-9]{8}", "examples": ["acme_12345678"])";

TEST(RuleFile, EveryKeyIsRead) {
  const auto rules = parse_rules("r.json", R"json(// comments are allowed
{"rules": [
  {"id": "acme-key", "title": "Acme key", "category": "credentials",
   "pattern": "(?i)acme[ =]+([a-z0-9]{8})", "group": 1, "keywords": ["acme"], "entropy": 2.5,
   "severity": "redact", "validator": "luhn", "unconfirmed": "warn", "direction": "both",
   "allow": ["^sample"], "examples": ["acme=abcd1234"], "negative_examples": ["acme"]},
  {"id": "plain", "title": "Plain", "category": "entropy", "pattern": "x{9}", "severity": "block",
   "examples": ["xxxxxxxxx"]}
]})json");
  ASSERT_TRUE(rules) << rules.error().message();
  ASSERT_EQ(rules->size(), 2u);
  const Rule& rule = rules->front();
  EXPECT_EQ(rule.id, "acme-key");
  EXPECT_EQ(rule.title, "Acme key");
  EXPECT_EQ(rule.category, "credentials");
  EXPECT_EQ(rule.pattern, "(?i)acme[ =]+([a-z0-9]{8})");
  EXPECT_EQ(rule.group, 1);
  EXPECT_EQ(rule.keywords, std::vector<std::string>{"acme"});
  EXPECT_EQ(rule.entropy, 2.5);
  EXPECT_EQ(rule.severity, FindingAction::redact);
  EXPECT_EQ(rule.unconfirmed, FindingAction::warn);
  EXPECT_EQ(rule.validator, "luhn");
  EXPECT_EQ(rule.direction, RuleDirection::both);
  EXPECT_EQ(rule.allow, std::vector<std::string>{"^sample"});
  EXPECT_EQ(rule.examples, std::vector<std::string>{"acme=abcd1234"});
  EXPECT_EQ(rule.negative_examples, std::vector<std::string>{"acme"});
  EXPECT_EQ(rule.source, "r.json:3");
  const Rule& plain = rules->back();
  EXPECT_EQ(plain.severity, FindingAction::deny);
  EXPECT_EQ(plain.unconfirmed, FindingAction::deny);
  EXPECT_EQ(plain.direction, RuleDirection::out);
  EXPECT_EQ(plain.entropy, 0);
  EXPECT_EQ(plain.source, "r.json:7");
}

TEST(RuleFile, ARefusalShowsThePlaceAndNamesTheRule) {
  EXPECT_EQ(
      refusal("{\"rules\": [\n"
              "  {\"id\": \"acme\", \"title\": \"Acme key\", \"category\": \"credentials\", \"severity\": \"block\",\n"
              "   \"pattern\": \"acme_(\", \"examples\": [\"acme_\"]}]}"),
      "r.json:3:15: rule 'acme': the pattern does not compile (RE2): missing ): acme_(\n"
      "   \"pattern\": \"acme_(\", \"examples\": [\"acme_\"]}]}\n"
      "              ^");
}

TEST(RuleFile, WhatIsWrongIsSaidInWords) {
  const struct {
    std::string text;
    std::string expected;
  } cases[] = {
      {"", "the file is empty; the least rule file is {\"rules\": []}"},
      {"[]", "a rule file is an object, not a list"},
      {"{}", "'rules' is missing"},
      {R"({"rule": []})", "unknown key 'rule'; did you mean 'rules'?"},
      {R"({"rules": {}})", "'rules' must be a list of objects, not an object"},
      {R"({"rules": [1]})", "'rules' must be a list of objects, not a number"},
      {R"({"rules": [{}]})", "'id' is missing"},
      {R"({"rules": [{"id": "Acme"}]})", "an id is 1 to 64 lower-case letters, digits and '-' between them"},
      {R"({"rules": [{"id": "acme"}]})", "rule 'acme': 'title' is missing"},
      {R"({"rules": [{"id": "acme", "title": "a\nb"}]})", "rule 'acme': a title is one line of at most 120 bytes"},
      {R"({"rules": [{"id": "acme", "title": "Acme", "category": "credential"}]})",
       "rule 'acme': unknown category 'credential'; did you mean 'credentials'?"},
      {R"({"rules": [{"id": "acme", "keyword": ["acme"]}]})", "unknown key 'keyword'; did you mean 'keywords'?"},
      {rule_with(R"("examples": ["x"])"), "rule 'acme': 'pattern' is missing"},
      {rule_with(R"("pattern": "")"), "rule 'acme': 'pattern' is empty"},
      {rule_with(R"("pattern": "a*", "examples": ["a"])"), "rule 'acme': the pattern can match the empty string"},
      {rule_with(R"("pattern": "\\b|a", "examples": ["a"])"), "rule 'acme': the pattern can match the empty string"},
      {rule_with(R"("pattern": "a\u0000b", "examples": ["a"])"),
       "rule 'acme': the pattern holds a NUL byte; write \\x00"},
      {rule_with(R"("pattern": "(?<!a)b", "examples": ["b"])"),
       "rule 'acme': the pattern does not compile (RE2): invalid perl operator: (?<"},
      {rule_with(R"("pattern": "(?U)ab", "examples": ["ab"])"),
       "rule 'acme': the pattern does not compile (Hyperscan): Unrecognised character after (? at index 0."},
      {rule_with(R"("pattern": "(a)b", "group": 2)"), "rule 'acme': there is no group 2; the pattern has 1"},
      {rule_with(R"("pattern": "ab", "group": "1")"), "rule 'acme': 'group' must be a number, not a string"},
      {rule_with(R"("pattern": "ab")"), "rule 'acme': 'examples' is missing; write what the pattern must find"},
      {rule_with(R"("pattern": "ab", "examples": [""])"), "rule 'acme': an example is empty"},
      {rule_with(R"("pattern": "ab", "examples": [1])"),
       "rule 'acme': 'examples' must be a list of strings, not of a number"},
      {rule_with(R"("keywords": ["ab"], )" + std::string(kRest)),
       "rule 'acme': a keyword is 3 to 64 bytes; 'ab' has 2"},
      {rule_with(R"("keywords": "acme", )" + std::string(kRest)),
       "rule 'acme': 'keywords' must be a list of strings, not a string"},
      {rule_with(R"("shape": "digits", )" + std::string(kRest)),
       "rule 'acme': unknown shape 'digits'; expected digit-groups, letters-digits"},
      {rule_with(R"("shape": "digit-groups", "keywords": ["acme"], )" + std::string(kRest)),
       "rule 'acme': 'shape' stands for 'keywords'; give one of the two"},
      {rule_with(R"("entropy": 9, )" + std::string(kRest)), "rule 'acme': 'entropy' is a number of 0 to 8 bits a byte"},
      {rule_with(R"("entropy": -1, )" + std::string(kRest)),
       "rule 'acme': 'entropy' is a number of 0 to 8 bits a byte"},
      {rule_with(R"("entropy": "3", )" + std::string(kRest)), "rule 'acme': 'entropy' must be a number, not a string"},
      {rule_with(R"("validator": "luhm", )" + std::string(kRest)),
       "rule 'acme': unknown validator 'luhm'; did you mean 'luhn'?"},
      {rule_with(R"("unconfirmed": "warn", )" + std::string(kRest)),
       "rule 'acme': 'unconfirmed' says nothing without a 'validator'; remove it"},
      {rule_with(R"("direction": "inbound", )" + std::string(kRest)),
       "rule 'acme': unknown direction 'inbound'; expected out, in, both"},
      {rule_with(R"("allow": ["a("], )" + std::string(kRest)),
       "rule 'acme': a pattern in 'allow' does not compile: missing ): a("},
      {R"({"rules": [{"id": "acme", "title": "Acme", "category": "entropy", "pattern": "ab", "severity": "deny"}]})",
       "rule 'acme': unknown severity 'deny'; expected block, redact, warn"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(complaint(text), expected) << text;
}

TEST(RuleFile, AnIdIsGivenOnce) {
  const std::string rule =
      R"({"id": "acme", "title": "A", "category": "entropy", "severity": "warn", "pattern": "ab", "examples": ["ab"]})";
  EXPECT_EQ(complaint("{\"rules\": [" + rule + ",\n" + rule + "]}"),
            "rule 'acme': the id is given twice, first at r.json:1");
}

class RuleDirectory : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "rulesXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(path_ + "/" + name) << text; }

  std::string path_;
};

TEST_F(RuleDirectory, AllFilesAreReadInTheOrderOfTheirNames) {
  std::string other = rule_with(kRest);
  other.replace(other.find("acme"), 4, "zeta");
  write("b.json", other);
  write("a.json", rule_with(kRest));
  write("README.md", "not a rule file");
  const auto rules = load_rules(path_);
  ASSERT_TRUE(rules) << rules.error().message();
  ASSERT_EQ(rules->size(), 2u);
  EXPECT_EQ(rules->at(0).id, "acme");
  EXPECT_EQ(rules->at(1).id, "zeta");
}

TEST_F(RuleDirectory, AnIdIsUniqueOverAllFiles) {
  write("a.json", rule_with(kRest));
  write("b.json", rule_with(kRest));
  EXPECT_EQ(load_rules(path_).error().message(),
            path_ + "/b.json:1: rule 'acme': the id is given twice, first at " + path_ + "/a.json:1");
}

TEST_F(RuleDirectory, WhatWasFoundGoodIsRememberedAndNothingElseIs) {
  const std::string cache = path_ + "/cache";
  const auto with_pattern = [](const std::string& pattern) {
    return rule_with(R"("allow": ["[0-9]+"], "examples": ["ab"], "pattern": ")" + pattern + "\"");
  };
  write("a.json", with_pattern("(a)b{3,9}\\n"));
  for (int i = 0; i < 2; ++i) {
    const auto rules = load_rules(path_, cache);
    ASSERT_TRUE(rules) << rules.error().message();
    EXPECT_EQ(rules->front().info.min_width, 5u);
    EXPECT_EQ(rules->front().info.max_width, 11u);
    EXPECT_EQ(rules->front().info.groups, 1);
    EXPECT_FALSE(std::filesystem::is_empty(cache));
  }
  write("a.json", with_pattern("[0-9]+("));
  EXPECT_FALSE(load_rules(path_, cache));
  // What is good in an allow list, for one engine, need not be good as a rule's pattern.
  write("a.json", with_pattern("[0-9]*"));
  EXPECT_FALSE(load_rules(path_, cache));
}

TEST_F(RuleDirectory, NoRuleFileIsAnError) {
  EXPECT_EQ(load_rules(path_).error().message(), path_ + ": there is no rule file (*.json) in it");
  EXPECT_EQ(load_rules(path_ + "/none").error().message(), path_ + "/none: No such file or directory");
}

}  // namespace
}  // namespace gatehouse::dlp
