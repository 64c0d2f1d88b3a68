#include "mcp-gateway/http_exchange.h"

#include <gmock/gmock.h>

namespace gatehouse::mcp {
namespace {

using testing::HasSubstr;

Catalogue catalogue() {
  Item item;
  item.server = "a";
  item.name = item.shown = "run";
  item.pin = "1";
  item.definition = *json::read(R"({"name":"run","inputSchema":{"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"}}}})");
  Catalogue tools;
  tools.replace("a", {std::move(item)});
  return tools;
}

Message call(const std::string& params) {
  return *parse_message(*json::read(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)" + params + "}"));
}

TEST(HeaderMismatch, IsTheLeastDifferenceFromTheBody) {
  const auto tools = catalogue();
  const std::string plain = R"({"name":"run"})";
  const std::string mirrored = R"({"name":"run","arguments":{"region":"west","n":42}})";
  const struct {
    std::string params;
    proxy::Fields fields;
    std::string_view why;  // empty: none
  } table[] = {
      {plain, {{"mcp-method", "tools/call"}, {"MCP-NAME", "run"}}, ""},
      {plain, {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "=?base64?cnVu?="}}, ""},
      {plain, {{"Mcp-Name", "run"}}, "Mcp-Method"},
      {plain, {{"Mcp-Method", "Tools/Call"}, {"Mcp-Name", "run"}}, "Mcp-Method"},
      {plain, {{"Mcp-Method", "tools/call"}, {"Mcp-Method", "tools/call"}, {"Mcp-Name", "run"}}, "Mcp-Method"},
      {plain, {{"Mcp-Method", "tools/call"}}, "Mcp-Name"},
      {plain, {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "walk"}}, "Mcp-Name"},
      {plain, {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "=?base64?cnV?="}}, "Mcp-Name"},
      {plain, {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "run"}, {"Mcp-Param-Region", "west"}}, "Mcp-Param-Region"},
      {plain, {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "run"}, {"Mcp-Param-Other", "x"}}, ""},
      {mirrored,
       {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "run"}, {"Mcp-Param-Region", "west"}, {"Mcp-Param-N", "42.0"}},
       ""},
      {mirrored, {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "run"}, {"Mcp-Param-Region", "west"}}, "Mcp-Param-N"},
      {mirrored,
       {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "run"}, {"Mcp-Param-Region", "east"}, {"Mcp-Param-N", "42"}},
       "Mcp-Param-Region"},
      {mirrored,
       {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "run"}, {"Mcp-Param-Region", "west"}, {"Mcp-Param-N", "43"}},
       "Mcp-Param-N"},
  };
  for (const auto& one : table) {
    const auto why = header_mismatch(one.fields, call(one.params), tools);
    EXPECT_EQ(why.has_value(), !one.why.empty()) << one.params << " " << why.value_or("none");
    if (why) {
      EXPECT_THAT(*why, HasSubstr(one.why));
    }
  }
}

}  // namespace
}  // namespace gatehouse::mcp
