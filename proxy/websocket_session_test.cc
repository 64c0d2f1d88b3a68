// A guest's connection that becomes a WebSocket: what opens one, what is held until when, and what a denial comes to.
#include "proxy/test_world.h"
#include "proxy/websocket/handshake.h"
#include "proxy/websocket/message_reader.h"

namespace gatehouse::proxy {
namespace {

using testing::AnyOf;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Outcome = dlp::ScanVerdict::Outcome;

constexpr std::string_view kSocketPolicy = R"({"version": 1, "name": "test", "http": [
  {"id": "live", "action": "allow", "hosts": ["api.test.example"], "schemes": ["ws"], "paths": ["/live"],
   "response_body": 1000, "budget": {"bytes_out": 2000}},
  {"id": "rest", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}]})";
const std::string kKey = "dGhlIHNhbXBsZSBub25jZQ==";
const std::string kToken = "tok_AAAABBBBCCCC";

std::string opening(const std::string& path = "/live", const std::string& more = "", const std::string& key = kKey) {
  return "GET " + path + " HTTP/1.1\r\nHost: api.test.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n" + more + "\r\n";
}

std::string frame(Opcode opcode, std::string_view payload, Sender sender = Sender::client) {
  std::string wire;
  append_frame(wire, opcode, payload, sender);
  return wire;
}

// Every message in `wire`: "text hello", "close 1008 why".
std::vector<std::string> messages(std::string_view wire, Sender sender) {
  MessageReader reader({.sender = sender, .max_message = 1 << 20});
  std::vector<std::string> all;
  std::string message;
  for (;;) {
    const auto event = reader.next(wire);
    if (!event) return {"fault " + event.error().reason};
    wire.remove_prefix(event->consumed);
    if (event->kind == MessageReader::Event::Kind::need_more) return all;
    message += event->bytes;
    if (event->kind == MessageReader::Event::Kind::data) continue;
    if (event->opcode == Opcode::close && reader.close_code()) {
      message = std::to_string(*reader.close_code()) + " " + message.substr(2);
    }
    all.push_back(std::string(to_string(event->opcode)) + " " + std::exchange(message, {}));
  }
}

class WebSocketSessionTest : public SessionTest {
 protected:
  WebSocketSessionTest() { policy_ = *policy::Policy::parse({{"test.json", std::string(kSocketPolicy)}}); }

  std::string upstream_key() {
    constexpr std::string_view kName = "Sec-WebSocket-Key: ";
    const size_t at = wire_.sent.find(kName);
    return at == std::string::npos ? "" : wire_.sent.substr(at + kName.size(), 24);
  }
  void answer(const std::string& more = "") {
    wire_.listener->on_upstream_bytes(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: " +
        websocket_accept(upstream_key()) + "\r\n" + more + "\r\n");
  }
  // An open one, of which nothing has been said yet.
  void open(bool scanned) {
    world_->with_scanner = scanned;
    dial();
    session_->on_bytes(opening());
    if (scanned) allow();
    world_->answer_commit();
    world_->answer_open(wire_);
    answer();
    world_->to_guest.clear();
    wire_.sent.clear();
  }
  ScriptedStream& scan() { return world_->scanner.last(); }
  void allow() { scan().answer(dlp::ScanVerdict{Outcome::allow, {}, {}}); }
  dlp::Finding found(FindingAction action, uint32_t part = 0) {
    dlp::Finding finding;
    finding.rule = "test-token";
    finding.category = "credentials";
    finding.title = "test token";
    finding.action = action;
    finding.part = part;
    finding.location = scan().parts.at(part).info.location;
    finding.offset = scan().parts[part].bytes.find(kToken);
    finding.length = kToken.size();
    finding.prefix = "tok_";
    finding.fingerprint = "0123456789abcdef";
    return finding;
  }
  std::vector<std::string> to_upstream() { return messages(wire_.sent, Sender::client); }
  std::vector<std::string> to_guest() { return messages(world_->to_guest, Sender::server); }
};

TEST_F(WebSocketSessionTest, OpensWhereARuleSaysSoOnceTheRowIsCommitted) {
  dial();
  session_->on_bytes(
      opening("/live", "Sec-WebSocket-Protocol: chat, other\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"));
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "live");
  EXPECT_EQ(world_->rows[0].channel, "ws");
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, StartsWith("GET /live HTTP/1.1\r\nHost: api.test.example\r\n"));
  EXPECT_THAT(wire_.sent, HasSubstr("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"));
  EXPECT_THAT(wire_.sent, HasSubstr("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  EXPECT_THAT(wire_.sent, Not(HasSubstr(kKey)));
  EXPECT_TRUE(is_websocket_key(upstream_key()));
  answer("Sec-WebSocket-Protocol: chat\r\nX-Other: y\r\n");
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(world_->to_guest, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(world_->to_guest, HasSubstr("Sec-WebSocket-Protocol: chat\r\n"));
  EXPECT_THAT(world_->to_guest, HasSubstr("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"));
  EXPECT_THAT(world_->to_guest, Not(HasSubstr("X-Other")));
}

TEST_F(WebSocketSessionTest, OpensNoneElsewhere) {
  const struct {
    std::string request;
    const char* rule;
  } cases[] = {{opening("/other"), "default-deny"},
               {opening("/live", "", "short"), "protocol.upgrade"},
               {opening("/live", "Sec-WebSocket-Key: " + kKey + "\r\n"), "protocol.upgrade"},
               {opening("/live", "Content-Length: 1\r\n") + "x", "protocol.upgrade"}};
  for (const auto& one : cases) {
    restart();
    dial();
    session_->on_bytes(one.request);
    world_->answer_commit();
    EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 403")) << one.request;
    EXPECT_EQ(world_->rows.at(0).decision.rule_id, one.rule) << one.request;
    EXPECT_THAT(world_->log, Each(AnyOf("name 198.18.0.7", "shutdown"))) << one.request;
  }
}

TEST_F(WebSocketSessionTest, TakesNoAnswerThatIsNotTheStandards) {
  for (const char* answer : {"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", ""}) {
    restart();
    wire_ = Wire();
    dial();
    forward(opening());
    wire_.listener->on_upstream_bytes(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + std::string(answer) +
        "\r\n");
    EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 502"));
    EXPECT_THAT(world_->to_guest, HasSubstr("upstream.websocket"));
    EXPECT_FALSE(wire_.open);
  }
}

TEST_F(WebSocketSessionTest, RelaysAnAnswerThatIsNoWebSocket) {
  dial();
  forward(opening());
  wire_.listener->on_upstream_bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 404"));
  EXPECT_EQ(world_->results.at(0).status, 404);
}

TEST_F(WebSocketSessionTest, WritesEveryMessageAnewForTheOtherSide) {
  open(false);
  const std::string sent = frame(Opcode::text, "hello") + frame(Opcode::ping, "p") + frame(Opcode::binary, "");
  session_->on_bytes(sent);
  EXPECT_THAT(to_upstream(), ElementsAre("text hello", "ping p", "binary "));
  EXPECT_THAT(wire_.sent, Not(HasSubstr(sent.substr(0, 6))));  // the key is another one
  wire_.listener->on_upstream_bytes(frame(Opcode::text, "hi", Sender::server));
  EXPECT_THAT(to_guest(), ElementsAre("text hi"));
}

TEST_F(WebSocketSessionTest, MayBeSilentForAsLongAsThePolicySays) {
  policy_ =
      *policy::Policy::parse({{"test.json", std::string(kSocketPolicy.substr(0, kSocketPolicy.size() - 1)) +
                                                R"(, "limits": {"idle_time": "3s", "websocket_idle_time": "7s"}})"}});
  open(false);
  EXPECT_EQ(world_->deadline, std::chrono::seconds(7));
  session_->on_deadline();
  EXPECT_THAT(to_guest(), ElementsAre(StartsWith("close 1001 nothing was said for too long")));
  EXPECT_EQ(world_->results.at(0).error, "nothing was said for too long");
}

TEST_F(WebSocketSessionTest, HoldsAMessageUntilItsVerdict) {
  open(true);
  const std::string whole = frame(Opcode::text, "hello");
  session_->on_bytes(whole.substr(0, whole.size() - 1));
  const size_t streams = world_->scanner.streams.size();
  session_->on_bytes(whole.substr(whole.size() - 1));
  ASSERT_EQ(world_->scanner.streams.size(), streams + 1);
  EXPECT_EQ(scan().bytes("message"), "hello");
  EXPECT_EQ(scan().info.direction, dlp::Direction::out);
  EXPECT_THAT(wire_.sent, IsEmpty());
  allow();
  EXPECT_THAT(to_upstream(), ElementsAre("text hello"));
}

TEST_F(WebSocketSessionTest, ShowsTheScannerWhereMessagesJoin) {
  open(true);
  session_->on_bytes(frame(Opcode::text, "tok_AAAA") + frame(Opcode::text, "BBBBCCCC"));
  allow();
  EXPECT_THAT(to_upstream(), ElementsAre("text tok_AAAA"));
  EXPECT_EQ(scan().bytes("messages"), kToken);
  scan().answer(dlp::ScanVerdict{Outcome::deny, {found(FindingAction::deny, 1)}, {}});
  world_->answer_commit();
  EXPECT_THAT(to_upstream(), ElementsAre("text tok_AAAA", StartsWith("close 1001")));
}

TEST_F(WebSocketSessionTest, ClosesOnADenialOnceItsRowsAreCommitted) {
  for (const auto opcode : {Opcode::text, Opcode::ping}) {
    restart();
    wire_ = Wire();
    open(true);
    session_->on_bytes(frame(opcode, "my " + kToken) + frame(Opcode::text, "next"));
    scan().answer(dlp::ScanVerdict{Outcome::deny, {found(FindingAction::deny)}, {}});
    EXPECT_THAT(world_->order, ElementsAre("net", "result", "dlp", "net"));
    EXPECT_THAT(wire_.sent, IsEmpty());
    EXPECT_THAT(world_->to_guest, IsEmpty());
    const auto& row = world_->rows.at(1);
    EXPECT_EQ(row.decision.verdict, Verdict::deny);
    EXPECT_EQ(row.decision.rule_id, "dlp.test-token");
    EXPECT_EQ(row.trace_id, world_->rows[0].trace_id);
    EXPECT_NE(row.event_id, world_->rows[0].event_id);
    world_->answer_commit();
    EXPECT_THAT(to_guest(), ElementsAre(StartsWith("close 1008 dlp.test-token event " + row.event_id)));
    EXPECT_THAT(to_upstream(), ElementsAre(StartsWith("close 1001")));
    EXPECT_THAT(wire_.sent, Not(HasSubstr("tok")));
    EXPECT_EQ(world_->log.back(), "shutdown");
  }
}

TEST_F(WebSocketSessionTest, PassesNothingWhileTheScannerIsAway) {
  open(true);
  session_->on_bytes(frame(Opcode::text, "hello"));
  scan().answer(tl::unexpected(Error("connection refused")));
  world_->answer_commit();
  EXPECT_THAT(to_guest(), ElementsAre(StartsWith("close 1011 dlp.unavailable")));
  EXPECT_THAT(to_upstream(), ElementsAre(StartsWith("close 1001")));
}

TEST_F(WebSocketSessionTest, CommitsTheRowOfAWarningBeforeTheMessagePassesAndTellsItOnce) {
  open(true);
  for (int i = 0; i < 2; ++i) {
    session_->on_bytes(frame(Opcode::text, "my " + kToken));
    scan().answer(dlp::ScanVerdict{Outcome::allow, {found(FindingAction::warn)}, {}});
    if (i == 0) {
      EXPECT_THAT(wire_.sent, IsEmpty());
      world_->answer_commit();
    }
  }
  EXPECT_EQ(world_->findings.size(), 1U);
  EXPECT_THAT(to_upstream(), ElementsAre("text my " + kToken, "text my " + kToken));
}

TEST_F(WebSocketSessionTest, OverwritesWhatIsToBeRedacted) {
  open(true);
  session_->on_bytes(frame(Opcode::text, "my " + kToken + "!"));
  scan().answer(
      dlp::ScanVerdict{Outcome::redact, {found(FindingAction::redact)}, {dlp::Redaction{0, 3, kToken.size()}}});
  world_->answer_commit();
  EXPECT_THAT(to_upstream(), ElementsAre("text my ****************!"));
}

TEST_F(WebSocketSessionTest, ScansWhatComesIn) {
  open(true);
  wire_.listener->on_upstream_bytes(frame(Opcode::text, kToken, Sender::server));
  EXPECT_EQ(scan().info.direction, dlp::Direction::in);
  EXPECT_THAT(world_->to_guest, IsEmpty());
  scan().answer(dlp::ScanVerdict{Outcome::deny, {found(FindingAction::deny)}, {}});
  world_->answer_commit();
  EXPECT_THAT(to_guest(), ElementsAre(StartsWith("close 1008 dlp.test-token")));
}

TEST_F(WebSocketSessionTest, EndsWhenBothSidesHaveClosed) {
  open(false);
  session_->on_bytes(frame(Opcode::close, close_payload(1000, "bye")));
  EXPECT_THAT(to_upstream(), ElementsAre("close 1000 bye"));
  EXPECT_TRUE(wire_.open);
  wire_.listener->on_upstream_bytes(frame(Opcode::close, close_payload(1000, ""), Sender::server));
  EXPECT_THAT(to_guest(), ElementsAre("close 1000 "));
  EXPECT_FALSE(wire_.open);
  EXPECT_EQ(world_->results.at(0).status, 101);
  EXPECT_EQ(world_->results[0].error, "");
}

TEST_F(WebSocketSessionTest, TellsBothSidesOfABreachOfTheProtocol) {
  open(false);
  session_->on_bytes(frame(Opcode::text, "a", Sender::server));
  EXPECT_THAT(to_guest(), ElementsAre("close 1002 a frame of a client is not masked"));
  EXPECT_THAT(to_upstream(), ElementsAre("close 1001 "));
  EXPECT_THAT(world_->results.at(0).error, HasSubstr("not masked"));
}

TEST_F(WebSocketSessionTest, TellsTheGuestThatTheUpstreamIsGone) {
  for (const bool scanned : {false, true}) {
    for (const size_t said : {0U, 1U, 4U}) {
      restart();
      wire_ = Wire();
      open(scanned);
      wire_.listener->on_upstream_bytes(frame(Opcode::text, "not all of it", Sender::server).substr(0, said));
      wire_.listener->on_upstream_end(true);
      EXPECT_THAT(world_->to_guest, HasSubstr("the upstream ended the connection")) << scanned << said;
      EXPECT_THAT(world_->results.at(0).error, HasSubstr("without closing"));
    }
  }
}

TEST_F(WebSocketSessionTest, PassesWhatTheGuestSaidBeforeItEndedTheConnection) {
  open(true);
  session_->on_bytes(frame(Opcode::text, "last words"));
  session_->on_end();
  EXPECT_THAT(wire_.sent, IsEmpty());
  allow();
  EXPECT_THAT(to_upstream(), ElementsAre("text last words", "close 1001 "));
  EXPECT_THAT(world_->results.at(0).error, HasSubstr("the guest ended the connection"));
}

TEST_F(WebSocketSessionTest, PutsNoCloseFrameIntoAMessageThatTheGuestHasNotTaken) {
  open(true);
  world_->guest_queued = kMaxPassQueuedBytes + 1;
  wire_.listener->on_upstream_bytes(frame(Opcode::text, "hello", Sender::server));
  allow();
  const std::string begun = world_->to_guest;
  EXPECT_THAT(begun, Not(IsEmpty()));
  session_->on_deadline();
  EXPECT_EQ(world_->to_guest, begun);
  EXPECT_THAT(world_->results.at(0).error, HasSubstr("nothing was said for too long"));
}

TEST_F(WebSocketSessionTest, TakesNoLongerMessageThanTheRuleLetsThrough) {
  open(true);
  wire_.listener->on_upstream_bytes(frame(Opcode::binary, std::string(1001, 'x'), Sender::server));
  EXPECT_THAT(to_guest(), ElementsAre("close 1014 the upstream broke the WebSocket protocol: a message is too long"));
  EXPECT_THAT(to_upstream(), ElementsAre("close 1009 "));
}

TEST_F(WebSocketSessionTest, SaysSoWhenNothingIsLeftOfABudget) {
  world_->counts = Budgets::forgetful();
  open(false);
  session_->on_bytes(frame(Opcode::binary, std::string(1500, 'x')));
  session_->on_bytes(frame(Opcode::binary, std::string(1500, 'x')));
  EXPECT_THAT(world_->to_guest, IsEmpty());
  world_->answer_commit();
  EXPECT_THAT(to_guest(), ElementsAre(StartsWith("close 1008 live event " + world_->rows.at(1).event_id)));
  EXPECT_EQ(world_->rows[1].decision.verdict, Verdict::deny);
  EXPECT_THAT(to_upstream(), ElementsAre("binary " + std::string(1500, 'x'), "close 1001 "));
}

}  // namespace
}  // namespace gatehouse::proxy
