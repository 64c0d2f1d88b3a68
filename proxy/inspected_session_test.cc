// A guest's connection with a scanner: what is held back until when, and what a verdict comes to.
#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Outcome = dlp::ScanVerdict::Outcome;

const std::string kToken = "tok_AAAABBBBCCCC";
const std::string kHost = "Host: api.test.example\r\n";

std::string post(const std::string& body, const std::string& fields = "") {
  return fmt::format("POST /x HTTP/1.1\r\n{}{}Content-Length: {}\r\n\r\n{}", kHost, fields, body.size(), body);
}

class InspectedSessionTest : public SessionTest {
 protected:
  InspectedSessionTest() {
    world_->with_scanner = true;
    dial();
  }
  void again() {
    restart();
    dial();
  }
  ScriptedStream& scan() { return world_->scanner.last(); }
  bool asked() { return !world_->scanner.streams.empty() && scan().question; }

  // A finding where the scanner saw the token in the last part of that name.
  dlp::Finding found(std::string_view location, FindingAction action = FindingAction::deny) {
    dlp::Finding finding;
    finding.rule = "test-token";
    finding.category = "credentials";
    finding.title = "test token";
    finding.action = action;
    finding.part = scan().index(location);
    finding.location = location;
    finding.offset = scan().bytes(location).find(kToken);
    finding.length = kToken.size();
    finding.prefix = "tok_";
    finding.fingerprint = "0123456789abcdef";
    EXPECT_NE(finding.offset, std::string::npos) << location;
    return finding;
  }
  void deny(std::string_view location) { scan().answer(dlp::ScanVerdict{Outcome::deny, {found(location)}, {}}); }
  void redact(std::string_view location) {
    const auto finding = found(location, FindingAction::redact);
    scan().answer(
        dlp::ScanVerdict{Outcome::redact, {finding}, {dlp::Redaction{finding.part, finding.offset, finding.length}}});
  }
  void allow() { scan().answer(dlp::ScanVerdict{Outcome::allow, {}, {}}); }
  // Through to the upstream, which has answered nothing yet.
  void let_through(const std::string& request) {
    session_->on_bytes(request);
    allow();
    world_->answer_commit();
    if (world_->opened) world_->answer_open(wire_);
  }
  bool nothing_went_out() {
    return !world_->opened && wire_.sent.empty() && world_->log == std::vector<std::string>{"name 198.18.0.7"};
  }
};

TEST_F(InspectedSessionTest, AsksTheScannerThenTheLogThenTheUpstream) {
  session_->on_bytes(kGet);
  ASSERT_TRUE(asked());
  EXPECT_TRUE(scan().finished);
  EXPECT_EQ(scan().info.host, "api.test.example");
  EXPECT_EQ(scan().info.channel, "http");
  EXPECT_EQ(scan().info.direction, dlp::Direction::out);
  EXPECT_EQ(scan().bytes("query:q"), "1");
  EXPECT_THAT(world_->order, IsEmpty());
  EXPECT_TRUE(nothing_went_out());
  allow();
  EXPECT_THAT(world_->order, ElementsAre("net"));
  EXPECT_EQ(world_->rows[0].trace_id, scan().info.trace_id);
  EXPECT_TRUE(nothing_went_out());
  world_->answer_commit();
  EXPECT_EQ(world_->log.back(), "open api.test.example:80");
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, StartsWith("GET /x?q=1 HTTP/1.1\r\n"));
}

TEST_F(InspectedSessionTest, TakesNoKeptConnectionBeforeTheVerdict) {
  world_->kept = std::make_unique<TestUpstream>(wire_, true);
  session_->on_bytes(kGet);
  EXPECT_TRUE(world_->kept);
  allow();
  EXPECT_TRUE(world_->kept);
  world_->answer_commit();
  EXPECT_FALSE(world_->kept);
  EXPECT_THAT(wire_.sent, StartsWith("GET /x"));
}

// Its verdict stands whatever the scanner says, which tells what of it may be logged.
TEST_F(InspectedSessionTest, ShowsTheScannerTheHeadOfWhatThePolicyDenies) {
  session_->on_bytes("POST /no?key=" + kToken + " HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\nhello");
  ASSERT_TRUE(asked());
  EXPECT_THAT(world_->rows, IsEmpty());
  deny("query:key");
  EXPECT_THAT(world_->order, ElementsAre("dlp", "net"));
  EXPECT_EQ(world_->findings.at(0).trace_id, world_->rows[0].trace_id);
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "no");
  EXPECT_EQ(world_->rows[0].path, "/no");
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(world_->to_guest, HasSubstr("\"rule\": \"no\""));
  EXPECT_FALSE(world_->opened);
}

TEST_F(InspectedSessionTest, LogsNoPathThatTheScannerHasNotSeen) {
  session_->on_bytes("GET /no?" + kToken + " HTTP/1.1\r\n" + kHost + "\r\n");
  scan().answer(tl::unexpected(Error("connection refused")));
  world_->answer_commit();
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "no");
  EXPECT_EQ(world_->rows[0].path, kPathNotScanned);
  EXPECT_THAT(world_->rows[0].decision.reason, Not(HasSubstr("/no")));
  again();
  session_->on_bytes("GET /no?" + kToken + " HTTP/1.1\r\n" + kHost + "\r\n");
  session_->on_deadline();
  world_->answer_commit();
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "no");
  EXPECT_EQ(world_->rows[0].path, kPathNotScanned);
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 403"));
}

TEST_F(InspectedSessionTest, DeniesWithTheRuleAndWhatToDo) {
  session_->on_bytes(post("key=" + kToken));
  deny("body");
  EXPECT_THAT(world_->order, ElementsAre("dlp", "net"));
  EXPECT_EQ(world_->to_guest, "");  // not before the rows are committed
  world_->answer_commit();
  EXPECT_TRUE(nothing_went_out());
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(world_->to_guest, HasSubstr("\"rule\": \"dlp.test-token\""));
  EXPECT_THAT(world_->to_guest, HasSubstr("remove the secret from the request: the host never saw it"));
  EXPECT_THAT(world_->to_guest, HasSubstr(world_->rows[0].event_id));
  const auto& finding = world_->findings.at(0);
  EXPECT_EQ(finding.trace_id, world_->rows[0].trace_id);
  EXPECT_EQ(finding.rule, "test-token");
  EXPECT_EQ(finding.action, "deny");
  EXPECT_EQ(finding.location, "body");
  EXPECT_EQ(finding.offset, 4U);
  EXPECT_EQ(finding.direction, "out");
  EXPECT_EQ(world_->rows[0].decision.rule_id, "dlp.test-token");
}

TEST_F(InspectedSessionTest, GoesOnWithTheConnectionAfterADenial) {
  session_->on_bytes(post(kToken) + kGet);
  EXPECT_EQ(world_->scanner.streams.size(), 1U);  // the next request waits
  deny("body");
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, Not(HasSubstr("Connection: close")));
  EXPECT_EQ(world_->scanner.streams.size(), 2U);
  allow();
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, StartsWith("GET /x"));
  EXPECT_THAT(wire_.sent, Not(HasSubstr(kToken)));
}

TEST_F(InspectedSessionTest, LetsNothingPassThatWasNotScanned) {
  for (const bool late : {false, true}) {
    again();
    session_->on_bytes(post("hello"));
    if (late) {
      session_->on_deadline();
    } else {
      scan().answer(fail("no scanner at unix:/run/dlp"));
    }
    EXPECT_EQ(world_->rows.at(0).decision.rule_id, "dlp.unavailable");
    EXPECT_EQ(world_->rows.at(0).decision.verdict, Verdict::deny);
    world_->answer_commit();
    EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 503"));
    EXPECT_TRUE(nothing_went_out());
  }
}

TEST_F(InspectedSessionTest, TakesADenialWithoutAFindingForNoVerdict) {
  session_->on_bytes(kGet);
  scan().answer(dlp::ScanVerdict{});
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "dlp.unavailable");
}

TEST_F(InspectedSessionTest, ForwardsNothingWhenAFindingsRowCannotBeWritten) {
  session_->on_bytes(post(kToken));
  scan().answer(dlp::ScanVerdict{Outcome::allow, {found("body", FindingAction::warn)}, {}});
  ASSERT_EQ(world_->committed.size(), 2U);
  auto rows = std::exchange(world_->committed, {});
  rows[0](fail("disk full"));
  rows[1](Result<void>());
  EXPECT_THAT(world_->to_guest, HasSubstr("audit.unavailable"));
  EXPECT_TRUE(nothing_went_out());
}

TEST_F(InspectedSessionTest, ForwardsWithARowWhatIsOnlyWarnedOf) {
  session_->on_bytes(post(kToken));
  scan().answer(dlp::ScanVerdict{Outcome::allow, {found("body", FindingAction::warn)}, {}});
  EXPECT_THAT(world_->order, ElementsAre("dlp", "net"));
  EXPECT_EQ(world_->findings[0].action, "warn");
  EXPECT_EQ(world_->findings[0].decision.verdict, Verdict::allow);
  EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::allow);
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\n" + kToken));
}

TEST_F(InspectedSessionTest, RedactsAndSaysSo) {
  session_->on_bytes(post("a " + kToken + " b"));
  redact("body");
  EXPECT_EQ(world_->findings.at(0).action, "redact");
  EXPECT_EQ(world_->rows.at(0).decision.verdict, Verdict::allow);
  EXPECT_THAT(world_->rows.at(0).detail, StartsWith("redacted a test token (tok_...)"));
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\na " + std::string(kToken.size(), '*') + " b"));
  EXPECT_THAT(wire_.sent, HasSubstr("Content-Length: 20\r\n"));
}

TEST_F(InspectedSessionTest, DeniesWhatItCannotRedact) {
  session_->on_bytes(post(kToken));
  scan().answer(dlp::ScanVerdict{
      Outcome::redact, {found("body", FindingAction::redact)}, {dlp::Redaction{scan().index("body"), 0, 1000}}});
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "dlp.test-token");
  EXPECT_THAT(world_->rows.at(0).decision.reason, HasSubstr("cannot be overwritten"));
  world_->answer_commit();
  EXPECT_TRUE(nothing_went_out());
}

TEST_F(InspectedSessionTest, JudgesAPathAnewThatWasRedacted) {
  session_->on_bytes("GET /x/" + kToken + " HTTP/1.1\r\n" + kHost + "\r\n");
  redact("path");
  EXPECT_EQ(world_->rows.at(0).path, "/x/tok_***");
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "all");

  policy_ = *policy::Policy::parse({{"test.json", R"({"version": 1, "name": "test", "http": [
    {"id": "tokens", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"], "paths": ["/x/tok_*"]}]})"}});
  again();
  session_->on_bytes("GET /x/" + kToken + " HTTP/1.1\r\n" + kHost + "\r\n");
  redact("path");
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "default-deny");
}

TEST_F(InspectedSessionTest, HoldsARedactedRequestToTheTermsOfWhatItHasBecome) {
  policy_ = *policy::Policy::parse({{"test.json", R"({"version": 1, "name": "test", "http": [
    {"id": "as-sent", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"], "query": {"tok_*": true}},
    {"id": "masked", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"], "query": {"tok_*": false},
     "request_body": 8}]})"}});
  for (const std::string body : {"12345678", "123456789"}) {
    again();
    session_->on_bytes(
        fmt::format("POST /x?{}=1 HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{}", kToken, kHost, body.size(), body));
    redact("query-name");
    ASSERT_EQ(world_->rows.size(), 1u);
    EXPECT_EQ(world_->rows[0].decision.rule_id, "masked");
    EXPECT_EQ(world_->rows[0].decision.allowed(), body.size() == 8) << body;
    world_->answer_commit();
    EXPECT_EQ(static_cast<bool>(world_->opened), body.size() == 8) << body;
  }
}

TEST_F(InspectedSessionTest, KeepsWhatWasFoundOutOfEveryRowAndAnswer) {
  for (const std::string& request :
       {"GET /x/" + kToken + "?" + kToken + "=1 HTTP/1.1\r\n" + kHost + "\r\n",
        "GET /x?" + kToken + "=" + kToken + " HTTP/1.1\r\n" + kHost + kToken + ": 1\r\n\r\n"}) {
    again();
    session_->on_bytes(request);
    const bool in_path = scan().bytes("path").find(kToken) != std::string::npos;
    const std::vector findings{found(in_path ? "path" : "header-name"), found("query-name"), found("head")};
    scan().answer(dlp::ScanVerdict{Outcome::deny, findings, {}});
    world_->answer_commit();
    std::string said = world_->to_guest;
    for (const auto& row : world_->rows) said += row.path + row.detail + row.decision.reason;
    for (const auto& row : world_->findings) said += row.location + row.detail + row.decision.reason;
    EXPECT_EQ(world_->findings.size(), 2U);
    EXPECT_THAT(lower_case(said), Not(HasSubstr("aaaa"))) << request;
  }
}

TEST_F(InspectedSessionTest, HoldsTheBodyUntilItIsWhole) {
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 6\r\n\r\nabc");
  EXPECT_FALSE(asked());
  EXPECT_EQ(scan().bytes("body"), "abc");
  session_->on_bytes("def");
  ASSERT_TRUE(asked());
  EXPECT_EQ(scan().bytes("body"), "abcdef");
  EXPECT_TRUE(nothing_went_out());
  allow();
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\nabcdef"));
}

TEST_F(InspectedSessionTest, ForwardsAChunkedBodyChunkedWithItsTrailers) {
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost +
                     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_EQ(scan().bytes("body"), "abcdef");
  EXPECT_EQ(scan().bytes("trailer:x-sum"), "1");
  allow();
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\n6\r\nabcdef\r\n0\r\nX-Sum: 1\r\n\r\n"));
}

TEST_F(InspectedSessionTest, RefusesALongBodyAsSoonAsItIsKnown) {
  policy_ = *policy::Policy::parse({{"test.json", R"({"version": 1, "name": "test", "limits": {"request_body": 4096},
    "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}]})"}});
  const std::string chunk = "800\r\n" + std::string(0x800, 'x') + "\r\n";
  for (const std::string& request :
       {"POST /x HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 4097\r\n\r\n",
        "POST /x HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "1\r\nx"}) {
    again();
    session_->on_bytes(request);
    ASSERT_TRUE(asked());
    allow();  // as to the head: the verdict stands
    ASSERT_EQ(world_->rows.size(), 1U);
    EXPECT_EQ(world_->rows[0].decision.rule_id, "dlp.body-limit");
    EXPECT_EQ(world_->rows[0].path, "/x");
    world_->answer_commit();
    EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(world_->to_guest, HasSubstr("Connection: close"));
    EXPECT_EQ(world_->log.back(), "shutdown");
    EXPECT_FALSE(world_->opened);
  }
}

TEST_F(InspectedSessionTest, TakesABodyOfJustTheLimit) {
  policy_ = *policy::Policy::parse({{"test.json", R"({"version": 1, "name": "test", "limits": {"request_body": 4096},
    "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}]})"}});
  again();
  session_->on_bytes(post(std::string(4096, 'x')));
  EXPECT_TRUE(asked());
}

TEST_F(InspectedSessionTest, AsksForTheBodyItselfAndForwardsNoExpectation) {
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(world_->to_guest, "HTTP/1.1 100 Continue\r\n\r\n");
  session_->on_bytes("hi");
  allow();
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, Not(HasSubstr("Expect")));
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\nhi"));
  world_->to_guest.clear();
  wire_.listener->on_upstream_bytes("HTTP/1.1 103 Early Hints\r\n\r\n");
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 103"));
}

TEST_F(InspectedSessionTest, ReadsNoMoreOfAGuestThanTheScannerTakes) {
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 1000000\r\n\r\n");
  scan().queued = dlp::kMaxScanQueuedBytes + 1;
  session_->on_bytes("x");
  session_->on_bytes(std::string(kMaxAheadBytes + 1, 'x'));
  EXPECT_FALSE(world_->reading);
  EXPECT_EQ(scan().bytes("body").size(), 1U);
  scan().queued = 0;
  scan().drained();
  EXPECT_TRUE(world_->reading);
  EXPECT_EQ(scan().bytes("body").size(), kMaxAheadBytes + 2);
}

TEST_F(InspectedSessionTest, SaysWhoIsSlow) {
  for (const bool scanner : {false, true}) {
    again();
    session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 10\r\n\r\n");
    if (scanner) scan().queued = dlp::kMaxScanQueuedBytes + 1;
    session_->on_deadline();
    world_->answer_commit();
    EXPECT_EQ(world_->rows.at(0).decision.rule_id, scanner ? "dlp.unavailable" : "http.timeout");
    EXPECT_THAT(world_->to_guest, StartsWith(scanner ? "HTTP/1.1 503" : "HTTP/1.1 408"));
  }
}

TEST_F(InspectedSessionTest, LeavesARowOfAGuestThatIsGoneBeforeTheVerdict) {
  for (const bool whole : {false, true}) {
    again();
    session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 10\r\n\r\n0123" + (whole ? "456789" : ""));
    if (whole) {
      session_->on_error(Error("connection reset by peer"));
    } else {
      session_->on_end();
    }
    EXPECT_FALSE(scan().open);
    EXPECT_EQ(world_->rows.at(0).decision.rule_id, "http.cut-short");
    EXPECT_EQ(world_->rows[0].path, kPathNotScanned);
    EXPECT_EQ(world_->log.back(), "close");
    EXPECT_EQ(world_->rows.size(), 1U);
    EXPECT_FALSE(world_->opened);
  }
}

TEST_F(InspectedSessionTest, ReportsABodyThatIsNoHttpOnce) {
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
  EXPECT_FALSE(scan().open);
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_THAT(world_->rows[0].decision.rule_id, StartsWith("http.chunk"));
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 400"));
}

TEST_F(InspectedSessionTest, ForwardsNoFasterThanTheUpstreamTakes) {
  const std::string body(600'000, 'x');
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 600000\r\n\r\n");
  for (size_t i = 0; i < body.size(); i += 10'000) session_->on_bytes(body.substr(i, 10'000));
  allow();
  world_->answer_commit();
  wire_.queued = kMaxQueuedBytes + 1;
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\n"));
  wire_.queued = 0;
  wire_.listener->on_upstream_drained();
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\n" + body));
  EXPECT_LE(world_->deadline, policy_.limits().first_byte_time);
  EXPECT_GT(world_->deadline, policy_.limits().idle_time);
}

TEST_F(InspectedSessionTest, SendsAnIdempotentRequestAgainWithItsBodyWhenAKeptConnectionDied) {
  world_->kept = std::make_unique<TestUpstream>(wire_, true);
  let_through("PUT /x HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\n\r\nab");
  EXPECT_THAT(wire_.sent, EndsWith("ab"));
  wire_.listener->on_upstream_end(true);
  EXPECT_EQ(world_->log.back(), "open api.test.example:80");
  world_->answer_open(second_);
  EXPECT_THAT(second_.sent, EndsWith("\r\n\r\nab"));
  second_.listener->on_upstream_bytes("HTTP/1.1 204 No Content\r\n\r\n");
  allow();
  EXPECT_EQ(world_->results.at(0).bytes_out, 2U);
}

TEST_F(InspectedSessionTest, NeverSendsTwiceWhatMayHaveBeenActedUpon) {
  world_->kept = std::make_unique<TestUpstream>(wire_, true);
  let_through(post("ab"));
  wire_.listener->on_upstream_end(true);
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 502"));
}

// Responses.

const std::string kText = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST_F(InspectedSessionTest, RelaysEachPieceOnceItIsJudged) {
  let_through(kGet);
  wire_.listener->on_upstream_bytes(kText);
  EXPECT_EQ(scan().info.direction, dlp::Direction::in);
  EXPECT_EQ(scan().info.host, "api.test.example");
  EXPECT_EQ(world_->to_guest, "");
  allow();
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 200 OK\r\n"));
  wire_.listener->on_upstream_bytes("6\r\ndata: \r\n");
  EXPECT_EQ(scan().bytes("body"), "data: ");
  EXPECT_THAT(world_->to_guest, EndsWith("\r\n\r\n"));
  wire_.listener->on_upstream_bytes("3\r\none\r\n");  // comes while the first is with the scanner
  allow();
  EXPECT_THAT(world_->to_guest, EndsWith("6\r\ndata: \r\n"));
  ASSERT_TRUE(asked());
  EXPECT_FALSE(scan().finished);
  allow();
  EXPECT_THAT(world_->to_guest, EndsWith("3\r\none\r\n"));
  EXPECT_FALSE(asked());
  wire_.listener->on_upstream_bytes("0\r\n\r\n");
  EXPECT_TRUE(scan().finished);
  EXPECT_THAT(world_->results, IsEmpty());
  allow();
  EXPECT_THAT(world_->to_guest, EndsWith("0\r\n\r\n"));
  EXPECT_EQ(world_->results.at(0).error, "");
  EXPECT_EQ(world_->results.at(0).bytes_in, 9U);
}

TEST_F(InspectedSessionTest, AsksOnceAboutAResponseThatComesWhole) {
  let_through(kGet);
  wire_.listener->on_upstream_bytes(kResponse);
  EXPECT_TRUE(scan().finished);
  EXPECT_EQ(world_->to_guest, "");
  EXPECT_EQ(world_->log.back(), "keep");
  allow();
  EXPECT_THAT(world_->to_guest, EndsWith("\r\n\r\nhi"));
  let_through(kGet);  // and the guest's connection goes on
  EXPECT_THAT(wire_.sent, EndsWith("\r\n\r\n"));
}

TEST_F(InspectedSessionTest, LetsWhatIsNoTextPassUnscanned) {
  for (const char* type : {"application/octet-stream", "image/png", "application/zip",
                           "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "video/mp4"}) {
    again();
    let_through(kGet);
    wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) +
                                      "\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_THAT(world_->to_guest, EndsWith("hi")) << type;
    EXPECT_EQ(world_->scanner.streams.size(), 1U);
  }
}

TEST_F(InspectedSessionTest, ScansWhateverMayBeText) {
  for (const char* type :
       {"", "Content-Type: text/html; charset=utf-8\r\n", "Content-Type: application/json\r\n",
        "Content-Type: application/vnd.api+json\r\n", "Content-Type: image/svg+xml\r\n",
        "Content-Type: Application/JavaScript\r\n", "Content-Type: image/png\r\nContent-Type: text/html\r\n"}) {
    again();
    let_through(kGet);
    wire_.listener->on_upstream_bytes(std::string("HTTP/1.1 200 OK\r\n") + type + "Content-Length: 2\r\n\r\nhi");
    EXPECT_EQ(world_->scanner.streams.size(), 2U) << type;
  }
}

TEST_F(InspectedSessionTest, AnswersInPlaceOfAResponseThatIsDenied) {
  let_through(kGet);
  wire_.listener->on_upstream_bytes(kText + "10\r\n" + kToken + "\r\n");
  deny("body");
  EXPECT_FALSE(wire_.open);
  EXPECT_EQ(world_->to_guest, "");
  EXPECT_EQ(world_->results.at(0).status, 502);
  ASSERT_EQ(world_->rows.size(), 2U);
  EXPECT_EQ(world_->rows[1].decision.rule_id, "dlp.test-token");
  EXPECT_EQ(world_->rows[1].trace_id, world_->rows[0].trace_id);
  EXPECT_NE(world_->rows[1].event_id, world_->rows[0].event_id);
  EXPECT_EQ(world_->findings.at(0).direction, "in");
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(world_->to_guest, HasSubstr("dlp.test-token"));
  EXPECT_THAT(world_->to_guest, Not(HasSubstr(kToken)));
}

TEST_F(InspectedSessionTest, CutsAResponseThatIsDeniedLater) {
  let_through(kGet);
  wire_.listener->on_upstream_bytes(kText);
  allow();
  wire_.listener->on_upstream_bytes("10\r\n" + kToken + "\r\n");
  deny("body");
  EXPECT_EQ(world_->log.back(), "reset");
  EXPECT_THAT(world_->to_guest, Not(HasSubstr(kToken)));
  EXPECT_THAT(world_->results.at(0).error, StartsWith("dlp.test-token: "));
  EXPECT_EQ(world_->rows.at(1).decision.verdict, Verdict::deny);
}

TEST_F(InspectedSessionTest, RelaysWithARowWhatIsOnlyWarnedOf) {
  let_through(kGet);
  wire_.listener->on_upstream_bytes(kText + "10\r\n" + kToken + "\r\n");
  scan().answer(dlp::ScanVerdict{Outcome::redact,
                                 {found("body", FindingAction::redact)},
                                 {dlp::Redaction{scan().index("body"), 0, kToken.size()}}});
  EXPECT_EQ(world_->findings.at(0).action, "warn");
  EXPECT_THAT(world_->to_guest, HasSubstr(kToken));
}

TEST_F(InspectedSessionTest, CutsAResponseThatCannotBeScanned) {
  for (const bool begun : {false, true}) {
    again();
    let_through(kGet);
    wire_.listener->on_upstream_bytes(kText);
    if (begun) {
      allow();
      wire_.listener->on_upstream_bytes("2\r\nhi\r\n");
    }
    scan().answer(fail("the scanner closed the connection"));
    EXPECT_FALSE(wire_.open);
    EXPECT_THAT(world_->results.at(0).error, HasSubstr("the scanner closed the connection"));
    if (begun) {
      EXPECT_EQ(world_->log.back(), "reset");
      EXPECT_THAT(world_->to_guest, Not(HasSubstr("hi")));
    } else {
      EXPECT_THAT(world_->to_guest, StartsWith("HTTP/1.1 503"));
      EXPECT_THAT(world_->to_guest, HasSubstr("dlp.unavailable"));
    }
  }
}

TEST_F(InspectedSessionTest, ReadsNoMoreOfAResponseThanTheScannerJudges) {
  let_through(kGet);
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
  allow();
  wire_.listener->on_upstream_bytes("x");
  EXPECT_TRUE(wire_.reading);
  wire_.listener->on_upstream_bytes(std::string(kMaxQueuedBytes, 'x'));
  EXPECT_FALSE(wire_.reading);
  session_->on_drained();
  EXPECT_FALSE(wire_.reading);
  allow();
  allow();
  EXPECT_TRUE(wire_.reading);
}

TEST_F(InspectedSessionTest, ForgetsAResponseWhoseGuestIsGone) {
  let_through(kGet);
  wire_.listener->on_upstream_bytes(kText);
  session_->on_error(Error("connection reset by peer"));
  EXPECT_FALSE(scan().open);
  EXPECT_FALSE(wire_.open);
  EXPECT_THAT(world_->results.at(0).error, HasSubstr("connection reset by peer"));
}

}  // namespace
}  // namespace gatehouse::proxy
