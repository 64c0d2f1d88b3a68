#include "proxy/tls_passthrough.h"

#include "proxy/test_client_hello.h"
#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kPinned[] = "pin.test.example";

class PassthroughTest : public SessionTest {
 protected:
  void rules(const std::string& more = "", const std::string& bounds = "") {
    auto policy = policy::Policy::parse(
        {{"test.json", R"({"version": 1, "name": "test", "http": [
        {"id": "pinned", "action": "allow", "hosts": ["pin.test.example"], "tls": "passthrough")" +
                           bounds + "}," + more +
                           R"({"id": "web", "action": "allow", "hosts": ["api.test.example"]}]})"}});
    ASSERT_TRUE(policy) << policy.error().message();
    policy_ = std::move(*policy);
  }
  void SetUp() override { rules(); }

  // A connection that is open both ways.
  void open() {
    dial(kPinned, 443);
    session_->on_bytes(hello_for(kPinned));
    world_->answer_commit();
    world_->answer_open_bytes(wire_);
  }
  // It leaves this row alone, an alert, and no upstream has been asked for.
  void expect_refused(std::string_view rule, char alert) {
    ASSERT_EQ(world_->rows.size(), 1U);
    EXPECT_EQ(world_->rows[0].decision.rule_id, rule);
    EXPECT_EQ(world_->rows[0].channel, "tls");
    EXPECT_FALSE(world_->rows[0].decision.allowed());
    world_->answer_commit();
    EXPECT_EQ(world_->to_guest, tls_alert(alert));
    EXPECT_THAT(world_->log, testing::Not(testing::Contains(HasSubstr("open"))));
    EXPECT_EQ(world_->opened_bytes, nullptr);
  }
  // OpenSSL has seen the hello, of which it can make nothing.
  void expect_intercepted() {
    ASSERT_EQ(world_->rows.size(), 1U);
    EXPECT_EQ(world_->rows[0].decision.rule_id, "tls.client-error");
    EXPECT_EQ(world_->rows[0].channel, "https");
    EXPECT_EQ(world_->opened_bytes, nullptr);
  }
};

TEST_F(PassthroughTest, IsRecordedBeforeAnythingIsLookedUp) {
  dial(kPinned, 443);
  const auto hello = hello_for(kPinned);
  session_->on_bytes(hello.substr(0, 20));
  EXPECT_THAT(world_->rows, IsEmpty());
  session_->on_bytes(hello.substr(20));
  ASSERT_EQ(world_->rows.size(), 1U);
  const auto& row = world_->rows[0];
  EXPECT_TRUE(row.decision.allowed());
  EXPECT_EQ(row.decision.rule_id, "pinned");
  EXPECT_EQ(row.channel, "tls");
  EXPECT_EQ(row.host, kPinned);
  EXPECT_EQ(row.sni, kPinned);
  EXPECT_EQ(row.port, 443);
  EXPECT_EQ(row.detail, "tls: passthrough, uninspected");
  EXPECT_THAT(world_->log, testing::Not(testing::Contains(HasSubstr("open"))));
  world_->answer_commit();
  EXPECT_THAT(world_->log, testing::Contains("open bytes pin.test.example:443"));
}

TEST_F(PassthroughTest, CarriesBytesBothWaysAndCountsThem) {
  open();
  const auto hello = hello_for(kPinned);
  EXPECT_EQ(wire_.sent, hello) << "not one byte of it is ours";
  EXPECT_TRUE(wire_.reading);
  wire_.listener->on_upstream_bytes("server hello");
  EXPECT_EQ(world_->to_guest, "server hello");
  session_->on_bytes("more");
  EXPECT_EQ(wire_.sent, hello + "more");
  wire_.listener->on_upstream_end(true);
  ASSERT_EQ(world_->results.size(), 1U);
  EXPECT_EQ(world_->results[0].bytes_out, hello.size() + 4);
  EXPECT_EQ(world_->results[0].bytes_in, 12U);
  EXPECT_EQ(world_->results[0].upstream_address, "93.184.216.34:80");
  EXPECT_EQ(world_->results[0].error, "");
  EXPECT_EQ(world_->results[0].event_id, world_->rows[0].event_id);
  EXPECT_FALSE(wire_.open);
}

TEST_F(PassthroughTest, EndsEachWayForItself) {
  open();
  session_->on_end();
  EXPECT_THAT(wire_.sent, testing::EndsWith("<end>"));
  wire_.listener->on_upstream_bytes("the rest");
  EXPECT_EQ(world_->to_guest, "the rest");
  EXPECT_THAT(world_->results, IsEmpty());
  wire_.listener->on_upstream_end(true);
  EXPECT_EQ(world_->results.size(), 1U);
  EXPECT_THAT(world_->log, testing::Contains("close"));
}

TEST_F(PassthroughTest, StopsReadingTheOneWhenTheOtherDoesNotTake) {
  open();
  wire_.queued = kMaxQueuedBytes + 1;
  session_->on_bytes("more");
  EXPECT_FALSE(world_->reading);
  wire_.queued = 0;
  wire_.listener->on_upstream_drained();
  EXPECT_TRUE(world_->reading);
  world_->guest_queued = kMaxQueuedBytes + 1;
  wire_.listener->on_upstream_bytes("much");
  EXPECT_FALSE(wire_.reading);
  world_->guest_queued = 0;
  session_->on_drained();
  EXPECT_TRUE(wire_.reading);
}

TEST_F(PassthroughTest, NeedsTheNameOfTheAddressInTheSni) {
  const struct {
    const char* name;
    std::string hello, rule;
    char alert;
  } cases[] = {
      {"another name", hello_for("evil.test.example"), "name.mismatch", kUnrecognizedName},
      {"another host with a rule", hello_for("api.test.example"), "name.mismatch", kUnrecognizedName},
      {"no name", in_records(hello_message({})), "tls.no-name", kUnrecognizedName},
      {"an encrypted hello, or GREASE", hello_with_ech(kPinned), "tls.encrypted-hello", kAccessDenied},
      {"an encrypted hello for another", hello_with_ech("evil.test.example"), "name.mismatch", kUnrecognizedName},
      {"no ClientHello", in_records("\x02nonsense"), "tls.malformed", kAccessDenied},
      {"two of them", in_records(hello_message({}) + hello_message({})), "tls.malformed", kAccessDenied},
  };
  for (const auto& [name, hello, rule, alert] : cases) {
    SCOPED_TRACE(name);
    restart();
    dial(kPinned, 443);
    session_->on_bytes(hello);
    expect_refused(rule, alert);
  }
}

TEST_F(PassthroughTest, IsForTheRulesHostAndPortAlone) {
  const struct {
    std::string dialled;
    uint16_t port;
  } cases[] = {{"api.test.example", 443}, {kPinned, 8443}};
  for (const auto& [dialled, port] : cases) {
    restart();
    dial(dialled, port);
    session_->on_bytes(hello_for(dialled));
    expect_intercepted();
  }
}

TEST_F(PassthroughTest, OfAHostThatARuleDeniesInPartIsIntercepted) {
  rules(R"({"id": "no", "action": "deny", "hosts": ["*.test.example"], "paths": ["/x"]},)");
  dial(kPinned, 443);
  session_->on_bytes(hello_for(kPinned));
  expect_intercepted();
}

TEST_F(PassthroughTest, GoesByTheSniWhereNoNameIsKnown) {
  start();
  world_->dns = false;
  session_->on_bytes(serialize_proxy_header({*IpAddress::parse("10.0.0.1"), 1, *IpAddress::parse("203.0.113.9"), 443}));
  session_->on_bytes(hello_for(kPinned));
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_EQ(world_->rows[0].decision.rule_id, "pinned");
  EXPECT_EQ(world_->rows[0].host, kPinned);
}

TEST_F(PassthroughTest, WorksInATunnelThatAProxysClientAsksFor) {
  start(GuestSession::Entry::explicit_proxy);
  session_->on_bytes("CONNECT pin.test.example:443 HTTP/1.1\r\nHost: pin.test.example:443\r\n\r\n");
  EXPECT_THAT(world_->to_guest, HasSubstr("200"));
  session_->on_bytes(hello_for("evil.test.example"));
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_THAT(world_->rows[0].decision.reason, HasSubstr("CONNECT 'pin.test.example', TLS SNI 'evil.test.example'"));
  restart();
  start(GuestSession::Entry::explicit_proxy);
  session_->on_bytes("CONNECT pin.test.example:443 HTTP/1.1\r\nHost: pin.test.example:443\r\n\r\n");
  session_->on_bytes(hello_for(kPinned));
  world_->answer_commit();
  EXPECT_THAT(world_->log, testing::Contains("open bytes pin.test.example:443"));
}

TEST_F(PassthroughTest, IsDeniedWhenItsAddressIs) {
  dial(kPinned, 443);
  session_->on_bytes(hello_for(kPinned));
  world_->answer_commit();
  OpenFailure refused;
  refused.denied = Decision{Verdict::deny, "address.private", "private"};
  refused.address = "10.0.0.1";
  std::exchange(world_->opened_bytes, nullptr)(tl::unexpected(refused));
  ASSERT_EQ(world_->rows.size(), 2U);
  EXPECT_EQ(world_->rows[1].decision.rule_id, "address.private");
  EXPECT_EQ(world_->rows[1].trace_id, world_->rows[0].trace_id);
  EXPECT_EQ(world_->to_guest, "");
  world_->answer_commit();
  EXPECT_EQ(world_->to_guest, tls_alert(kAccessDenied));
}

TEST_F(PassthroughTest, TellsOfAnUpstreamThatIsNotToBeHad) {
  dial(kPinned, 443);
  session_->on_bytes(hello_for(kPinned));
  world_->answer_commit();
  std::exchange(world_->opened_bytes, nullptr)(
      tl::unexpected(OpenFailure{std::nullopt, 502, "upstream.connect", "refused", "192.0.2.1:443"}));
  ASSERT_EQ(world_->results.size(), 1U);
  EXPECT_EQ(world_->results[0].error, "upstream.connect: refused");
  EXPECT_EQ(world_->to_guest, tls_alert(kInternalError));
}

TEST_F(PassthroughTest, GoesNowhereWhenTheLogCannotBeWritten) {
  dial(kPinned, 443);
  session_->on_bytes(hello_for(kPinned));
  world_->answer_commit(fail("full"));
  EXPECT_EQ(world_->opened_bytes, nullptr);
  EXPECT_EQ(world_->to_guest, tls_alert(kInternalError));
}

TEST_F(PassthroughTest, IsBoundByBudgets) {
  rules("", R"(, "budget": {"requests": 2, "bytes_out": 500, "bytes_in": 101})");
  auto counts = Budgets::forgetful();
  world_->counts = std::move(counts);
  open();
  wire_.listener->on_upstream_bytes(std::string(100, 'x'));
  wire_.listener->on_upstream_bytes("yy");
  ASSERT_EQ(world_->rows.size(), 2U);
  EXPECT_EQ(world_->rows[1].decision.rule_id, "pinned");
  EXPECT_FALSE(world_->rows[1].decision.allowed());
  EXPECT_EQ(world_->to_guest, std::string(100, 'x')) << "what is over does not go";
  EXPECT_THAT(world_->log, testing::Contains("reset"));
  ASSERT_EQ(world_->results.size(), 1U);
  EXPECT_EQ(world_->results[0].bytes_in, 100U);
  EXPECT_FALSE(wire_.open);

  counts = std::move(world_->counts);
  restart();
  wire_ = {};
  world_->counts = std::move(counts);
  open();
  session_->on_bytes(std::string(500, 'x'));
  ASSERT_EQ(world_->rows.size(), 2U);
  EXPECT_FALSE(world_->rows[1].decision.allowed());
  EXPECT_EQ(wire_.sent, hello_for(kPinned));
  EXPECT_THAT(world_->to_guest, tls_alert(kAccessDenied));

  counts = std::move(world_->counts);
  restart();
  world_->counts = std::move(counts);
  dial(kPinned, 443);
  session_->on_bytes(hello_for(kPinned));
  expect_refused("pinned", kAccessDenied);
}

TEST_F(PassthroughTest, EndsWhenNothingMovesForTooLong) {
  open();
  EXPECT_EQ(world_->deadline, policy_.limits().first_byte_time);
  wire_.listener->on_upstream_bytes("x");
  EXPECT_EQ(world_->deadline, policy_.limits().idle_time);
  session_->on_deadline();
  ASSERT_EQ(world_->results.size(), 1U);
  EXPECT_THAT(world_->results[0].error, HasSubstr("no byte has moved"));
  EXPECT_THAT(world_->log, testing::Contains("reset"));
}

TEST_F(PassthroughTest, EndsWithEitherSide) {
  open();
  wire_.listener->on_upstream_bytes("x");
  wire_.listener->on_upstream_error(Error("reset by peer"));
  ASSERT_EQ(world_->results.size(), 1U);
  EXPECT_EQ(world_->results[0].error, "upstream.reset: reset by peer");
  EXPECT_THAT(world_->log, testing::Contains("reset"));
  restart();
  open();
  session_->on_error(Error("gone"));
  ASSERT_EQ(world_->results.size(), 1U);
  EXPECT_THAT(world_->results[0].error, HasSubstr("gone"));
  EXPECT_FALSE(wire_.open);
}

}  // namespace
}  // namespace gatehouse::proxy
