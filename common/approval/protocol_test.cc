#include "common/approval/protocol.h"

#include <gmock/gmock.h>

#include "common/ipc/frame.h"

namespace gatehouse::approval {
namespace {

using namespace std::chrono_literals;

std::string payload_of(const std::string& frame) { return frame.substr(ipc::kFrameHeaderBytes); }

Wanted sample() { return {7, "trace", "rule", "why", "https", "POST https://a.example.com/x", "12 bytes", "key", 5s}; }

TEST(ApprovalProtocol, ReadsWhatItWrites) {
  const auto wanted = parse_wanted(payload_of(encode(sample())));
  ASSERT_TRUE(wanted) << wanted.error().message();
  EXPECT_EQ(wanted->id, 7u);
  EXPECT_EQ(wanted->what, "POST https://a.example.com/x");
  EXPECT_EQ(wanted->key, "key");
  EXPECT_EQ(wanted->time, 5s);
  EXPECT_EQ(parse_withdrawn(payload_of(encode_withdrawn(9))).value(), 9u);
  const auto decided = parse_decided(payload_of(encode(Decided{7, true, Scope::session, "alice", "because"})));
  ASSERT_TRUE(decided);
  EXPECT_TRUE(decided->allowed);
  EXPECT_EQ(decided->scope, Scope::session);
  EXPECT_EQ(decided->by, "alice");
  const auto pending = parse_pending(payload_of(encode(std::vector<Pending>{{3, 1s, 2s, sample()}})));
  ASSERT_TRUE(pending && pending->size() == 1);
  EXPECT_EQ(pending->front().number, 3u);
  EXPECT_EQ(pending->front().left, 2s);
  EXPECT_EQ(pending->front().wanted.rule, "rule");
  const auto decide = parse_decide(payload_of(encode(Decide{3, true, Scope::session})));
  ASSERT_TRUE(decide);
  EXPECT_TRUE(decide->allow);
  EXPECT_EQ(parse_reply(payload_of(encode(Reply{true, "done"})))->message, "done");
}

TEST(ApprovalProtocol, FitsAFullListOfTheLongestTextsIntoAFrame) {
  Wanted long_one = sample();
  for (std::string* text : {&long_one.trace_id, &long_one.rule, &long_one.reason, &long_one.channel, &long_one.what,
                            &long_one.detail, &long_one.key}) {
    text->assign(10'000, '\xff');
  }
  const std::vector<Pending> full(kMaxPending, Pending{1, 1s, 1s, long_one});
  const auto read = parse_pending(payload_of(encode(full)));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->size(), kMaxPending);
}

TEST(ApprovalProtocol, RefusesWhatItDoesNotKnow) {
  for (const std::string_view payload : {
           "",
           "[]",
           "7",
           "{",
           "{\"id\":1}",
           R"({"id":-1,"allowed":true,"scope":"once","by":"","reason":""})",
           R"({"id":1,"allowed":"true","scope":"once","by":"","reason":""})",
           R"({"id":1,"allowed":true,"scope":"always","by":"","reason":""})",
           R"({"id":1,"allowed":true,"scope":"once","by":"","reason":"","more":1})",
           R"({"allowed":true,"scope":"once","by":"","reason":""})",
       }) {
    EXPECT_FALSE(parse_decided(payload)) << payload;
  }
  EXPECT_FALSE(parse_wanted(R"({"id":1})"));
  EXPECT_FALSE(parse_pending(R"({"pending":{}})"));
  EXPECT_FALSE(parse_pending(R"({"pending":[1]})"));
}

}  // namespace
}  // namespace gatehouse::approval
