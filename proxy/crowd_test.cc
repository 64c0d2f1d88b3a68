#include "proxy/crowd.h"

#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

using testing::EndsWith;

TEST(Crowd, TellsOfTheFirstAtOnceAndOfAllThatFollowTogether) {
  Crowd crowd;
  EXPECT_FALSE(crowd.tell());
  const auto first = crowd.refuse();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->rule_id, "limit.connections");
  EXPECT_THAT(first->reason, EndsWith(": 1 refused"));
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(crowd.refuse());
  EXPECT_THAT(crowd.tell()->reason, EndsWith(": 1000 refused"));
  EXPECT_FALSE(crowd.refuse());  // it goes on: once a period
  EXPECT_THAT(crowd.tell()->reason, EndsWith(": 1 refused"));
  EXPECT_FALSE(crowd.tell());
  EXPECT_TRUE(crowd.refuse());
}

}  // namespace
}  // namespace gatehouse::proxy
