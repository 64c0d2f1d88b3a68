#include "common/json/strict.h"

#include <gmock/gmock.h>

namespace gatehouse::json {
namespace {

using testing::HasSubstr;

TEST(StrictJson, ReadsWhatEverybodyReadsAlikeAndWritesItAsOneAsciiLine) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {" {\"b\": [1, -2, 1.0, true, null], \"a\": \"x\"} \n", R"({"a":"x","b":[1,-2,1.0,true,null]})"},
      {"\"\xc3\xa9\\n\\u2028\"", R"("\u00e9\n\u2028")"},
      {R"("\ud83d\ude00")", R"("\ud83d\ude00")"},
      {"18446744073709551615", "18446744073709551615"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"0.1", "0.1"},
      {"[]", "[]"},
      {R"({"":{}})", R"({"":{}})"},
  };
  for (const auto& [text, written] : cases) {
    const auto value = read(text);
    ASSERT_TRUE(value) << text << value.error().message();
    EXPECT_EQ(write(*value), written);
    EXPECT_EQ(read(write(*value)), *value);
  }
}

TEST(StrictJson, RefusesWhatReadersTakeDifferently) {
  const std::pair<std::string, std::string_view> cases[] = {
      {R"({"a":1,"a":1})", "a key that stands twice"},
      {R"({"x":[{"a":1,"\u0061":2}]})", "a key that stands twice"},
      {"\xef\xbb\xbf{}", "byte order mark"},
      {"\"\xff\"", "not JSON"},
      {"\"\xc0\xaf\"", "not JSON"},
      {R"("\ud800")", "not JSON"},
      {"18446744073709551616", "an integer beyond 64 bits"},
      {"-9223372036854775809", "an integer beyond 64 bits"},
      {"1e999", "a number that is too large"},
      {"NaN", "not JSON"},
      {"{} {}", "not JSON"},
      {"/* x */ {}", "not JSON"},
      {"{\"a\":1,}", "not JSON"},
      {"'a'", "not JSON"},
      {"01", "not JSON"},
      {"\"a\tb\"", "not JSON"},
      {"", "not JSON"},
      {std::string("{}\0x", 4), "a NUL byte"},
  };
  for (const auto& [text, why] : cases) {
    const auto value = read(text);
    ASSERT_FALSE(value) << text;
    EXPECT_THAT(value.error().message(), HasSubstr(why)) << text;
  }
}

TEST(StrictJson, KeepsToItsLimits) {
  const Limits limits{.bytes = 100, .depth = 3, .values = 10};
  EXPECT_TRUE(read("[[[1]]]", limits));
  EXPECT_THAT(read("[[[[1]]]]", limits).error().message(), HasSubstr("nested deeper than 3"));
  EXPECT_TRUE(read("[1,2,3,4,5,6,7,8,9]", limits));
  EXPECT_THAT(read("[1,2,3,4,5,6,7,8,9,10]", limits).error().message(), HasSubstr("more than 10 values"));
  EXPECT_THAT(read('"' + std::string(100, 'a') + '"', limits).error().message(), HasSubstr("over the limit of 100"));
  EXPECT_FALSE(read(std::string(1'000'000, '[')));
}

TEST(StrictJson, NamesNoByteOfWhatItRefuses) {
  EXPECT_THAT(read("{\"token\": hunter2}").error().message(), testing::Not(HasSubstr("hunter")));
}

}  // namespace
}  // namespace gatehouse::json
