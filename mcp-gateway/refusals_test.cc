#include "mcp-gateway/refusals.h"

#include <gmock/gmock.h>

#include "mcp-gateway/message.h"

namespace gatehouse::mcp {
namespace {

using testing::HasSubstr;

const Refusals::Time kStart = Refusals::Time{} + std::chrono::hours(1);

TEST(Refusals, NameTheKindAndNothingOfTheGuests) {
  Refusals refusals;
  const std::tuple<int, std::string, std::string, std::string> cases[] = {
      {kParseError, "", "mcp.malformed", ""},
      {kInvalidRequest, "tools/call", "mcp.protocol", "tools/call"},
      {kInvalidParams, "tools/call", "mcp.protocol", "tools/call"},
      {kMethodNotFound, "resources/read", "mcp.uncarried", "resources/read"},
      {kMethodNotFound, "ghp_hunter2", "mcp.uncarried", ""},
      {kBusy, "tools/call", "mcp.limit", "tools/call"}};
  for (const auto& [code, method, rule, told] : cases) {
    const auto row = refusals.refused(code, method, kStart);
    ASSERT_TRUE(row);
    EXPECT_EQ(row->decision.verdict, Verdict::deny);
    EXPECT_EQ(row->decision.rule_id, rule);
    EXPECT_EQ(row->method, told);
    EXPECT_EQ(row->decision.reason.find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(refusals.turned_away(kStart)->decision.rule_id, "mcp.limit");
}

TEST(Refusals, AreCountedWhenTheyFlood) {
  Refusals refusals;
  size_t rows = 0;
  for (int i = 0; i < 1000; ++i) rows += refusals.refused(kParseError, "", kStart).has_value();
  EXPECT_EQ(rows, kRefusalRowsAtOnce);
  EXPECT_TRUE(refusals.refused(kBusy, "", kStart));  // of another kind
  EXPECT_FALSE(refusals.refused(kParseError, "", kStart + kRefusalRowEvery / 2));
  const auto next = refusals.refused(kParseError, "", kStart + kRefusalRowEvery);
  ASSERT_TRUE(next);
  EXPECT_THAT(next->decision.reason, HasSubstr("; 969 more like it before this have no row"));
  EXPECT_FALSE(refusals.refused(kParseError, "", kStart + kRefusalRowEvery));
}

}  // namespace
}  // namespace gatehouse::mcp
