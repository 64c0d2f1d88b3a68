#include "dns/recorder.h"

#include <gtest/gtest.h>

#include "dns/query_builder.h"

namespace gatehouse::dns {
namespace {

using namespace std::chrono_literals;

// A recorder whose rows are committed by the test.
struct Desk {
  Pool pool;
  Resolver resolver{[](const policy::DnsQuestion&) { return Decision{Verdict::allow, "ok", "fine"}; }, pool, true};
  std::vector<Recorder::Committed> rows;
  std::vector<std::string> sent;
  Recorder recorder{resolver, [this](audit::DnsEvent, const std::string&, Recorder::Committed done) {
                      rows.push_back(std::move(done));
                    }};

  void ask(const std::string& name) {
    Draft draft;
    auto step = resolver.handle(QueryBuilder().ask(name).bytes(), Transport::stream, Time(1h), draft);
    recorder.hold(std::move(step), draft, [this](std::string_view reply) { sent.emplace_back(reply); });
  }
  static int rcode(const std::string& reply) { return read_message(reply).value().header.flags & kRcodeMask; }
};

TEST(DnsRecorder, SendsNothingBeforeTheCommit) {
  Desk desk;
  desk.ask("a.example");
  desk.ask("b.example");
  desk.ask("a.example");
  EXPECT_TRUE(desk.sent.empty());
  ASSERT_EQ(desk.rows.size(), 2U);
  desk.rows[0](Recorder::Outcome::as_decided);
  EXPECT_EQ(desk.sent.size(), 2U);
  desk.rows[1](Recorder::Outcome::as_decided);
  ASSERT_EQ(desk.sent.size(), 3U);
  for (const auto& reply : desk.sent) EXPECT_EQ(Desk::rcode(reply), 0);
}

TEST(DnsRecorder, SendsServfailForALostRowOnly) {
  Desk desk;
  desk.ask("a.example");
  desk.ask("b.example");
  desk.rows[0](fail("disk full"));
  desk.rows[1](Recorder::Outcome::as_decided);
  ASSERT_EQ(desk.sent.size(), 2U);
  EXPECT_EQ(Desk::rcode(desk.sent[0]), 2);
  EXPECT_EQ(Desk::rcode(desk.sent[1]), 0);
}

TEST(DnsRecorder, SendsTheDenialOfAnOverruledRowAndRemembersNothing) {
  Desk desk;
  desk.ask("a.example");
  desk.ask("a.example");
  desk.rows[0](Recorder::Outcome::overruled);
  ASSERT_EQ(desk.sent.size(), 2U);
  for (const auto& reply : desk.sent) {
    EXPECT_EQ(Desk::rcode(reply), 3);
    EXPECT_TRUE(read_message(reply).value().answers.empty());
  }
  desk.ask("a.example");
  EXPECT_EQ(desk.rows.size(), 2U) << "the next question is looked at again";
}

TEST(DnsRecorder, SumsUpNoRepeatsOfANameThatWasMasked) {
  Desk desk;
  desk.ask("a.example");
  desk.ask("a.example");
  desk.rows[0](Recorder::Outcome::masked);
  ASSERT_EQ(desk.sent.size(), 2U);
  EXPECT_EQ(Desk::rcode(desk.sent[0]), 0) << "the answer stands";
  desk.ask("a.example");
  EXPECT_EQ(desk.rows.size(), 2U) << "the next question has a row of its own";
  EXPECT_TRUE(desk.resolver.last_summaries().empty());
}

TEST(DnsRecorder, SaysWhenItIsFullAndWhenItHasRoomAgain) {
  Desk desk;
  int room = 0;
  desk.recorder.set_on_room([&] { ++room; });
  for (size_t i = 0; i < kMaxHeldReplies; ++i) {
    EXPECT_FALSE(desk.recorder.full());
    desk.ask("n" + std::to_string(i) + ".example");
  }
  EXPECT_TRUE(desk.recorder.full());
  desk.rows[0](Recorder::Outcome::as_decided);
  EXPECT_FALSE(desk.recorder.full());
  EXPECT_EQ(room, 1);
}

TEST(DnsRecorder, ForgetsRowsItDidNotOutlive) {
  std::vector<Recorder::Committed> rows;
  {
    Desk desk;
    desk.ask("a.example");
    rows = desk.rows;
  }
  rows[0](Recorder::Outcome::as_decided);
}

}  // namespace
}  // namespace gatehouse::dns
