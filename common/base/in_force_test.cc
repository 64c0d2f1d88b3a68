#include "common/base/in_force.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace gatehouse {
namespace {

TEST(InForce, LeavesWhoeverAskedWithWhatItGot) {
  InForce<int> number(std::make_shared<const int>(1));
  const auto before = number.get();
  number.set(std::make_shared<const int>(2));
  EXPECT_EQ(*before, 1);
  EXPECT_EQ(*number.get(), 2);
  EXPECT_EQ(before.use_count(), 1);
}

TEST(InForce, IsAskedByManyThreadsWhileOneReplacesIt) {
  constexpr int kLast = 2000;
  InForce<std::vector<int>> numbers(std::make_shared<const std::vector<int>>(16, 0));
  std::atomic<bool> whole = true;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int seen = 0; seen < kLast;) {
        const auto now = numbers.get();
        if (now->front() < seen || now->front() != now->back()) whole = false;
        seen = now->front();
      }
    });
  }
  for (int i = 1; i <= kLast; ++i) numbers.set(std::make_shared<const std::vector<int>>(16, i));
  threads.clear();
  EXPECT_TRUE(whole);
}

}  // namespace
}  // namespace gatehouse
