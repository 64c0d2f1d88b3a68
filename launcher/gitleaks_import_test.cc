#include "launcher/gitleaks_import.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gatehouse::launcher {
namespace {

TEST(GitleaksImport, TakesRulesOver) {
  const auto imported = import_gitleaks("g.toml", R"(
title = "ours"
[[rules]]
id = "Acme_Token"
description = "Acme token"
regex = '''\b(acme_[a-z]{2})([0-9]{16})\b'''
secretGroup = 2
entropy = 2.5
keywords = ["acme_"]
[[rules]]
id = "plain"
regex = "plain-[0-9]{9}"
)");
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(imported->rules, 2U);
  EXPECT_TRUE(imported->notes.empty());
  const auto rules = nlohmann::json::parse(imported->json)["rules"];
  EXPECT_EQ(rules[0], (nlohmann::json{{"id", "acme-token"},
                                      {"title", "Acme token"},
                                      {"category", "credentials"},
                                      {"pattern", "\\b(acme_[a-z]{2})([0-9]{16})\\b"},
                                      {"group", 2},
                                      {"keywords", {"acme_"}},
                                      {"severity", "block"},
                                      {"entropy", 2.5},
                                      {"examples", nlohmann::json::array()}}));
  EXPECT_EQ(rules[1]["group"], 0);
  EXPECT_EQ(rules[1]["title"], "plain");
}

TEST(GitleaksImport, TakesTheFirstGroupWhereNoneIsNamed) {
  const auto imported = import_gitleaks("g.toml", "[[rules]]\nid='a'\nregex='k=(x{20})(y)?'\n");
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(nlohmann::json::parse(imported->json)["rules"][0]["group"], 1);
}

TEST(GitleaksImport, TakesOverWhatAllowListsSayOfTheSecretAndNotesTheRest) {
  const auto imported = import_gitleaks("g.toml", R"([[rules]]
id = "a"
regex = "k-[a-z]{20}"
[rules.allowlist]
regexes = ["^k-x+$"]
stopwords = ["exam.ple"]
paths = ["go.sum"]
[[rules]]
id = "b"
regex = "k-[a-z]{20}"
[[rules.allowlists]]
regexTarget = "line"
regexes = ["nothing"]
[[rules.allowlists]]
condition = "AND"
paths = ["x"]
stopwords = ["word"]
[[rules]]
id = "c"
path = "\\.pem$"
[allowlist]
paths = ["vendor"]
)");
  ASSERT_TRUE(imported) << imported.error().message();
  const auto rules = nlohmann::json::parse(imported->json)["rules"];
  EXPECT_EQ(rules[0]["allow"], (nlohmann::json{"(?s:.*)(?:^k-x+$)(?s:.*)", "(?s:.*)(?:(?i:exam\\.ple))(?s:.*)"}));
  EXPECT_FALSE(rules[1].contains("allow"));
  EXPECT_EQ(rules.size(), 2U);
  EXPECT_EQ(imported->notes,
            (std::vector<std::string>{"g.toml:21:1: the allow list for all rules is left out",
                                      "g.toml:4:1: a: allow lists by path, commit, line or match are left out",
                                      "g.toml:11:1: b: allow lists by path, commit, line or match are left out",
                                      "g.toml:14:1: b: allow lists by path, commit, line or match are left out",
                                      "g.toml:18:1: c: looks at paths only and is left out"}));
}

TEST(GitleaksImport, SaysWhereAFileIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"[[rules]\n", "g.toml:1:9: "},
      {"title='x'\n", "g.toml: holds no [[rules]]"},
      {"[[rules]]\nregex='x'\n", "g.toml:1:1: the rule has no 'id'"},
      {"[[rules]]\nid='---'\nregex='x'\n", "g.toml:1:1: '---' holds nothing of an id"},
      {"[[rules]]\nid='a'\nregex='abc'\n[[rules]]\nid='A'\nregex='abc'\n", "g.toml:4:1: two rules have the id 'a'"},
      {"[[rules]]\nid='a'\nregex='(abc'\n", "g.toml:3:7: a: missing ): (abc"},
      {"[[rules]]\nid='a'\nregex='abc'\nsecretGroup=1\n", "g.toml:4:13: a: the regex has no group 1"},
  };
  for (const auto& [text, message] : cases) {
    const auto imported = import_gitleaks("g.toml", text);
    ASSERT_FALSE(imported) << text;
    EXPECT_EQ(imported.error().message().substr(0, message.size()), message) << imported.error().message();
  }
}

}  // namespace
}  // namespace gatehouse::launcher
