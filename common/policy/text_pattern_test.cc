#include "common/policy/text_pattern.h"

#include <gmock/gmock.h>

namespace gatehouse::policy {
namespace {

using testing::HasSubstr;

TEST(TextPattern, MatchesWholeTextsOnly) {
  struct Row {
    std::string_view pattern, text;
    bool told_apart, ignored;
  };
  const Row cases[] = {
      {"[a-z]+", "abc", true, true},
      {"[a-z]+", "abc1", false, false},
      {"[a-z]+", "1abc", false, false},
      {"[a-z]+", "ABC", false, true},
      {"^[a-z]+$", "abc\n", false, false},
      {"a|bc", "abc", false, false},
      {"a|bc", "bc", true, true},
      {".*x.*", "a\nx\nb", true, true},
      {"", "", true, true},
      {"", "a", false, false},
      {"a*", "", true, true},
      {"a", "", false, false},
      {".", "\xc3\xa9", true, true},
      {"\\x{e9}", "\xc3\xa9", true, true},
      {"..", "\xc3\xa9", false, false},
      {"(?i)select .*", "SeLeCt 1", true, true},
  };
  for (const auto& one : cases) {
    const auto pattern = TextPattern::compile(one.pattern);
    ASSERT_TRUE(pattern) << one.pattern << ": " << pattern.error().message();
    EXPECT_EQ(pattern->matches(one.text, Case::told_apart), one.told_apart) << one.pattern << " " << one.text;
    EXPECT_EQ(pattern->matches(one.text, Case::ignored), one.ignored) << one.pattern << " " << one.text;
  }
}

TEST(TextPattern, RefusesWhatIsNoneOrBecomesAnotherByWhatIsPutAround) {
  for (const std::string_view text :
       {"(", "a)(b", "[a", "a\\", "(a)\\1", "(?=a)b", "(?<!a)b", "\\Qa", "(?x)a#", "(*UCP)a", "a{2,1}", "\xff"}) {
    EXPECT_FALSE(TextPattern::compile(text)) << text;
  }
  for (const std::string_view text : {"a{2001}", "a{1,2001}", "(a{50}b){50}", "((a{20}){10}){11}", "[a-z]{600}.{600}",
                                      "\\p{L}", "[\\p{L}]", "a{99999999999999999999}"}) {
    EXPECT_FALSE(TextPattern::compile(text)) << text;
  }
  EXPECT_TRUE(TextPattern::compile("[a-f0-9]{8}-([a-f0-9]{4}-){3}[a-f0-9]{12}"));
  EXPECT_FALSE(TextPattern::compile(std::string(5000, 'a')));
  EXPECT_FALSE(TextPattern::compile(std::string_view("a\0b", 3)));
  EXPECT_THAT(TextPattern::compile("(a)\\1").error().message(),
              HasSubstr("no regular expression that can be used here: Back-references"));
}

}  // namespace
}  // namespace gatehouse::policy
