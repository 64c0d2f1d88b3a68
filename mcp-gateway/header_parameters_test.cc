#include "mcp-gateway/header_parameters.h"

#include <gmock/gmock.h>

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;
using testing::Pair;

Value of(std::string_view text) { return *json::read(text); }

TEST(HeaderParameters, AreFoundThroughPropertiesAlone) {
  const auto schema = of(R"({"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},
    "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"Depth"}}},
    "x-mcp-header":{"type":"string"},
    "plain":{"type":"string","default":{"x-mcp-header":"not one"}}}})");
  ASSERT_TRUE(mirrored_parameters(schema));
  EXPECT_THAT(parameter_values(schema, of(R"({"region":"west","deep":{"n":42.0},"plain":"p"})")),
              ElementsAre(Pair("Depth", "42"), Pair("Region", "west")));
  EXPECT_THAT(parameter_values(schema, of(R"({"region":null,"deep":{"n":-7}})")), ElementsAre(Pair("Depth", "-7")));
  EXPECT_THAT(parameter_values(schema, of(R"({"deep":"x"})")), testing::IsEmpty());
}

TEST(HeaderParameters, RefuseWhatTheSpecificationDoes) {
  for (const auto* schema : {
           R"({"properties":{"a":{"type":"string","x-mcp-header":""}}})",
           R"({"properties":{"a":{"type":"string","x-mcp-header":"a b"}}})",
           R"({"properties":{"a":{"type":"string","x-mcp-header":"A:"}}})",
           R"({"properties":{"a":{"type":"string","x-mcp-header":7}}})",
           R"({"properties":{"a":{"type":"number","x-mcp-header":"A"}}})",
           R"({"properties":{"a":{"type":"object","x-mcp-header":"A"}}})",
           R"({"properties":{"a":{"x-mcp-header":"A"}}})",
           R"({"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}})",
           R"({"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}})",
           R"({"oneOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]})",
           R"({"$defs":{"d":{"type":"string","x-mcp-header":"A"}}})",
       }) {
    EXPECT_FALSE(mirrored_parameters(of(schema))) << schema;
  }
}

TEST(FieldValue, IsPlainWhereItCanBeAndComesBackWhatever) {
  EXPECT_EQ(field_value("us-west 1"), "us-west 1");
  EXPECT_EQ(field_value(" x"), "=?base64?IHg=?=");
  for (const std::string text : {"", "a", "a b", " a", "a\t", "caf\xc3\xa9", "a\nb", "=?base64?eA==?=", "=?base64?"}) {
    const auto value = field_value(text);
    EXPECT_EQ(value.find('\n'), std::string::npos);
    EXPECT_EQ(text_of_field(value), text);
  }
  EXPECT_EQ(text_of_field("=?base64?eA==?="), "x");
  for (const auto* value :
       {"=?base64?eA=?=", "=?base64?e?=", "=?base64?====?=", "=?base64?e A=?=", "=?base64?eA==eA==?="}) {
    EXPECT_EQ(text_of_field(value), std::nullopt) << value;
  }
}

}  // namespace
}  // namespace gatehouse::mcp
