#include "launcher/restart_backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace gatehouse::launcher {
namespace {

using std::chrono::milliseconds;

// Crashes `lifetime` after each start and reports the delays, -1 for none.
std::vector<int64_t> delays(RestartBackoff& backoff, int crashes, milliseconds lifetime) {
  RestartBackoff::Time now{};
  std::vector<int64_t> list;
  for (int i = 0; i < crashes; ++i) {
    backoff.started(now);
    now += lifetime;
    const auto delay = backoff.crashed(now);
    list.push_back(delay ? delay->count() : -1);
    if (delay) now += *delay;
  }
  return list;
}

TEST(RestartBackoff, FirstRestartIsImmediateAndLaterOnesWaitLonger) {
  RestartBackoff backoff;
  EXPECT_EQ(delays(backoff, 8, milliseconds(10)), (std::vector<int64_t>{0, 25, 50, 100, 200, 400, 500, 500}));
}

TEST(RestartBackoff, AProcessThatLivedAWhileRestartsAtOnce) {
  RestartBackoff backoff;
  EXPECT_EQ(delays(backoff, 10, milliseconds(1000)), std::vector<int64_t>(10, 0));
}

TEST(RestartBackoff, TooManyCrashesWithinAMinuteEndIt) {
  RestartBackoff backoff;
  const auto list = delays(backoff, 16, milliseconds(1500));
  EXPECT_EQ(list[14], 0);
  EXPECT_EQ(list[15], -1);
}

TEST(RestartBackoff, OldCrashesAreForgotten) {
  RestartBackoff backoff;
  const auto list = delays(backoff, 60, milliseconds(4500));
  EXPECT_EQ(list, std::vector<int64_t>(60, 0));
}

}  // namespace
}  // namespace gatehouse::launcher
