#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using GuestSessionTest = SessionTest;

TEST_F(GuestSessionTest, OpensNothingBeforeTheVerdictIsCommitted) {
  dial();
  session_->on_bytes(kGet);
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_EQ(world_->rows[0].path, "/x");
  EXPECT_EQ(world_->rows[0].decision.rule_id, "all");
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
  world_->answer_commit();
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7", "open api.test.example:80"));
}

TEST_F(GuestSessionTest, RelaysAnExchangeAndKeepsBothConnections) {
  dial();
  forward(kGet);
  EXPECT_THAT(wire_.sent, StartsWith("GET /x?q=1 HTTP/1.1\r\nHost: api.test.example\r\n"));
  wire_.listener->on_upstream_bytes(kResponse);
  EXPECT_THAT(world_->to_guest, EndsWith("\r\n\r\nhi"));
  EXPECT_EQ(world_->log.back(), "keep");
  ASSERT_EQ(world_->results.size(), 1U);
  EXPECT_EQ(world_->results[0].event_id, world_->rows[0].event_id);
  EXPECT_EQ(world_->results[0].error, "");
  world_->to_guest.clear();
  forward(kGet);
  wire_.listener->on_upstream_bytes(kResponse);
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(GuestSessionTest, ForwardsNothingWhenTheLogCannotBeWritten) {
  dial();
  session_->on_bytes(kGet);
  world_->answer_commit(fail("disk full"));
  EXPECT_THAT(world_->to_guest, HasSubstr("503"));
  EXPECT_THAT(world_->to_guest, HasSubstr("audit.unavailable"));
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
}

TEST_F(GuestSessionTest, DeniesReadablyAndGoesOn) {
  for (const auto& [path, rule] : {std::pair{"/no", "no"}, std::pair{"/ask", "ask"}}) {
    restart();
    dial();
    session_->on_bytes(fmt::format("GET {} HTTP/1.1\r\nHost: api.test.example\r\n\r\n", path));
    world_->answer_commit();
    EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::deny);
    EXPECT_EQ(world_->rows[0].decision.rule_id, rule);
    EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 403"));
    EXPECT_THAT(world_->to_guest, HasSubstr(world_->rows[0].event_id));
    EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
    forward(kGet);
    EXPECT_TRUE(wire_.open);
  }
}

TEST_F(GuestSessionTest, LetsADeniedGuestFinishSendingBeforeItCloses) {
  dial();
  session_->on_bytes("POST /no HTTP/1.1\r\nHost: api.test.example\r\nContent-Length: 100000\r\n\r\n");
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("Connection: close"));
  EXPECT_EQ(world_->log.back(), "shutdown");
  EXPECT_TRUE(world_->reading);
  session_->on_bytes(std::string(100000, 'x'));
  session_->on_end();
  EXPECT_EQ(world_->log.back(), "close");
}

TEST_F(GuestSessionTest, CutsAGuestThatNeverFinishes) {
  dial();
  session_->on_bytes("POST /no HTTP/1.1\r\nHost: api.test.example\r\nContent-Length: 100000\r\n\r\n");
  world_->answer_commit();
  session_->on_bytes(std::string(kMaxLingerBytes + 1, 'x'));
  EXPECT_EQ(world_->log.back(), "reset");
}

TEST_F(GuestSessionTest, RefusesAnAddressOutsideThePoolWithoutAskingForItsName) {
  start();
  ProxyHeader header{*IpAddress::parse("10.0.0.1"), 1, *IpAddress::parse("8.8.8.8"), 80};
  session_->on_bytes(serialize_proxy_header(header) + kGet);
  EXPECT_FALSE(world_->name);
  world_->answer_commit();
  EXPECT_EQ(world_->rows[0].decision.rule_id, "address.unknown");
}

TEST_F(GuestSessionTest, RefusesAnAddressWithoutAName) {
  start();
  ProxyHeader header{*IpAddress::parse("10.0.0.1"), 1, *IpAddress::parse("198.19.255.254"), 80};
  session_->on_bytes(serialize_proxy_header(header) + kGet);
  std::exchange(world_->name, nullptr)(std::optional<std::string>());
  world_->answer_commit();
  EXPECT_EQ(world_->rows[0].decision.rule_id, "address.unknown");
  EXPECT_EQ(world_->rows[0].address, "198.19.255.254");
  EXPECT_THAT(world_->to_guest, HasSubstr("198.19.255.254 is not an address that Gatehouse"));
}

TEST_F(GuestSessionTest, NamesWhatEndedAConnectionWithoutARequest) {
  struct Case {
    std::string bytes;
    std::string rule;
  };
  for (const auto& [bytes, rule] : {Case{"", "protocol.silent"}, Case{"\x01\x02", "protocol.unknown"},
                                    Case{"\x16\x03\x01\x00\x05hello", "tls.client-error"}}) {
    restart();
    dial("api.test.example", 22);
    if (!bytes.empty()) session_->on_bytes(bytes);
    if (world_->rows.empty()) session_->on_deadline();
    ASSERT_EQ(world_->rows.size(), 1U) << rule;
    EXPECT_EQ(world_->rows[0].decision.rule_id, rule);
    EXPECT_EQ(world_->rows[0].port, 22);
    EXPECT_NE(world_->log.back(), "close");  // not before the row is there
    world_->answer_commit();
    EXPECT_EQ(world_->log.back(), "close");
  }
}

TEST_F(GuestSessionTest, RefusesLessThanAProxyHeader) {
  for (const std::string_view part : {"", "\r\n\r\n"}) {
    for (const bool fails : {false, true}) {
      restart();
      start();
      if (!part.empty()) session_->on_bytes(part);
      fails ? session_->on_error(Error("reset")) : session_->on_end();
      ASSERT_EQ(world_->rows.size(), 1U);
      EXPECT_EQ(world_->rows[0].decision.rule_id, "proxy-header.cut-short");
    }
  }
  restart();
  start();
  session_->on_bytes("GET / HTTP/1.1\r\n");
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "proxy-header.signature");
  EXPECT_EQ(world_->to_guest, "");
}

TEST_F(GuestSessionTest, RefusesAHostOrPortThatIsNotTheOneDialled) {
  for (const std::string host : {"other.test.example", "api.test.example:81"}) {
    restart();
    dial();
    session_->on_bytes("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    EXPECT_EQ(world_->rows.at(0).decision.rule_id, "name.mismatch") << host;
  }
}

TEST_F(GuestSessionTest, ReportsARefusedAddressAsAVerdictOfItsOwn) {
  dial();
  session_->on_bytes(kGet);
  world_->answer_commit();
  OpenFailure refused{Decision{Verdict::deny, "address.private", "10.0.0.1 is private"}, 403, "address.private", "",
                      "10.0.0.1"};
  std::exchange(world_->opened, nullptr)(tl::unexpected(refused));
  ASSERT_EQ(world_->rows.size(), 2U);
  EXPECT_EQ(world_->rows[1].decision.rule_id, "address.private");
  EXPECT_EQ(world_->rows[1].trace_id, world_->rows[0].trace_id);
  EXPECT_NE(world_->rows[1].event_id, world_->rows[0].event_id);
  EXPECT_EQ(world_->to_guest, "");  // not before the row is committed
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("address.private"));
}

TEST_F(GuestSessionTest, RetriesOnAFreshConnectionWhenAKeptOneDied) {
  dial();
  forward(kGet, true);
  wire_.listener->on_upstream_end(true);
  EXPECT_EQ(world_->log.back(), "open api.test.example:80");
  world_->answer_open(second_);
  EXPECT_THAT(second_.sent, StartsWith("GET /x"));
  second_.listener->on_upstream_end(true);
  EXPECT_THAT(world_->to_guest, HasSubstr("upstream.closed"));
}

TEST_F(GuestSessionTest, NeverSendsARequestTwiceThatMayHaveBeenActedUpon) {
  for (const std::string request : {"POST /x HTTP/1.1\r\nHost: api.test.example\r\nContent-Length: 0\r\n\r\n",
                                    "PUT /x HTTP/1.1\r\nHost: api.test.example\r\nContent-Length: 2\r\n\r\nab"}) {
    restart();
    dial();
    forward(request, true);
    wire_.listener->on_upstream_end(true);
    EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 502"));
  }
}

TEST_F(GuestSessionTest, CutsAResponseThatWasCut) {
  dial();
  forward(kGet);
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  wire_.listener->on_upstream_end(true);
  EXPECT_THAT(world_->to_guest, EndsWith("half"));
  EXPECT_EQ(world_->log.back(), "reset");
  EXPECT_THAT(world_->results.at(0).error, HasSubstr("before its response was complete"));
}

TEST_F(GuestSessionTest, StopsReadingASideWhoseOtherSideIsFull) {
  dial();
  forward("POST /x HTTP/1.1\r\nHost: api.test.example\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_TRUE(world_->reading);
  wire_.queued = kMaxQueuedBytes + 1;
  session_->on_bytes(std::string(10, 'x'));
  EXPECT_TRUE(world_->reading);  // a little ahead
  session_->on_bytes(std::string(kMaxAheadBytes + 1, 'x'));
  EXPECT_FALSE(world_->reading);
  EXPECT_LT(wire_.sent.size(), 1000U);
  wire_.queued = 0;
  wire_.listener->on_upstream_drained();
  EXPECT_TRUE(world_->reading);
  world_->guest_queued = kMaxQueuedBytes + 1;
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx");
  EXPECT_FALSE(wire_.reading);
  world_->guest_queued = 0;
  session_->on_drained();
  EXPECT_TRUE(wire_.reading);
}

TEST_F(GuestSessionTest, TakesNoFurtherRequestWhileItsAnswersAreNotTaken) {
  dial();
  session_->on_bytes("GET /no HTTP/1.1\r\nHost: api.test.example\r\n\r\n" + kGet);
  world_->guest_queued = kMaxQueuedBytes + 1;
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 403"));
  EXPECT_EQ(world_->rows.size(), 1U);
  EXPECT_FALSE(world_->reading);
  session_->on_bytes(kGet);
  EXPECT_EQ(world_->rows.size(), 1U);

  world_->guest_queued = 0;
  session_->on_drained();
  EXPECT_EQ(world_->rows.size(), 2U);
  EXPECT_EQ(world_->rows.back().decision.rule_id, "all");
  EXPECT_TRUE(world_->reading);
}

TEST_F(GuestSessionTest, EndsOnceItsAnswersAreTakenByAGuestThatSaysNoMore) {
  dial();
  session_->on_bytes("GET /no HTTP/1.1\r\nHost: api.test.example\r\n\r\n");
  world_->guest_queued = kMaxQueuedBytes + 1;
  world_->answer_commit();
  session_->on_end();
  EXPECT_EQ(world_->log.back(), "name 198.18.0.7");
  world_->guest_queued = 0;
  session_->on_drained();
  EXPECT_EQ(world_->log.back(), "close");
}

TEST_F(GuestSessionTest, ReChunksAChunkedBody) {
  dial();
  forward(
      "POST /x HTTP/1.1\r\nHost: api.test.example\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\n\r\n");
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
}

TEST_F(GuestSessionTest, EndsWithinABrokenBodyWithoutCompletingItUpstream) {
  dial();
  forward("POST /x HTTP/1.1\r\nHost: api.test.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
  EXPECT_FALSE(wire_.open);
  EXPECT_THAT(wire_.sent, EndsWith("3\r\nabc\r\n"));
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(world_->rows.at(1).decision.rule_id, StartsWith("http."));
}

TEST_F(GuestSessionTest, TunnelsOnlyToLookInside) {
  start(GuestSession::Entry::explicit_proxy);
  session_->on_bytes("CONNECT api.test.example:80 HTTP/1.1\r\nHost: api.test.example:80\r\n\r\n");
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(world_->rows, IsEmpty());
  forward(kGet);
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "all");
  EXPECT_THAT(wire_.sent, StartsWith("GET /x"));
}

TEST_F(GuestSessionTest, IsNoOriginServerOnAnExplicitPort) {
  start(GuestSession::Entry::explicit_proxy);
  session_->on_bytes(kGet);
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "protocol.form");
}

TEST_F(GuestSessionTest, DropsTheUpstreamWhenTheGuestIsGone) {
  dial();
  forward(kGet);
  session_->on_error(Error("connection reset by peer"));
  EXPECT_FALSE(wire_.open);
  EXPECT_THAT(world_->results.at(0).error, HasSubstr("connection reset by peer"));
  EXPECT_EQ(world_->log.back(), "close");
}

// One that was judged before keeps to what it was judged by, here the rule's limit on a body.
TEST_F(GuestSessionTest, JudgesEachRequestByThePolicyThatIsInForceWhenItBegins) {
  policy_ = *policy::Policy::parse({{"test.json", R"({"version": 1, "name": "test", "http": [
    {"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"], "request_body": 3}]})"}});
  const Generation next{*policy::Policy::parse({{"test.json", R"({"version": 1, "name": "test", "http": [
    {"id": "gone", "action": "deny", "hosts": ["api.test.example"]}]})"}}),
                        {}};
  dial();
  forward("POST /x HTTP/1.1\r\nHost: api.test.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  world_->rules = &next;
  session_->on_bytes("3\r\nabc\r\n0\r\n\r\n");
  wire_.listener->on_upstream_bytes(kResponse);
  EXPECT_THAT(world_->to_guest, EndsWith("hi"));
  world_->log.clear();
  session_->on_bytes(kGet);
  world_->answer_commit();
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "all");
  EXPECT_EQ(world_->rows.at(1).decision.rule_id, "gone");
  EXPECT_THAT(world_->log, IsEmpty());
}

TEST_F(GuestSessionTest, SaysWhenTheUpstreamIsSilentForTooLong) {
  dial();
  forward(kGet);
  EXPECT_LE(world_->deadline, policy_.limits().first_byte_time);
  EXPECT_GT(world_->deadline, policy_.limits().idle_time);
  session_->on_deadline();
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 504"));
  EXPECT_FALSE(wire_.open);
}

}  // namespace
}  // namespace gatehouse::proxy
