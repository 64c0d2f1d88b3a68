#include "common/json/canonical.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>

namespace gatehouse::json {
namespace {

std::string canonical(std::string_view text) {
  const auto value = read(text);
  EXPECT_TRUE(value) << text;
  return value ? write_canonical(*value) : "";
}

TEST(CanonicalJson, IsOneTextForOneValue) {
  const std::pair<std::string, std::string> cases[] = {
      {" { \"b\" : [ 1 , true , null , { } , [ ] ] , \"a\" : \"x\" } ", R"({"a":"x","b":[1,true,null,{},[]]})"},
      {R"({"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
           "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]})",
       "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
       "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
      // The example of RFC 8785 section 3.2.3.
      {R"({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7})",
       "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":"
       "3}"},
      {R"({"aa": 1, "a": 2, "": 3})", R"({"":3,"a":2,"aa":1})"},
      {R"("\b\f\t\u007f")", "\"\\b\\f\\t\x7f\""},
      {"[1.0, 1e0, 10e-1, 1]", "[1,1,1,1]"},
      {"[9007199254740993, 9007199254740992, 9007199254740992.0]",
       "[9007199254740992,9007199254740992,9007199254740992]"},
      {"[18446744073709551615, -9223372036854775808]", "[18446744073709552000,-9223372036854776000]"},
      {"[[[]]]", "[[[]]]"},
  };
  for (const auto& [text, wanted] : cases) EXPECT_EQ(canonical(text), wanted) << text;
}

// RFC 8785 appendix B.
TEST(CanonicalJson, WritesNumbersAsEcmaScriptDoes) {
  const std::pair<uint64_t, std::string> cases[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const auto& [bits, wanted] : cases) EXPECT_EQ(write_canonical(Value(std::bit_cast<double>(bits))), wanted);
}

}  // namespace
}  // namespace gatehouse::json
