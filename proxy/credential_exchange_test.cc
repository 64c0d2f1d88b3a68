// An exchange with a host that secrets are bound to: who sees the value, who the placeholder.
#include "proxy/exchange.h"
#include "proxy/test_credentials.h"
#include "proxy/test_world.h"
#include "proxy/told_guest.h"
#include "proxy/websocket/frame.h"
#include "proxy/websocket/handshake.h"

namespace gatehouse::proxy {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kP = placeholder_of("T");
const std::string kV = value_of("T");

class CredentialExchangeTest : public testing::Test {
 protected:
  CredentialExchangeTest() {
    world_.with_scanner = true;
    generation_.credentials = *CredentialTable::create(policy_, values_);
    world_.rules = &generation_;
    origin_.tls = true;
    origin_.port = 443;
  }
  void ask(const std::string& host, const std::string& path, const Fields& fields) {
    exchange_.reset();
    guest_ = {};
    wire_ = {};
    origin_.name = origin_.sni = host;
    exchange_ = std::make_unique<Exchange>(world_, guest_, origin_);
    RequestHead head;
    head.method = "GET";
    head.scheme = Scheme::https;
    head.host = host;
    head.port = 443;
    head.path = path;
    head.fields = fields;
    head.wants_upgrade = find_field(fields, "Upgrade") != nullptr;
    exchange_->start(head);
    if (!world_.scanner.last().question) exchange_->on_request_complete({});
  }
  void let_through() {
    world_.scanner.last().answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
    world_.answer_commit();
    if (world_.opened) world_.answer_open(wire_);
  }
  void answer(std::string_view bytes) {
    for (const char c : bytes) {
      if (wire_.listener != nullptr) wire_.listener->on_upstream_bytes({&c, 1});
    }
    while (!world_.scanner.streams.empty() && world_.scanner.last().question) {
      world_.scanner.last().answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
    }
  }
  std::string shown() {
    std::string all;
    for (const auto& part : world_.scanner.last().parts) all += part.info.location + "=" + part.bytes + "\n";
    return all;
  }

  Generation generation_{*policy::Policy::parse({{"t.json", R"({"version": 1,
      "http": [{"id": "all", "action": "allow", "hosts": ["a.example.com", "b.example.com"]},
               {"id": "no", "action": "deny", "hosts": ["a.example.com"], "paths": ["/no"]},
               {"id": "live", "action": "allow", "hosts": ["a.example.com"], "schemes": ["wss"], "paths": ["/live"]}],
      "secrets": {"T": {"from": "env:T", "hosts": ["a.example.com"], "as": "bearer"}}})"}}),
                         {}};
  policy::Policy& policy_ = generation_.policy;
  CredentialValues values_ = *CredentialValues::parse(
      fmt::format(R"({{"secrets": [{{"name": "T", "value": "{}", "placeholder": "{}"}}]}})", kV, kP));
  World world_;
  Wire wire_;
  ToldGuest guest_;
  Origin origin_;
  std::unique_ptr<Exchange> exchange_;
  const Fields bearer_ = {{"Authorization", "Bearer " + kP}};
};

TEST_F(CredentialExchangeTest, TheUpstreamGetsTheValueTheScannerNeitherTheRowTheName) {
  ask("a.example.com", "/x", bearer_);
  EXPECT_THAT(shown(), AllOf(HasSubstr("header:authorization=Bearer ***"), Not(HasSubstr(kP)), Not(HasSubstr(kV))));
  let_through();
  EXPECT_THAT(wire_.sent, HasSubstr("\r\nAuthorization: Bearer " + kV + "\r\n"));
  EXPECT_THAT(wire_.sent, HasSubstr("\r\nAccept-Encoding: identity\r\n"));
  ASSERT_EQ(world_.rows.size(), 1U);
  EXPECT_EQ(world_.rows[0].detail, "with the secret T (bearer)");
}

TEST_F(CredentialExchangeTest, ThePlaceholderIsShownToTheScannerOnItsWayElsewhere) {
  ask("b.example.com", "/x", bearer_);
  EXPECT_THAT(shown(), HasSubstr("header:authorization=Bearer " + kP));
  let_through();
  EXPECT_THAT(wire_.sent, AllOf(HasSubstr("Bearer " + kP), Not(HasSubstr(kV))));
  EXPECT_EQ(world_.rows[0].detail, "");
}

TEST_F(CredentialExchangeTest, WhatComesBackIsThePlaceholderWhereverTheAnswerIsCut) {
  ask("a.example.com", "/x", bearer_);
  let_through();
  answer("HTTP/1.1 103 Early Hints\r\nLink: " + kV + "\r\n\r\nHTTP/1.1 200 OK\r\nX-Echo: " + kV +
         "\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt::format("{:x}", kV.size() + 9) +
         "\r\nyou sent " + kV + "\r\n3\r\n" + kV.substr(0, 3) + "\r\n" + fmt::format("{:x}", kV.size() - 3) + "\r\n" +
         kV.substr(3) + "\r\n4\r\nrest\r\n2\r\n" + kV.substr(0, 2) + "\r\n0\r\nX-Trailer: " + kV + "\r\n\r\n");
  EXPECT_TRUE(guest_.ended);
  EXPECT_THAT(guest_.told, AllOf(HasSubstr("Link: " + kP), HasSubstr("X-Echo: " + kP),
                                 HasSubstr("you sent " + kP + kP + "rest" + kV.substr(0, 2) + "0\r\n"),
                                 HasSubstr("X-Trailer: " + kP), Not(HasSubstr(kV))));
  EXPECT_THAT(shown(), AllOf(HasSubstr("body=you sent " + kP), Not(HasSubstr(kV))));
}

TEST_F(CredentialExchangeTest, AnAnswerThatIsPackedAllTheSameIsWithheld) {
  ask("a.example.com", "/x", bearer_);
  let_through();
  answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(guest_.told, "502 credential.encoded");
  EXPECT_THAT(world_.results.at(0).error, StartsWith("credential.encoded: "));
}

TEST_F(CredentialExchangeTest, AKeyOfTheGuestsOwnIsDeniedAndNobodyIsAsked) {
  ask("a.example.com", "/x", {{"Authorization", "Bearer an-account-of-somebody-else"}});
  let_through();
  EXPECT_EQ(guest_.told, "403 credential.foreign");
  EXPECT_EQ(world_.rows.at(0).decision.rule_id, "credential.foreign");
  EXPECT_THAT(world_.log, testing::IsEmpty());
}

TEST_F(CredentialExchangeTest, WhatThePolicyDeniesGetsNoValueAndItsPlaceholderIsNoFinding) {
  ask("a.example.com", "/no", bearer_);
  EXPECT_THAT(shown(), Not(HasSubstr(kP)));
  let_through();
  EXPECT_EQ(guest_.told, "403 no");
  EXPECT_THAT(world_.log, testing::IsEmpty());
}

TEST_F(CredentialExchangeTest, WhatComesBackInAWebSocketIsThePlaceholderToo) {
  Fields opening = bearer_;
  for (const Field& field : Fields{
           {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", random_websocket_key()}}) {
    opening.push_back(field);
  }
  ask("a.example.com", "/live", opening);
  let_through();
  EXPECT_THAT(wire_.sent, HasSubstr("Bearer " + kV + "\r\n"));
  const size_t key = wire_.sent.find("Sec-WebSocket-Key: ") + 19;
  std::string frames;
  append_frame(frames, Opcode::text, "you are " + kV, Sender::server);
  append_frame(frames, Opcode::ping, kV, Sender::server);
  append_frame(frames, Opcode::close, close_payload(1000, "bye " + kV), Sender::server);
  answer("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
         websocket_accept(wire_.sent.substr(key, 24)) + "\r\n\r\n" + frames);
  EXPECT_THAT(guest_.told, AllOf(HasSubstr("you are " + kP), HasSubstr("bye " + kP), Not(HasSubstr(kV))));
  exchange_.reset();
}

TEST_F(CredentialExchangeTest, ARequestThatIsSentTwiceCarriesTheValueTwice) {
  world_.kept = std::make_unique<TestUpstream>(wire_, true);
  ask("a.example.com", "/x", bearer_);
  world_.scanner.last().answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
  world_.answer_commit();
  EXPECT_THAT(wire_.sent, HasSubstr("Bearer " + kV + "\r\n"));
  wire_.listener->on_upstream_end(true);
  Wire second;
  world_.answer_open(second);
  EXPECT_THAT(second.sent, HasSubstr("Bearer " + kV + "\r\n"));
  exchange_.reset();
}

}  // namespace
}  // namespace gatehouse::proxy
