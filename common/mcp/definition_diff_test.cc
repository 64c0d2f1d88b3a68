#include "common/mcp/definition_diff.h"

#include <gtest/gtest.h>

namespace gatehouse::mcp {
namespace {

std::string diff(std::string_view before, std::string_view after) {
  return definition_diff(json::read(before).value(), json::read(after).value());
}

TEST(DefinitionDiff, ShowsEveryPlaceThatDiffersAndNoOther) {
  constexpr std::string_view kBefore =
      R"({"name":"read","description":"Reads.","inputSchema":{"properties":{"p":{"type":"string","enum":["a"]}}}})";
  EXPECT_EQ(diff(kBefore, kBefore), "");
  EXPECT_EQ(
      diff(kBefore,
           "{\"name\":\"read\",\"description\":\"Reads. \xc3\xa9\\u001b[2J\",\"inputSchema\":{\"properties\":{\"p\":{"
           "\"enum\":[\"a\",\"b\"]}}},\"title\":1.0}"),
      "  /description\n"
      "-   \"Reads.\"\n"
      "+   \"Reads. \\u00e9\\u001b[2J\"\n"
      "  /inputSchema/properties/p/type\n"
      "-   \"string\"\n"
      "  /inputSchema/properties/p/enum/1\n"
      "+   \"b\"\n"
      "  /title\n"
      "+   1.0\n");
  EXPECT_EQ(diff(R"({"a":{"b":1}})", R"({"a":{"b":1.0}})"), "  /a/b\n-   1\n+   1.0\n");
  EXPECT_EQ(diff(R"({"a/b\n":[]})", R"({"a/b\n":null})"), "  /a~1b\\n\n-   []\n+   null\n");
  EXPECT_EQ(diff("null", R"({"name":"x"})"), "  /name\n+   \"x\"\n");
}

TEST(DefinitionDiff, CutsNothingOfALongTextButWhatAgrees) {
  const std::string before = std::string(200, 'a') + std::string(200, 'z');
  std::string after = before;
  after.insert(200, std::string(3000, 'M'));
  EXPECT_EQ(definition_diff(before, after), "  (all)\n-   ...\"" + std::string(40, 'a') + std::string(40, 'z') +
                                                "\"...\n+   ...\"" + std::string(40, 'a') + std::string(3000, 'M') +
                                                std::string(40, 'z') + "\"...\n");
}

}  // namespace
}  // namespace gatehouse::mcp
