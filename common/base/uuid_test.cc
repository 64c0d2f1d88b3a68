#include "common/base/uuid.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

namespace gatehouse {
namespace {

TEST(Uuid, HasTheFormOfVersion7) {
  EXPECT_THAT(make_uuid(),
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
}

TEST(Uuid, BeginsWithTheMillisecondItWasMadeIn) {
  const int64_t before = now_utc_us() / 1000;
  const std::string id = make_uuid();
  const int64_t stamp = std::stoll(id.substr(0, 8) + id.substr(9, 4), nullptr, 16);
  EXPECT_GE(stamp, before);
  EXPECT_LE(stamp, now_utc_us() / 1000 + 1000);  // ids made in a burst borrow from the milliseconds to come
}

TEST(Uuid, GrowsStrictlyWithinAThreadAndIsUniqueAcrossThreads) {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& ids : made) {
    threads.emplace_back([&ids] {
      for (int i = 0; i < 2000; ++i) ids.push_back(make_uuid());
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& ids : made) {
    for (size_t i = 1; i < ids.size(); ++i) ASSERT_LT(ids[i - 1], ids[i]);
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_EQ(all.size(), 8000U);
}

}  // namespace
}  // namespace gatehouse
