#include "guest/dns_table.h"

#include <gtest/gtest.h>

#include "guest/dns_message.h"

namespace gatehouse::guest {
namespace {

using namespace std::string_literals;
using std::chrono::milliseconds;

const DnsTable::Time kStart{};

std::string query_of(uint16_t id) {
  std::string query = "\0\0\x01\0\0\x01\0\0\0\0\0\0\x01"s + "a\0\0\x01\0\x01"s;
  set_message_id(query, id);
  return query;
}

std::string response_to(std::string query) {
  query[2] = '\x81';
  return query;
}

TEST(DnsTable, GivesEachClientItsOwnIdentifierBack) {
  DnsTable table;
  std::string first = query_of(7), second = query_of(7);
  std::vector<std::string> answers;
  const auto note = [&](const char* who) { return [&, who](const std::string&) { answers.push_back(who); }; };
  ASSERT_TRUE(table.add(first, note("first"), kStart));
  ASSERT_TRUE(table.add(second, note("second"), kStart));
  ASSERT_NE(message_id(first), message_id(second));
  for (const std::string& carried : {second, first}) {
    const auto settled = table.settle(response_to(carried));
    ASSERT_TRUE(settled);
    EXPECT_EQ(message_id(settled->answer), 7);
    settled->on_answer(settled->answer);
  }
  EXPECT_EQ(answers, (std::vector<std::string>{"second", "first"}));
  EXPECT_TRUE(table.empty());
}

TEST(DnsTable, SettlesAQueryOnce) {
  DnsTable table;
  std::string query = query_of(1);
  ASSERT_TRUE(table.add(query, {}, kStart));
  EXPECT_TRUE(table.settle(response_to(query)));
  EXPECT_FALSE(table.settle(response_to(query)));
}

TEST(DnsTable, RefusesMoreThanItsLimit) {
  DnsTable table;
  for (size_t i = 0; i < DnsTable::kMaxOutstanding; ++i) {
    std::string query = query_of(9);
    ASSERT_TRUE(table.add(query, {}, kStart));
  }
  std::string query = query_of(9);
  EXPECT_FALSE(table.add(query, {}, kStart));
  EXPECT_EQ(message_id(query), 9);
}

TEST(DnsTable, FindsAFreeIdentifierAfterSixtyFourThousandQueries) {
  DnsTable table;
  std::string held = query_of(1);
  ASSERT_TRUE(table.add(held, {}, kStart));
  for (int i = 0; i < 70'000; ++i) {
    std::string query = query_of(2);
    ASSERT_TRUE(table.add(query, {}, kStart));
    ASSERT_NE(message_id(query), message_id(held));
    ASSERT_TRUE(table.settle(response_to(query)));
  }
}

TEST(DnsTable, AnswersServerFailureAfterTheLifetime) {
  DnsTable table;
  std::string early = query_of(1), late = query_of(2);
  ASSERT_TRUE(table.add(early, {}, kStart));
  ASSERT_TRUE(table.add(late, {}, kStart + milliseconds(1)));
  EXPECT_TRUE(table.expire(kStart + DnsTable::kLifetime - milliseconds(1)).empty());
  const auto expired = table.expire(kStart + DnsTable::kLifetime);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].answer, server_failure(query_of(1)));
  EXPECT_EQ(table.size(), 1u);
}

TEST(DnsTable, AnswersEverybodyWhenTheConnectionIsGone) {
  DnsTable table;
  std::string query = query_of(0xbeef);
  ASSERT_TRUE(table.add(query, {}, kStart));
  const auto abandoned = table.abandon();
  ASSERT_EQ(abandoned.size(), 1u);
  EXPECT_EQ(abandoned[0].answer, server_failure(query_of(0xbeef)));
  EXPECT_TRUE(table.empty());
}

}  // namespace
}  // namespace gatehouse::guest
