#include "dlp/rule_placeholder.h"

#include <gtest/gtest.h>

namespace gatehouse::dlp {
namespace {

TEST(Placeholder, IsOneOnlyAsAWhole) {
  const struct {
    std::string_view text;
    bool expected;
  } cases[] = {
      {"xxxxxxxx", true},
      {"XXXX-XXXX-XXXX", true},
      {"****************", true},
      {"ghp_xxxxxxxxxxxx", true},
      {"GHP_XXXXXXXXXXXX", true},
      {"your-github-token-here", true},
      {"ghp_your_token_here", true},
      {"YOUR_API_KEY", true},
      {"yourapikeyhere", true},
      {"example", true},
      {"example-secret", true},
      {"insert_your_key", true},
      {"${API_KEY}", true},
      {"{{ secrets.token }}", true},
      {"<your token>", true},
      {"%API_KEY%", true},

      {"", false},
      {"-", false},
      {"ghp_", false},
      {"xx", false},
      {"ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false},
      {"AKIAIOSFODNN7EXAMPLE", false},
      {"xxxxxxxx1", false},
      {"xxxxghp_AAAAAAAA", false},
      {"your-k3y-here", false},
      {"yourwifehere", false},
      {"tokenkey", false},
      {"examplehunter", false},
      {"${hunter2}", false},
      {"<>", false},
      {"${ghp_AAAA", false},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(is_placeholder(text, {"gho_", "ghp_"}), expected) << text;
}

TEST(Placeholder, ALongTextIsNoWords) {
  std::string text = "example";
  while (text.size() < 70) text += "key";
  EXPECT_FALSE(is_placeholder(text, {}));
  EXPECT_TRUE(is_placeholder(std::string(5000, 'x'), {}));
}

}  // namespace
}  // namespace gatehouse::dlp
