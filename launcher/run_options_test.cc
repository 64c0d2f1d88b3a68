#include "launcher/run_options.h"

#include <gtest/gtest.h>

#include "launcher/paths.h"

namespace gatehouse::launcher {
namespace {

TEST(RunOptions, AnEnvironmentEntryIsANameAndAValue) {
  const std::pair<const char*, std::pair<std::string, std::string>> cases[] = {
      {"A=b", {"A", "b"}}, {"_x1=", {"_x1", ""}}, {"URL=a=b c", {"URL", "a=b c"}}};
  for (const auto& [text, entry] : cases) {
    const auto parsed = parse_environment_entry(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, entry);
  }
}

TEST(RunOptions, ABadEnvironmentEntryIsNamedWithoutItsValue) {
  const std::pair<const char*, const char*> cases[] = {
      {"NOVALUE", "--env 'NOVALUE': write NAME=value"},
      {"", "--env '': write NAME=value"},
      {"=x", "--env '': a name has letters, digits and _, and does not begin with a digit"},
      {"1A=secret", "--env '1A': a name has letters, digits and _, and does not begin with a digit"},
      {"a-b=secret", "--env 'a-b': a name has letters, digits and _, and does not begin with a digit"},
  };
  for (const auto& [text, message] : cases) {
    const auto parsed = parse_environment_entry(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message(), message);
  }
}

TEST(RunOptions, ATimeLimitIsSeconds) {
  EXPECT_EQ(parse_time_limit("1")->count(), 1000);
  EXPECT_EQ(parse_time_limit("0.25")->count(), 250);
  EXPECT_EQ(parse_time_limit("31536000")->count(), 31'536'000'000);
}

TEST(RunOptions, ATimeLimitThatIsNoneIsRefused) {
  for (const char* text : {"", "0", "-1", "1s", "nan", "inf", "1e3", "31536001", " 1"}) {
    EXPECT_FALSE(parse_time_limit(text)) << text;
  }
}

TEST(RunOptions, AMadeUpNameIsAValidOneAndNotTheLastOne) {
  const auto name = make_session_name();
  EXPECT_TRUE(check_session_name(name)) << name;
  EXPECT_NE(name, make_session_name());
}

}  // namespace
}  // namespace gatehouse::launcher
