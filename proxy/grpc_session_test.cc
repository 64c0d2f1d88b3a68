// A gRPC call of a guest's: what of it goes when, while answers come.
#include "proxy/grpc_gate.h"
#include "proxy/test_http2_guest.h"

namespace gatehouse::proxy {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Outcome = dlp::ScanVerdict::Outcome;

const Fields kCall{{"content-type", "application/grpc"}, {"te", "trailers"}, {"grpc-encoding", "gzip"}};
const std::string kAnswerHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string message(const std::string& text, bool compressed = false) {
  return GrpcMessageReader::prefix(compressed, static_cast<uint32_t>(text.size())) + text;
}
std::string data(const std::string& bytes, uint8_t flags = 0) { return frame(NGHTTP2_DATA, flags, 1, bytes); }
std::string chunk(const std::string& bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

// An upstream that says no more than the test has it say.
class ScriptedLeg final : public UpstreamLeg {
 public:
  struct Told {
    ResponseListener* listener = nullptr;
    std::string bytes;
    bool ended = false;
  };
  explicit ScriptedLeg(Told& told) : told_(told) {}
  void send_head(const RequestHead&, ResponseListener& listener) override { told_.listener = &listener; }
  void send_body(std::string_view bytes) override { told_.bytes += bytes; }
  void send_end(const Fields&) override { told_.ended = true; }
  size_t queued() const override { return 0; }
  void read(bool) override {}
  const std::string& address() const override { return address_; }
  std::unique_ptr<Upstream> release() override { return nullptr; }

 private:
  Told& told_;
  std::string address_ = "93.184.216.34:443";
};

class GrpcSessionTest : public Http2GuestTest {
 protected:
  // A call whose head the scanner has let through.
  void call(const Fields& fields = kCall, const std::string& and_then = "") {
    world_->with_scanner = true;
    again();
    say(headers(1, request_fields("POST", "/demo.Chat/Talk", fields), kEndHeaders) + and_then);
    allow();
  }
  // And whose first message has gone.
  void talk() {
    call();
    say(data(message("hello")));
    allow();
    let_through();
    wire_.sent.clear();
  }
  ScriptedStream& scan() { return world_->scanner.last(); }
  void allow() {
    scan().answer(dlp::ScanVerdict{Outcome::allow, {}, {}});
    hear();
  }
  void find(FindingAction action) {
    dlp::Finding finding;
    finding.rule = "test-token";
    finding.title = "test token";
    finding.action = action;
    finding.location = "body";
    finding.fingerprint = "0123456789abcdef";
    scan().answer(
        dlp::ScanVerdict{action == FindingAction::deny ? Outcome::deny : Outcome::allow, {std::move(finding)}, {}});
    hear();
  }
  void hear_from_upstream(const std::string& bytes) {
    wire_.listener->on_upstream_bytes(bytes);
    hear();
  }
};

TEST_F(GrpcSessionTest, OpensOnceTheFirstMessageIsJudgedAndItsRowCommitted) {
  call();
  const std::string whole = message("hello");
  say(data(whole.substr(0, 7)));
  EXPECT_EQ(world_->scanner.streams.size(), 1U);
  say(data(whole.substr(7)));
  ASSERT_EQ(world_->scanner.streams.size(), 2U);
  EXPECT_EQ(scan().bytes("body"), "hello");
  EXPECT_EQ(scan().parts[0].info.content_encoding, "");
  EXPECT_THAT(world_->rows, IsEmpty());
  allow();
  EXPECT_EQ(world_->rows.at(0).decision.verdict, Verdict::allow);
  EXPECT_THAT(world_->log, Not(testing::Contains(StartsWith("open"))));
  let_through();
  EXPECT_THAT(wire_.sent, AllOf(StartsWith("POST /demo.Chat/Talk HTTP/1.1\r\n"), HasSubstr("hello")));
  EXPECT_THAT(wire_.sent, Not(EndsWith("\r\n0\r\n\r\n")));
}

TEST_F(GrpcSessionTest, TalksBothWaysAtOnce) {
  talk();
  hear_from_upstream(kAnswerHead + chunk(message("hi")));
  EXPECT_EQ(body(1), message("hi"));
  say(data(message("and") + message("then")));
  EXPECT_EQ(scan().bytes("body"), "and");
  EXPECT_EQ(scan().bytes("messages"), "helloand");
  EXPECT_THAT(wire_.sent, IsEmpty());
  allow();
  EXPECT_EQ(scan().bytes("body"), "then");
  EXPECT_EQ(wire_.sent, chunk(message("and").substr(0, 5)) + chunk("and"));
  say(data("", kEndStream));
  allow();
  EXPECT_THAT(wire_.sent, EndsWith("then\r\n0\r\n\r\n"));
  hear_from_upstream(chunk(message("bye")) + "0\r\nGrpc-Status: 0\r\n\r\n");
  EXPECT_EQ(body(1), message("hi") + message("bye"));
  EXPECT_EQ(header(1, "grpc-status"), "0");
  EXPECT_TRUE(ended(1));
  EXPECT_EQ(world_->results.at(0).error, "");
  EXPECT_EQ(world_->results[0].bytes_out, 27U);
}

TEST_F(GrpcSessionTest, PassesACallOfOneMessageWhole) {
  call(kCall, data(message("hello"), kEndStream));
  allow();
  let_through();
  EXPECT_THAT(wire_.sent, EndsWith("hello\r\n0\r\n\r\n"));
  hear_from_upstream(kAnswerHead + chunk(message("hi")) + "0\r\nGrpc-Status: 0\r\n\r\n");
  EXPECT_EQ(header(1, "grpc-status"), "0");
}

TEST_F(GrpcSessionTest, DeniesTheFirstMessageBeforeAnythingIsOpened) {
  call(kCall, data(message("my token")));
  find(FindingAction::deny);
  EXPECT_THAT(world_->order, ElementsAre("dlp", "net"));
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "dlp.test-token");
  world_->answer_commit();
  hear();
  EXPECT_EQ(header(1, ":status"), "200");
  EXPECT_EQ(header(1, "content-type"), "application/grpc");
  EXPECT_EQ(header(1, "grpc-status"), "7");
  EXPECT_THAT(header(1, "grpc-message"), StartsWith("dlp.test-token event " + world_->rows[0].event_id));
  EXPECT_THAT(header(1, "grpc-message"), HasSubstr("exemption"));
  EXPECT_EQ(header(1, "gatehouse-event"), world_->rows[0].event_id);
  EXPECT_TRUE(ended(1));
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
}

TEST_F(GrpcSessionTest, EndsACallThatWasAnsweredWithWordsOfItsOwn) {
  talk();
  hear_from_upstream(kAnswerHead + chunk(message("hi")));
  say(data(message("my token")));
  find(FindingAction::deny);
  EXPECT_THAT(wire_.sent, IsEmpty());
  EXPECT_FALSE(wire_.open);
  ASSERT_EQ(world_->rows.size(), 2U);
  EXPECT_EQ(world_->rows[1].decision.verdict, Verdict::deny);
  EXPECT_EQ(world_->rows[1].trace_id, world_->rows[0].trace_id);
  EXPECT_EQ(header(1, "grpc-status"), "7");
  EXPECT_THAT(header(1, "grpc-message"), StartsWith("dlp.test-token event " + world_->rows[1].event_id));
  EXPECT_TRUE(ended(1));
}

TEST_F(GrpcSessionTest, DeniesALaterMessageOfACallThatIsNotAnswered) {
  talk();
  say(data(message("my token")));
  find(FindingAction::deny);
  world_->answer_commit();
  hear();
  EXPECT_FALSE(wire_.open);
  EXPECT_EQ(header(1, "grpc-status"), "7");
  EXPECT_EQ(header(1, "gatehouse-rule"), "dlp.test-token");
}

TEST_F(GrpcSessionTest, CommitsTheRowOfAWarningBeforeTheMessagePasses) {
  talk();
  say(data(message("hm")));
  find(FindingAction::warn);
  EXPECT_EQ(world_->order.back(), "dlp");
  EXPECT_THAT(wire_.sent, IsEmpty());
  world_->answer_commit();
  EXPECT_THAT(wire_.sent, HasSubstr("hm"));
}

TEST_F(GrpcSessionTest, TellsTheScannerHowAMessageIsCompressed) {
  call(kCall, data(message("packed", true)));
  EXPECT_EQ(scan().bytes("body"), "packed");
  EXPECT_EQ(scan().parts[0].info.content_encoding, "gzip");
}

TEST_F(GrpcSessionTest, RefusesWhatCannotBeToldApart) {
  const struct {
    Fields fields;
    std::string body;
    const char* rule;
    const char* status;
  } cases[] = {
      {kCall, data("\2"), "grpc.malformed", "13"},
      {{{"content-type", "application/grpc"}}, data(message("x", true)), "grpc.malformed", "13"},
      {kCall, data(message("hello").substr(0, 7), kEndStream), "grpc.malformed", "13"},
      {kCall, headers(1, {{"x-token", "1"}}), "grpc.malformed", "13"},
      {kCall, data(GrpcMessageReader::prefix(false, 0x7fffffff)), "dlp.body-limit", "8"},
  };
  for (const auto& one : cases) {
    call(one.fields, one.body);
    world_->answer_commit();
    hear();
    EXPECT_EQ(world_->rows.at(0).decision.rule_id, one.rule);
    EXPECT_EQ(header(1, "grpc-status"), one.status);
    EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
  }
}

TEST_F(GrpcSessionTest, LetsTheServerSpeakFirst) {
  call();
  EXPECT_THAT(world_->rows, IsEmpty());
  session_->on_deadline();
  EXPECT_EQ(world_->rows.at(0).decision.verdict, Verdict::allow);
  say(data(message("hello")));
  EXPECT_EQ(world_->scanner.streams.size(), 1U);  // not before the call's own row is committed
  let_through();
  EXPECT_EQ(scan().bytes("body"), "hello");
  hear_from_upstream(kAnswerHead + chunk(message("welcome")));
  EXPECT_EQ(body(1), message("welcome"));
  EXPECT_THAT(wire_.sent, Not(HasSubstr("hello")));
  allow();
  EXPECT_THAT(wire_.sent, HasSubstr("hello"));
}

TEST_F(GrpcSessionTest, SendsTheFirstMessageAgainToWhoHasNotSeenIt) {
  for (const bool ended : {false, true}) {
    call(kCall, data(message("hello"), ended ? kEndStream : 0));
    allow();
    world_->answer_commit();
    ScriptedLeg::Told first, second;
    std::exchange(world_->opened, nullptr)(std::make_unique<ScriptedLeg>(first));
    EXPECT_EQ(first.bytes, message("hello"));
    first.listener->on_lost({"upstream.closed", "refused", UpstreamLoss::Retry::always});
    ASSERT_TRUE(world_->opened);
    std::exchange(world_->opened, nullptr)(std::make_unique<ScriptedLeg>(second));
    EXPECT_EQ(second.bytes, message("hello"));
    EXPECT_EQ(second.ended, ended);
    session_.reset();
  }
}

TEST_F(GrpcSessionTest, SendsNothingAgainOnceMoreHasBeenSaid) {
  call(kCall, data(message("hello")));
  allow();
  world_->answer_commit();
  ScriptedLeg::Told first;
  std::exchange(world_->opened, nullptr)(std::make_unique<ScriptedLeg>(first));
  say(data(message("more")));
  first.listener->on_lost({"upstream.closed", "refused", UpstreamLoss::Retry::always});
  hear();
  EXPECT_FALSE(world_->opened);
  EXPECT_EQ(header(1, "grpc-status"), "14");
}

TEST_F(GrpcSessionTest, WaitsForAnUpstreamThatDoesNotKeepUp) {
  talk();
  wire_.queued = kMaxPassQueuedBytes + 1;
  say(data(message("more")));
  allow();
  EXPECT_THAT(wire_.sent, IsEmpty());
  wire_.queued = 0;
  wire_.listener->on_upstream_drained();
  EXPECT_THAT(wire_.sent, HasSubstr("more"));
}

TEST_F(GrpcSessionTest, EndsWithTheServerWhateverTheGuestHasLeftToSay) {
  talk();
  say(data(message("more")));
  hear_from_upstream(kAnswerHead + "0\r\nGrpc-Status: 0\r\n\r\n");
  EXPECT_EQ(header(1, "grpc-status"), "0");
  EXPECT_TRUE(ended(1));
  EXPECT_THAT(wire_.sent, IsEmpty());
}

}  // namespace
}  // namespace gatehouse::proxy
