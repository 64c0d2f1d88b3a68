#include "common/quota/budgets.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

namespace gatehouse {
namespace {

using policy::Allowance;
using policy::Quota;
using namespace std::chrono_literals;

const Budgets::Time kStart = Budgets::Time{} + 100h;

Quota quota(const Allowance& allowance, std::string counter = "session") {
  return {std::move(counter), "limit.session", "the session", allowance};
}

class BudgetFile : public testing::Test {
 protected:
  BudgetFile() { std::filesystem::remove(file_); }
  ~BudgetFile() override { std::filesystem::remove(file_); }
  const std::string file_ = testing::TempDir() + "budgets-test";
};

TEST(Budgets, LetSoManyRequestsPassAndNoMore) {
  const auto budgets = Budgets::forgetful();
  Allowance three;
  three.requests = 3;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(budgets->admit({quota(three)}, 0, kStart));
  const auto over = budgets->admit({quota(three)}, 0, kStart + 24h);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->denial.rule_id, "limit.session");
  EXPECT_EQ(over->denial.reason, "the budget of 3 requests for the session is used up");
  EXPECT_EQ(over->retry_after, 0s);
  EXPECT_FALSE(budgets->admit({quota(three, "another")}, 0, kStart));
}

TEST(Budgets, CountForAllOrForNone) {
  const auto budgets = Budgets::forgetful();
  Allowance one, many;
  one.requests = 1;
  many.requests = 2;
  EXPECT_FALSE(budgets->admit({quota(many, "a"), quota(one, "b")}, 0, kStart));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(budgets->admit({quota(many, "a"), quota(one, "b")}, 0, kStart));
  EXPECT_FALSE(budgets->admit({quota(many, "a")}, 0, kStart));
  EXPECT_TRUE(budgets->admit({quota(many, "a")}, 0, kStart));
}

TEST(Budgets, NeverLetMoreBytesMoveThanThereAre) {
  const auto budgets = Budgets::forgetful();
  Allowance bytes;
  bytes.bytes_out = 1024;
  bytes.bytes_in = 10;
  const std::vector<Quota> quotas = {quota(bytes)};
  EXPECT_FALSE(budgets->admit(quotas, 24, kStart));
  EXPECT_FALSE(budgets->spend(quotas, 999, 0));
  EXPECT_TRUE(budgets->spend(quotas, 2, 0));
  EXPECT_FALSE(budgets->spend(quotas, 1, 0));
  const auto over = budgets->spend(quotas, 1, 0);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->denial.reason, "the budget of 1 KiB to be sent for the session is used up");
  EXPECT_TRUE(budgets->spend(quotas, UINT64_MAX, 0)) << "no overflow";
  EXPECT_FALSE(budgets->spend(quotas, 0, 10));
  EXPECT_TRUE(budgets->spend(quotas, 0, 1));
  EXPECT_TRUE(budgets->admit(quotas, 0, kStart)) << "nothing could come back";
}

TEST(Budgets, FillTheBucketOfRequestsEvenly) {
  const auto budgets = Budgets::forgetful();
  Allowance rate;
  rate.requests_per_minute = 6;
  const std::vector<Quota> quotas = {quota(rate)};
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(budgets->admit(quotas, 0, kStart));
  const auto over = budgets->admit(quotas, 0, kStart);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->denial.reason, "more than 6 requests a minute for the session: try again in 10 s");
  EXPECT_EQ(over->retry_after, 10s);
  // Asking every millisecond loses nothing.
  for (int ms = 1; ms < 10'000; ++ms) ASSERT_TRUE(budgets->admit(quotas, 0, kStart + std::chrono::milliseconds(ms)));
  EXPECT_FALSE(budgets->admit(quotas, 0, kStart + 10s));
  EXPECT_TRUE(budgets->admit(quotas, 0, kStart + 10s));
  // However long it rests, it holds a minute's.
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(budgets->admit(quotas, 0, kStart + 10h));
  EXPECT_TRUE(budgets->admit(quotas, 0, kStart + 10h));
  // A clock that went back gives nothing at once, and fills as ever.
  EXPECT_TRUE(budgets->admit(quotas, 0, kStart));
  EXPECT_FALSE(budgets->admit(quotas, 0, kStart + 10s));
}

TEST(Budgets, AreSharedByThreads) {
  const auto budgets = Budgets::forgetful();
  Allowance some;
  some.requests = 1000;
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) admitted += !budgets->admit({quota(some)}, 0, kStart);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(admitted, 1000);
}

TEST(Budgets, RefuseWhatCannotBeCounted) {
  const auto budgets = Budgets::forgetful();
  Allowance many;
  many.requests = 5;
  for (size_t i = 0; i < kMaxCounters; ++i) {
    ASSERT_FALSE(budgets->admit({quota(many, fmt::format("host h{}.example.com", i))}, 0, kStart));
  }
  EXPECT_TRUE(budgets->admit({quota(many, "host one-more.example.com")}, 0, kStart));
  EXPECT_FALSE(budgets->admit({quota(many, "host h7.example.com")}, 0, kStart));
}

// As the proxy is killed and started again.
TEST_F(BudgetFile, KeepsItsCountThroughAKill) {
  Allowance three;
  three.requests = 3;
  three.bytes_out = 100;
  const pid_t child = ::fork();
  if (child == 0) {
    auto budgets = Budgets::open(file_);
    if (!budgets) ::_exit(1);
    (*budgets)->admit({quota(three)}, 0, kStart);
    (*budgets)->admit({quota(three)}, 0, kStart);
    (*budgets)->spend({quota(three)}, 60, 0);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto budgets = Budgets::open(file_);
  ASSERT_TRUE(budgets) << budgets.error().message();
  EXPECT_TRUE((*budgets)->spend({quota(three)}, 41, 0));
  EXPECT_FALSE((*budgets)->admit({quota(three)}, 0, kStart));
  EXPECT_TRUE((*budgets)->admit({quota(three)}, 0, kStart));
}

TEST_F(BudgetFile, RefusesAFileThatIsNotItsOwn) {
  std::ofstream(file_) << "something else";
  EXPECT_FALSE(Budgets::open(file_));
}

}  // namespace
}  // namespace gatehouse
