#include "launcher/approvals.h"

#include <gmock/gmock.h>

namespace gatehouse::launcher {
namespace {

using approval::Scope;
using approval::Wanted;
using namespace std::chrono_literals;

const Approvals::Time kStart{};

Wanted wanted(uint64_t id, std::string key = "k", std::chrono::milliseconds time = 10s) {
  return {id, "trace", "rule", "why", "https", "POST https://a.example.com/x", "", std::move(key), time};
}

uint64_t number_of(const std::variant<uint64_t, Approvals::Settled>& asked) { return std::get<uint64_t>(asked); }

TEST(Approvals, HoldAQuestionUntilItIsDecidedOnce) {
  Approvals approvals;
  const uint64_t number = number_of(approvals.ask(7, wanted(3), kStart));
  ASSERT_EQ(approvals.pending(kStart + 1s).size(), 1u);
  EXPECT_EQ(approvals.pending(kStart + 1s).front().waited, 1s);
  EXPECT_EQ(approvals.pending(kStart + 1s).front().left, 9s);
  const auto settled = approvals.decide({number, true, Scope::once}, "alice");
  ASSERT_TRUE(settled && settled->size() == 1);
  EXPECT_EQ(settled->front().asker, 7u);
  EXPECT_EQ(settled->front().decided.id, 3u);
  EXPECT_TRUE(settled->front().decided.allowed);
  EXPECT_EQ(settled->front().decided.reason, "allowed by alice");
  EXPECT_TRUE(approvals.pending(kStart).empty());
  // Once is once.
  EXPECT_TRUE(std::holds_alternative<uint64_t>(approvals.ask(7, wanted(4), kStart)));
  EXPECT_EQ(approvals.decide({number, true, Scope::once}, "alice").error().message(), "nothing waits under number 1");
}

TEST(Approvals, KeepADecisionForTheSessionForTheSameKeyAlone) {
  for (const bool allow : {true, false}) {
    Approvals approvals;
    const uint64_t first = number_of(approvals.ask(1, wanted(1), kStart));
    number_of(approvals.ask(2, wanted(1), kStart));
    number_of(approvals.ask(1, wanted(2, "other"), kStart));
    const auto settled = approvals.decide({first, allow, Scope::session}, "bob");
    ASSERT_TRUE(settled);
    ASSERT_EQ(settled->size(), 2u);  // both with that key
    EXPECT_EQ((*settled)[1].asker, 2u);
    EXPECT_EQ(approvals.pending(kStart).size(), 1u);
    const auto later = approvals.ask(3, wanted(9), kStart + 1h);
    ASSERT_TRUE(std::holds_alternative<Approvals::Settled>(later));
    EXPECT_EQ(std::get<Approvals::Settled>(later).decided.allowed, allow);
    EXPECT_EQ(std::get<Approvals::Settled>(later).decided.id, 9u);
    EXPECT_EQ(std::get<Approvals::Settled>(later).decided.by, "bob");
    approvals.forget_decisions();
    EXPECT_TRUE(std::holds_alternative<uint64_t>(approvals.ask(3, wanted(10), kStart)));
  }
}

TEST(Approvals, DecideWithoutAKeyOnlyOnce) {
  Approvals approvals;
  const uint64_t number = number_of(approvals.ask(1, wanted(1, ""), kStart));
  EXPECT_FALSE(approvals.decide({number, true, Scope::session}, "alice"));
  EXPECT_EQ(approvals.pending(kStart).size(), 1u);
  EXPECT_TRUE(approvals.decide({number, true, Scope::once}, "alice"));
}

TEST(Approvals, DenyWhatHasWaitedTooLong) {
  Approvals approvals;
  EXPECT_FALSE(approvals.next_expiry());
  number_of(approvals.ask(1, wanted(1, "a", 10s), kStart));
  number_of(approvals.ask(1, wanted(2, "b", 5s), kStart));
  EXPECT_EQ(approvals.next_expiry(), kStart + 5s);
  EXPECT_TRUE(approvals.expire(kStart + 4999ms).empty());
  const auto settled = approvals.expire(kStart + 5s);
  ASSERT_EQ(settled.size(), 1u);
  EXPECT_EQ(settled.front().decided.id, 2u);
  EXPECT_FALSE(settled.front().decided.allowed);
  EXPECT_EQ(settled.front().decided.reason, "nobody has decided within 5 s");
  EXPECT_EQ(approvals.next_expiry(), kStart + 10s);
}

TEST(Approvals, DenyAtOnceWhatComesAboveTheLimit) {
  Approvals approvals;
  for (uint64_t i = 0; i < approval::kMaxPending; ++i) number_of(approvals.ask(1, wanted(i), kStart));
  const auto more = approvals.ask(1, wanted(99), kStart);
  ASSERT_TRUE(std::holds_alternative<Approvals::Settled>(more));
  EXPECT_FALSE(std::get<Approvals::Settled>(more).decided.allowed);
  EXPECT_EQ(std::get<Approvals::Settled>(more).decided.reason, "32 others wait already");
}

TEST(Approvals, ForgetWhatNobodyWaitsForAnyMore) {
  Approvals approvals;
  number_of(approvals.ask(1, wanted(1), kStart));
  number_of(approvals.ask(1, wanted(2), kStart));
  number_of(approvals.ask(2, wanted(1), kStart));
  approvals.withdraw(1, 1);
  EXPECT_EQ(approvals.pending(kStart).size(), 2u);
  approvals.withdraw_all(1);
  ASSERT_EQ(approvals.pending(kStart).size(), 1u);
  EXPECT_EQ(approvals.pending(kStart).front().number, 3u);
}

}  // namespace
}  // namespace gatehouse::launcher
