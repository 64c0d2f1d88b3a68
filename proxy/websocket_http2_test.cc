// A WebSocket on a stream of a guest's HTTP/2 connection (RFC 8441), opened upstream by HTTP/1.1.
#include "proxy/test_http2_guest.h"
#include "proxy/websocket/handshake.h"
#include "proxy/websocket/message_reader.h"

namespace gatehouse::proxy {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Outcome = dlp::ScanVerdict::Outcome;

constexpr std::string_view kSocketPolicy = R"({"version": 1, "name": "test", "http": [
  {"id": "live", "action": "allow", "hosts": ["api.test.example"], "schemes": ["ws"], "paths": ["/live"]},
  {"id": "rest", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}]})";

Fields asking(const std::string& path = "/live", const std::string& protocol = "websocket", const Fields& more = {}) {
  Fields fields{{":method", "CONNECT"},
                {":protocol", protocol},
                {":scheme", "http"},
                {":authority", "api.test.example"},
                {":path", path}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
const Fields kVersion{{"sec-websocket-version", "13"}};

std::string said(Opcode opcode, std::string_view payload, Sender sender = Sender::client) {
  std::string wire;
  append_frame(wire, opcode, payload, sender);
  return wire;
}
std::string data(const std::string& bytes, uint8_t flags = 0) { return frame(NGHTTP2_DATA, flags, 1, bytes); }

class WebSocketHttp2Test : public Http2GuestTest {
 protected:
  WebSocketHttp2Test() { policy_ = *policy::Policy::parse({{"test.json", std::string(kSocketPolicy)}}); }

  void ask(const Fields& fields, uint8_t flags = kEndHeaders) {
    again();
    say(headers(1, fields, flags));
  }
  void answer(const std::string& more = "") {
    const size_t at = wire_.sent.find("Sec-WebSocket-Key: ");
    ASSERT_NE(at, std::string::npos);
    const auto accept = websocket_accept(wire_.sent.substr(at + 19, 24));
    wire_.sent.clear();
    wire_.listener->on_upstream_bytes(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
        accept + "\r\n" + more + "\r\n");
    hear();
  }
  void open(bool scanned) {
    world_->with_scanner = scanned;
    ask(asking("/live", "websocket", kVersion));
    if (scanned) allow();
    let_through();
    answer();
  }
  void allow() {
    world_->scanner.last().answer(dlp::ScanVerdict{Outcome::allow, {}, {}});
    hear();
  }
  // "text hello" of each message that has gone upstream.
  std::vector<std::string> to_upstream() {
    MessageReader reader({.sender = Sender::client, .max_message = 1 << 20});
    std::vector<std::string> all;
    std::string message;
    std::string_view wire(wire_.sent);
    for (;;) {
      const auto event = reader.next(wire);
      if (!event || event->kind == MessageReader::Event::Kind::need_more) return all;
      wire.remove_prefix(event->consumed);
      message += event->bytes;
      if (event->kind == MessageReader::Event::Kind::data) continue;
      all.push_back(std::string(to_string(event->opcode)) + " " + std::exchange(message, {}));
    }
  }
};

TEST_F(WebSocketHttp2Test, OpensOnAStreamByHttp1Upstream) {
  ask(asking("/live", "websocket", {{"sec-websocket-version", "13"}, {"sec-websocket-protocol", "chat"}}));
  EXPECT_THAT(find(NGHTTP2_SETTINGS, 0)->payload, HasSubstr(setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1)));
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "live");
  EXPECT_EQ(world_->rows[0].channel, "ws");
  EXPECT_EQ(world_->rows[0].method, "GET");
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
  let_through();
  EXPECT_THAT(wire_.sent, StartsWith("GET /live HTTP/1.1\r\nHost: api.test.example\r\n"));
  EXPECT_THAT(wire_.sent, AllOf(HasSubstr("Upgrade: websocket\r\n"), HasSubstr("sec-websocket-protocol: chat\r\n")));
  say(data(said(Opcode::text, "early")));
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\n"));
  answer("Sec-WebSocket-Protocol: chat\r\n");
  EXPECT_EQ(header(1, ":status"), "200");
  EXPECT_EQ(header(1, "sec-websocket-protocol"), "chat");
  EXPECT_EQ(header(1, "sec-websocket-accept"), "");
  EXPECT_FALSE(ended(1));
  say(data(said(Opcode::text, "hello")));
  wire_.listener->on_upstream_bytes(said(Opcode::text, "hi", Sender::server));
  hear();
  EXPECT_THAT(body(1), HasSubstr("hi"));
}

TEST_F(WebSocketHttp2Test, PassesWhatWasSaidBeforeTheAnswer) {
  ask(asking("/live", "websocket", kVersion));
  say(data(said(Opcode::text, "early")));
  let_through();
  answer();
  EXPECT_THAT(to_upstream(), ElementsAre("text early"));
}

TEST_F(WebSocketHttp2Test, OpensNoneOtherwise) {
  const struct {
    Fields fields;
    uint8_t flags;
    const char* rule;
    const char* status;
  } cases[] = {
      {asking("/other", "websocket", kVersion), kEndHeaders, "default-deny", "403"},
      {asking("/live"), kEndHeaders, "protocol.upgrade", "403"},
      {asking("/live", "websocket", {{"sec-websocket-version", "8"}}), kEndHeaders, "protocol.upgrade", "403"},
      {asking("/live", "websocket", kVersion), kEndHeaders | kEndStream, "protocol.connect", "400"},
      {asking("/live", "connect-udp", kVersion), kEndHeaders, "protocol.connect", "501"},
      {asking("/live", "WebSocket", kVersion), kEndHeaders, "protocol.connect", "501"},
      {{{":method", "CONNECT"}, {":authority", "api.test.example:80"}}, kEndHeaders, "protocol.connect", "501"},
  };
  for (const auto& one : cases) {
    ask(one.fields, one.flags);
    world_->answer_commit();
    hear();
    EXPECT_EQ(world_->rows.at(0).decision.rule_id, one.rule);
    EXPECT_EQ(header(1, ":status"), one.status) << one.rule;
    EXPECT_THAT(world_->log, Not(Contains(StartsWith("open")))) << one.rule;
  }
}

TEST_F(WebSocketHttp2Test, SaysOfNoOtherAnswerThatItIsOpen) {
  const std::pair<const char*, const char*> cases[] = {
      {"200 OK", "502"}, {"204 No Content", "502"}, {"404 Not Found", "404"}};
  for (const auto& [upstream, status] : cases) {
    ask(asking("/live", "websocket", kVersion));
    let_through();
    wire_.listener->on_upstream_bytes("HTTP/1.1 " + std::string(upstream) + "\r\nContent-Length: 0\r\n\r\n");
    hear();
    EXPECT_EQ(header(1, ":status"), status);
    EXPECT_TRUE(ended(1));
  }
}

TEST_F(WebSocketHttp2Test, EndsTheStreamWhenBothSidesHaveClosed) {
  open(false);
  say(data(said(Opcode::close, close_payload(1000, ""))));
  EXPECT_FALSE(ended(1));
  wire_.listener->on_upstream_bytes(said(Opcode::close, close_payload(1000, ""), Sender::server));
  hear();
  EXPECT_EQ(body(1), said(Opcode::close, close_payload(1000, ""), Sender::server));
  EXPECT_TRUE(ended(1));
  EXPECT_FALSE(wire_.open);
  EXPECT_EQ(world_->results.at(0).error, "");
}

TEST_F(WebSocketHttp2Test, EndsWithAStreamThatTheGuestEnds) {
  for (const auto& end : {data("", kEndStream), frame(NGHTTP2_RST_STREAM, 0, 1, big_endian(NGHTTP2_CANCEL, 4))}) {
    open(false);
    say(end);
    EXPECT_FALSE(wire_.open);
    EXPECT_THAT(world_->results.at(0).error, Not(IsEmpty()));
  }
}

TEST_F(WebSocketHttp2Test, ClosesInWordsOnADenial) {
  open(true);
  say(data(said(Opcode::text, "my token")));
  EXPECT_EQ(world_->scanner.last().bytes("message"), "my token");
  dlp::Finding finding;
  finding.rule = "test-token";
  finding.action = FindingAction::deny;
  world_->scanner.last().answer(dlp::ScanVerdict{Outcome::deny, {finding}, {}});
  EXPECT_THAT(body(1), IsEmpty());
  world_->answer_commit();
  hear();
  EXPECT_THAT(body(1), HasSubstr("dlp.test-token event " + world_->rows.at(1).event_id));
  EXPECT_TRUE(ended(1));
  EXPECT_THAT(to_upstream(), ElementsAre(StartsWith("close")));
}

}  // namespace
}  // namespace gatehouse::proxy
