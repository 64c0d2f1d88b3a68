#include "dlp/rule_prefix.h"

#include <gtest/gtest.h>
#include <re2/re2.h>
#include <strings.h>

#include <algorithm>

#include "dlp/rule.h"
#include "dlp/rule_pattern.h"

namespace gatehouse::dlp {
namespace {

// "0@2 1@0": keyword 0 two bytes into the match, or keyword 1 where it begins; "" for not known.
std::string places(const std::string& pattern, const std::vector<std::string>& keywords) {
  EXPECT_TRUE(RE2(pattern, re2_options()).ok()) << pattern;
  const auto found = keyword_places(pattern, keywords);
  std::string text;
  if (found) {
    for (const auto& [keyword, offset] : *found)
      text += fmt::format("{}{}@{}", text.empty() ? "" : " ", keyword, offset);
  }
  return text;
}

TEST(RulePrefix, SaysWhereAKeywordStands) {
  const struct {
    std::string pattern;
    std::vector<std::string> keywords;
    std::string expected;
  } cases[] = {
      {"ghp_[A-Za-z0-9]{36}", {"ghp_"}, "0@0"},
      {"ghp_[A-Za-z0-9]{36}", {"GHP_"}, "0@0"},
      {"\\bghp_", {"ghp_"}, "0@0"},
      {"xx\\.ghp_", {"ghp_"}, "0@3"},
      {"(?:^|[^a-z])(ghp_[a-z]+)", {"ghp_"}, "0@0 0@1"},
      {"gh[pous]_[a-z]", {"ghp_", "gho_", "ghu_", "ghs_"}, "1@0 0@0 3@0 2@0"},
      {"gh[pous]_[a-z]", {"ghp_", "gho_", "ghu_"}, ""},
      {"gh[^a]_[a-z]", {"ghp_"}, ""},
      {"(?i:acme|zeta)[a-z]{0,9}key", {"acme", "zeta"}, "0@0 1@0"},
      {"(?i:acme|zeta)[a-z]{0,9}key", {"acme"}, ""},
      {"(?i:acme|zeta)[a-z]{0,9}key", {"key"}, ""},
      {"(?i)api[_-]?key=", {"api_key", "api-key", "apikey"}, "2@0 1@0 0@0"},
      {"(?i)api[_-]?key=", {"key="}, "0@3 0@4"},
      {"(?i)api[_-]?key=", {"api_key", "api-key"}, ""},
      {"a{3}bcd", {"aaab"}, "0@0"},
      {"a{3,}bcd", {"aaab"}, ""},
      {"a{2,3}bcd", {"aab"}, ""},
      {"ab+cd", {"abb"}, ""},
      {"abc+", {"abc"}, "0@0"},
      {"abc*", {"abc"}, ""},
      {"abc?", {"abc"}, ""},
      {"ab|abc", {"abc"}, ""},
      {"abc|[0-9]", {"abc"}, ""},
      {"(?:ab(?:cd|ef)|gh)ij", {"abcd", "ef", "ghi"}, "0@0 1@2 2@0"},
      {"[0-9]{2}-key", {"-key"}, "0@2"},
      {".key", {"key"}, "0@1"},
      {"\\skey", {"key"}, "0@1"},
      {"\\x6bey\\n", {"key\n"}, "0@0"},
      {"[\\x6b]ey", {"key"}, "0@0"},
      {"[k-]ey", {"key", "-ey"}, "1@0 0@0"},
      {"[]k]ey", {"key", "]ey"}, "1@0 0@0"},
      {"[[:alpha:]]ey", {"key"}, ""},
      {"(?P<name>key)", {"key"}, "0@0"},
      {"(?i)key(?s:.)", {"key"}, "0@0"},
      {"key{", {"key{"}, "0@0"},
      {"\\Qkey\\E", {"key"}, ""},
      {"\\x{6b}ey", {"key"}, ""},
      {"\\pLkey", {"key"}, ""},
      {"", {"key"}, ""},
  };
  for (const auto& [pattern, keywords, expected] : cases) EXPECT_EQ(places(pattern, keywords), expected) << pattern;
}

TEST(RulePrefix, WhatIsTooManyIsNotKnown) {
  std::string pattern;
  for (int i = 0; i < 9; ++i) pattern += "[ab]";
  EXPECT_EQ(places(pattern + "key", {"key"}), "");
  EXPECT_EQ(places("key" + pattern, {"key"}), "0@0");
  EXPECT_EQ(places(std::string(60, 'a') + "key", {"key"}), "");
}

TEST(RulePrefix, TellsWhichBytesAMatchMayBeginWith) {
  const auto begins = [](const std::string& pattern) {
    const auto bytes = first_bytes(pattern);
    std::string text;
    for (size_t c = 0; c < bytes.size(); ++c) {
      if (bytes[c]) text += static_cast<char>(c);
    }
    return text.size() == bytes.size() ? "any" : text;
  };
  EXPECT_EQ(begins("(?i:itin|taxpayer)[0-9]{3}"), "ITit");
  EXPECT_EQ(begins("\\bA?[kx]y"), "AKXakx");
  EXPECT_EQ(begins("x*y"), "any");
  EXPECT_EQ(begins("[A-Z]{2}[0-9]"), "any");
  EXPECT_EQ(begins("\\xe9t"), "any");
  EXPECT_EQ(begins("(?=x)"), "any");
}

// Every match in every example of every shipped rule has its keyword where the prefix says.
TEST(RulePrefix, HoldsForTheShippedRules) {
  const auto rules = load_rules(rules_directory().value());
  ASSERT_TRUE(rules) << rules.error().message();
  size_t known = 0;
  for (const Rule& rule : *rules) {
    const RE2 pattern(rule.pattern, re2_options());
    const auto begins = first_bytes(rule.pattern);
    for (const std::string& example : rule.examples) {
      for (size_t begin = 0; begin < example.size(); ++begin) {
        if (!pattern.Match(example, begin, example.size(), RE2::ANCHOR_START, nullptr, 0)) continue;
        EXPECT_TRUE(begins[static_cast<uint8_t>(example[begin])]) << rule.id << " at " << begin << " of " << example;
      }
    }
    const auto found = keyword_places(rule.pattern, rule.keywords);
    if (!found) continue;
    ++known;
    for (const std::string& example : rule.examples) {
      for (size_t begin = 0; begin < example.size(); ++begin) {
        if (!pattern.Match(example, begin, example.size(), RE2::ANCHOR_START, nullptr, 0)) continue;
        const bool holds = std::any_of(found->begin(), found->end(), [&](const KeywordPlace& place) {
          const std::string& keyword = rule.keywords[place.keyword];
          return begin + place.offset + keyword.size() <= example.size() &&
                 strncasecmp(example.data() + begin + place.offset, keyword.data(), keyword.size()) == 0;
        });
        EXPECT_TRUE(holds) << rule.id << " at " << begin << " of " << example;
      }
    }
  }
  EXPECT_GE(known, rules->size() / 2);
}

}  // namespace
}  // namespace gatehouse::dlp
