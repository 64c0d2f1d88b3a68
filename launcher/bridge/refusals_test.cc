#include "launcher/bridge/refusals.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatehouse::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> texts(const std::vector<audit::NetEvent>& events) {
  std::vector<std::string> result;
  for (const auto& event : events) {
    result.push_back(fmt::format("{} {} {}:{} {} [{}]", to_string(event.decision.verdict), event.channel,
                                 event.decision.rule_id, event.port, event.decision.reason, event.detail));
  }
  return result;
}

TEST(Refusals, RecordTheFirstAtOnceAndCountTheRest) {
  Refusals refusals;
  EXPECT_THAT(texts(refusals.add({7, "vsock.port", "no service"})),
              ElementsAre("deny vsock vsock.port:7 no service []"));
  EXPECT_THAT(refusals.add({7, "vsock.port", "no service"}), IsEmpty());
  EXPECT_THAT(refusals.add({7, "vsock.port", "no service"}), IsEmpty());
  EXPECT_THAT(texts(refusals.add({8, "vsock.port", "nor here"})), ElementsAre("deny vsock vsock.port:8 nor here []"));
  EXPECT_THAT(texts(refusals.flush()), ElementsAre("deny vsock vsock.port:7 no service [2 more within a second]"));
}

TEST(Refusals, KeepOneRowASecondWhileAFloodLasts) {
  Refusals refusals;
  refusals.add({7, "vsock.port", "no service"});
  for (int second = 0; second < 3; ++second) {
    EXPECT_THAT(refusals.add({7, "vsock.port", "no service"}), IsEmpty());
    EXPECT_EQ(refusals.flush().size(), 1u);
  }
  EXPECT_THAT(refusals.flush(), IsEmpty());
  EXPECT_TRUE(refusals.quiet());
  EXPECT_EQ(refusals.add({7, "vsock.port", "no service"}).size(), 1u) << "after a quiet second it is news again";
}

TEST(Refusals, ShareOneRowBeyondSoManyKinds) {
  Refusals refusals;
  size_t rows = 0;
  for (uint32_t port = 0; port < 10000; ++port) rows += refusals.add({port, "vsock.port", "no service"}).size();
  EXPECT_EQ(rows, kMaxRefusalsTold);
  EXPECT_THAT(texts(refusals.flush()), ElementsAre("deny vsock vsock.flood:0 more than 64 kinds of refusal a second "
                                                   "[9936 more refusals of other kinds within a second]"));
}

}  // namespace
}  // namespace gatehouse::bridge
