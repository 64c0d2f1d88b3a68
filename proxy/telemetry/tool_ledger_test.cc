#include "proxy/telemetry/tool_ledger.h"

#include <gtest/gtest.h>

namespace gatehouse::proxy {
namespace {

TEST(ToolLedger, LinksAnAnswerToItsCall) {
  ToolLedger ledger;
  ledger.called("h", "id1", {"shell", "trace1"});
  EXPECT_FALSE(ledger.is_answered("h", "id1"));
  const auto call = ledger.answered("h", "id1", "");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->name, "shell");
  EXPECT_EQ(call->trace_id, "trace1");
  EXPECT_TRUE(ledger.is_answered("h", "id1"));
}

TEST(ToolLedger, KnowsNoCallOfAnotherHost) {
  ToolLedger ledger;
  ledger.called("h", "id1", {"shell", "trace1"});
  EXPECT_FALSE(ledger.answered("other", "id1", ""));
  EXPECT_TRUE(ledger.is_answered("other", "id1"));
}

TEST(ToolLedger, TakesAnIdThatIsUsedAgainForTheNewCall) {
  ToolLedger ledger;
  ledger.called("h", "id1", {"shell", "trace1"});
  ledger.answered("h", "id1", "");
  ledger.called("h", "id1", {"read", "trace2"});
  EXPECT_FALSE(ledger.is_answered("h", "id1"));
  EXPECT_EQ(ledger.answered("h", "id1", "")->trace_id, "trace2");
}

TEST(ToolLedger, FindsTheLatestCallOfAToolWhereThereIsNoId) {
  ToolLedger ledger;
  ledger.called("h", "", {"shell", "trace1"});
  ledger.called("h", "", {"shell", "trace2"});
  EXPECT_EQ(ledger.answered("h", "", "shell")->trace_id, "trace2");
  EXPECT_FALSE(ledger.answered("h", "", "read"));
}

TEST(ToolLedger, ForgetsTheOldestWhenItIsFull) {
  ToolLedger ledger;
  for (size_t i = 0; i < kMaxToolsRemembered; ++i) ledger.called("h", std::to_string(i), {"shell", "t"});
  ledger.called("h", "0", {"shell", "t"});  // used again
  ledger.called("h", "new", {"shell", "t"});
  EXPECT_EQ(ledger.size(), kMaxToolsRemembered);
  EXPECT_TRUE(ledger.answered("h", "0", ""));
  EXPECT_FALSE(ledger.answered("h", "1", ""));
}

}  // namespace
}  // namespace gatehouse::proxy
