// What RFC 9112 says that a server (towards the guest), a client (towards the upstream) or a proxy MUST do with what it
// reads and forwards, a row each; 9110 where it speaks of the same messages. Rows say what is done, and where more is
// refused than must be, that it is refused.
#include <gmock/gmock.h>

#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kHost = "Host: api.test.example\r\n";

std::string get(std::string_view fields = "", std::string_view target = "/x", std::string_view version = "HTTP/1.1") {
  return fmt::format("GET {} {}\r\n{}{}\r\n", target, version, kHost, fields);
}
std::string post(std::string_view fields, std::string_view body) {
  return fmt::format("POST /x HTTP/1.1\r\n{}{}\r\n{}", kHost, fields, body);
}

// What a guest says, and what comes of it: refused by `refused` with `answer` and nothing opened; or forwarded as
// `forwarded` (all of what the upstream is sent), and `answer` begins what the guest gets for kResponse.
struct GuestRow {
  std::string_view section;
  std::string_view must;
  std::string said;
  std::string_view refused;  // rule; "" for none
  std::string answer;
  std::string forwarded = {};
  bool closes = false;  // after that answer
};

const std::vector<GuestRow>& guest_rows() {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string plain = "GET /x HTTP/1.1\r\nHost: api.test.example\r\n\r\n";
  static const std::vector<GuestRow> kTable = {
      // 2: messages
      {"2.2", "a CRLF before the request line is passed over", "\r\n" + get(), "", ok, plain},
      {"2.2", "a bare CR is invalid", get("X: a\rb\r\n"), "http.bare-cr", "HTTP/1.1 400", {}, true},
      {"2.2", "a bare LF ends no line", get("X: a\nb: c\r\n"), "http.bare-lf", "HTTP/1.1 400", {}, true},
      {"2.2",
       "white space before the first field is refused",
       "GET /x HTTP/1.1\r\n Host: api.test.example\r\n\r\n",
       "http.line-folding",
       "HTTP/1.1 400",
       {},
       true},
      {"2.2",
       "what is no HTTP gets 400 and the end",
       "HELO there\r\n\r\n",
       "http.version-missing",
       "HTTP/1.1 400",
       {},
       true},
      {"2.3", "what is forwarded has our own version", get("", "/x", "HTTP/1.0"), "", ok, plain, true},
      {"2.3",
       "the version's case counts",
       get("", "/x", "http/1.1"),
       "http.version-malformed",
       "HTTP/1.1 400",
       {},
       true},
      // 3: the request line
      {"3", "white space within the target is refused", get("", "/a b"), "http.request-line", "HTTP/1.1 400", {}, true},
      {"3.2",
       "HTTP/1.1 without Host gets 400",
       "GET /x HTTP/1.1\r\n\r\n",
       "http.host-missing",
       "HTTP/1.1 400",
       {},
       true},
      {"3.2", "Host twice gets 400", get(kHost), "http.host-twice", "HTTP/1.1 400", {}, true},
      {"3.2",
       "an invalid Host gets 400",
       "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
       "http.host-malformed",
       "HTTP/1.1 400",
       {},
       true},
      {"3.2.1", "an empty path is sent as /", get("", "http://api.test.example?q"), "", ok,
       "GET /?q HTTP/1.1\r\nHost: api.test.example\r\n\r\n"},
      {"3.2.2", "the absolute form is taken, and Host is written anew from it", get("", "http://API.test.example:80/x"),
       "", ok, plain},
      {"3.2.2",
       "a Host that says otherwise is not believed; here it is refused",
       get("", "http://b.example/x"),
       "http.host-disagrees",
       "HTTP/1.1 400",
       {},
       true},
      {"3.2.3",
       "the authority form is for CONNECT",
       get("", "api.test.example:80"),
       "http.target-form",
       "HTTP/1.1 400",
       {},
       true},
      {"3.2.4",
       "OPTIONS of a whole server has no path to judge: refused",
       "OPTIONS * HTTP/1.1\r\n" + std::string(kHost) + "\r\n",
       "http.target-form",
       "HTTP/1.1 400",
       {},
       true},
      {"3.2.4",
       "an OPTIONS with an empty path is that very one",
       "OPTIONS http://api.test.example HTTP/1.1\r\n" + std::string(kHost) + "\r\n",
       "http.target-form",
       "HTTP/1.1 400",
       {},
       true},
      // 5: fields
      {"5.1",
       "white space before the colon gets 400",
       get("X : a\r\n"),
       "http.space-before-colon",
       "HTTP/1.1 400",
       {},
       true},
      {"5.1", "white space around the value is no part of it", get("X: \t a \t\r\n"), "", ok,
       "GET /x HTTP/1.1\r\nHost: api.test.example\r\nX: a\r\n\r\n"},
      {"5.2", "a folded line gets 400", get("X: a\r\n b\r\n"), "http.line-folding", "HTTP/1.1 400", {}, true},
      // 6: bodies
      {"6.1",
       "a coding that is not understood gets 501",
       post("Transfer-Encoding: gzip, chunked\r\n", ""),
       "http.transfer-encoding-unknown",
       "HTTP/1.1 501",
       {},
       true},
      {"6.3",
       "a last coding that is not chunked gets 400",
       post("Transfer-Encoding: chunked, gzip\r\n", ""),
       "http.transfer-encoding-unknown",
       "HTTP/1.1 400",
       {},
       true},
      {"6.1",
       "HTTP/1.0 with Transfer-Encoding is faulty",
       "POST /x HTTP/1.0\r\n" + std::string(kHost) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "http.transfer-encoding-in-1.0",
       "HTTP/1.1 400",
       {},
       true},
      {"6.3",
       "both lengths: refused, and the connection ends",
       post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       "http.length-and-transfer-encoding",
       "HTTP/1.1 400",
       {},
       true},
      {"6.3",
       "an invalid Content-Length gets 400",
       post("Content-Length: 3x\r\n", "abc"),
       "http.content-length-malformed",
       "HTTP/1.1 400",
       {},
       true},
      {"6.3", "a request without length has no body", get(), "", ok, plain},
      // 7: chunks
      {"7.1", "chunks are understood, whatever they are cut into",
       post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n00A\r\n0123456789\r\n0\r\n\r\n"), "", ok,
       "POST /x HTTP/1.1\r\nHost: api.test.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\na\r\n0123456789\r\n"
       "0\r\n\r\n"},
      {"7.1.1", "extensions of chunks are passed over",
       post("Transfer-Encoding: chunked\r\n", "1;x=\"y\"\r\na\r\n0;z\r\n\r\n"), "", ok,
       "POST /x HTTP/1.1\r\nHost: api.test.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"},
      {"7.1.2", "trailers are not merged into the head",
       post("Transfer-Encoding: chunked\r\n", "0\r\nX-Sum: 1\r\n\r\n"), "", ok,
       "POST /x HTTP/1.1\r\nHost: api.test.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n"},
      // 9: connections
      {"9110 7.6.1", "Connection and what it names go no further",
       get("Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\n"), "", ok, plain},
      {"9.3", "no connection is kept with a client of HTTP/1.0", get("Connection: keep-alive\r\n", "/x", "HTTP/1.0"),
       "", ok, plain, true},
      {"9.6", "a client that says close gets one answer, and the end", get("Connection: close\r\n") + get(), "",
       ok + "Content-Length: 2\r\nConnection: close\r\n\r\nhi", plain, true},
      {"9110 7.8", "an Upgrade may be passed over, and is a matter of this connection",
       get("Connection: Upgrade\r\nUpgrade: h2c\r\n"), "", ok, plain},
      {"9110 10.1.1",
       "an expectation that is not known gets 417",
       post("Expect: x\r\nContent-Length: 1\r\n", "a"),
       "http.expectation",
       "HTTP/1.1 417",
       {},
       true},
      {"9110 10.1.1", "100-continue is told to the upstream",
       post("Expect: 100-continue\r\nContent-Length: 1\r\n", "a"), "", ok,
       "POST /x HTTP/1.1\r\nHost: api.test.example\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"},
  };
  return kTable;
}

class Rfc9112 : public SessionTest {
 protected:
  bool closing() const { return std::find(world_->log.begin(), world_->log.end(), "shutdown") != world_->log.end(); }
};

TEST_F(Rfc9112, WhatAGuestSays) {
  for (const GuestRow& row : guest_rows()) {
    SCOPED_TRACE(fmt::format("{}: {}", row.section, row.must));
    restart();
    wire_ = {};
    dial();
    session_->on_bytes(row.said);
    world_->answer_commit();
    ASSERT_EQ(world_->opened == nullptr, row.forwarded.empty());
    if (world_->opened) {
      world_->answer_open(wire_);
      EXPECT_EQ(wire_.sent, row.forwarded);
      wire_.listener->on_upstream_bytes(kResponse);
    }
    ASSERT_FALSE(world_->rows.empty());
    EXPECT_EQ(world_->rows[0].decision.rule_id, row.refused.empty() ? "all" : row.refused);
    EXPECT_THAT(world_->to_guest, StartsWith(row.answer));
    EXPECT_EQ(closing(), row.closes);
    EXPECT_EQ(world_->rows.size(), 1U);  // nothing behind a refusal is taken for a request
  }
}

// What an upstream says to a GET (or HEAD, or a guest of HTTP/1.0), in one piece and by byte, and perhaps ends.
struct UpstreamRow {
  std::string_view section;
  std::string_view must;
  std::string said;
  std::string guest;  // all that the guest gets; of a refusal how it begins
  bool ends = false;  // the upstream, behind that
  bool kept = false;  // its connection
  bool cut = false;   // the guest's connection, so that it notices
  std::string_view method = "GET";
  std::string_view version = "HTTP/1.1";
};

const std::vector<UpstreamRow>& upstream_rows() {
  const std::string bad = "HTTP/1.1 502";
  const auto with = [](std::string_view fields, std::string_view body = "") {
    return fmt::format("HTTP/1.1 200 OK\r\n{}\r\n{}", fields, body);
  };
  static const std::vector<UpstreamRow> kTable = {
      {.section = "2.2",
       .must = "a bare CR is invalid",
       .said = with("X: a\rb\r\nContent-Length: 0\r\n"),
       .guest = bad},
      {.section = "2.3",
       .must = "what is forwarded has our own version, and 1.0 ends its connection",
       .said = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       .guest = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"},
      {.section = "4",
       .must = "the space behind the status is always sent",
       .said = "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
       .guest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
       .kept = true},
      {.section = "5.1",
       .must = "white space before a colon goes no further: refused",
       .said = with("X : a\r\nContent-Length: 0\r\n"),
       .guest = bad},
      {.section = "5.2",
       .must = "a folded line gets 502",
       .said = with("X: a\r\n b\r\nContent-Length: 0\r\n"),
       .guest = bad},
      {.section = "6.1",
       .must = "no answer of HTTP/1.0 is sent in chunks",
       .said = with("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
       .guest = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi",
       .kept = true,
       .version = "HTTP/1.0"},
      {.section = "6.2",
       .must = "204 has no length",
       .said = "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n",
       .guest = "HTTP/1.1 204 No\r\n\r\n"},
      {.section = "6.3",
       .must = "the answer to HEAD ends with its head",
       .said = with("Content-Length: 5\r\n"),
       .guest = with("Content-Length: 5\r\n"),
       .kept = true,
       .method = "HEAD"},
      {.section = "6.3",
       .must = "304 ends with its head",
       .said = "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
       .guest = "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
       .kept = true},
      {.section = "6.3",
       .must = "both lengths are not forwarded: refused",
       .said = with("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
       .guest = bad},
      {.section = "6.3",
       .must = "an invalid length gets 502, and the connection ends",
       .said = with("Content-Length: 2x\r\n", "hi"),
       .guest = bad},
      {.section = "6.3",
       .must = "lengths that disagree get 502",
       .said = with("Content-Length: 2\r\nContent-Length: 3\r\n", "hi"),
       .guest = bad},
      {.section = "6.3",
       .must = "without a length the end of the connection is the body's",
       .said = with("", "hi"),
       .guest = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
       .ends = true},
      {.section = "6.3",
       .must = "less than was promised is incomplete",
       .said = with("Content-Length: 5\r\n", "hi"),
       .guest = with("Content-Length: 5\r\n", "hi"),
       .ends = true,
       .cut = true},
      {.section = "6.3",
       .must = "more than was promised is no answer to anything",
       .said = with("Content-Length: 2\r\n", "hiHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"),
       .guest = with("Content-Length: 2\r\n", "hi")},
      {.section = "7.1",
       .must = "chunks are understood, and their extensions passed over",
       .said = with("Transfer-Encoding: chunked\r\n", "2;x=y\r\nhi\r\n0\r\n\r\n"),
       .guest = with("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
       .kept = true},
      {.section = "7.1",
       .must = "a chunk's size does not overflow",
       .said = with("Transfer-Encoding: chunked\r\n", "10000000000000002\r\nhi\r\n0\r\n\r\n"),
       .guest = with("Transfer-Encoding: chunked\r\n"),
       .cut = true},
      {.section = "8",
       .must = "chunks without the last one are incomplete",
       .said = with("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n"),
       .guest = with("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n"),
       .ends = true,
       .cut = true},
      {.section = "9.6",
       .must = "close ends the connection, and goes no further",
       .said = with("Connection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n", "hi"),
       .guest = with("Content-Length: 2\r\n", "hi")},
      {.section = "9110 15.2",
       .must = "1xx are forwarded, and no answer",
       .said = "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + with("Content-Length: 2\r\n", "hi"),
       .guest = "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + with("Content-Length: 2\r\n", "hi"),
       .kept = true},
      {.section = "9110 15.2",
       .must = "1xx are not forwarded to HTTP/1.0",
       .said = "HTTP/1.1 103 Early\r\n\r\n" + with("Content-Length: 2\r\n", "hi"),
       .guest = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
       .kept = true,
       .version = "HTTP/1.0"},
      {.section = "9110 7.8",
       .must = "101 that nobody asked for is refused",
       .said = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
       .guest = bad},
  };
  return kTable;
}

TEST_F(Rfc9112, WhatAnUpstreamSays) {
  for (const UpstreamRow& row : upstream_rows()) {
    for (const size_t piece : {row.said.size(), size_t{1}}) {
      SCOPED_TRACE(fmt::format("{}: {} (in pieces of {})", row.section, row.must, piece));
      restart();
      wire_ = {};
      dial();
      forward(fmt::format("{} /x {}\r\n{}\r\n", row.method, row.version, kHost));
      for (size_t at = 0; at < row.said.size() && wire_.open && wire_.listener != nullptr; at += piece) {
        wire_.listener->on_upstream_bytes(std::string_view(row.said).substr(at, piece));
      }
      if (row.ends && wire_.listener != nullptr) wire_.listener->on_upstream_end(true);
      const bool refused = row.guest == "HTTP/1.1 502";
      if (refused) {
        EXPECT_THAT(world_->to_guest, StartsWith(row.guest));
      } else if (row.guest.find("chunked") == std::string::npos || piece > 1) {
        EXPECT_EQ(world_->to_guest, row.guest);  // by byte, chunks are others
      }
      if (piece > 1) {
        EXPECT_EQ(world_->kept != nullptr, row.kept);
      }
      const auto& log = world_->log;
      EXPECT_EQ(std::find(log.begin(), log.end(), "reset") != log.end(), row.cut);
      ASSERT_EQ(world_->results.size(), 1U);
      EXPECT_EQ(world_->results[0].error.empty(), !refused && !row.cut);
    }
  }
}

// 9.3.2: answers come in the order of the requests, one exchange after another.
TEST_F(Rfc9112, AnswersPipelinedRequestsInTheirOrder) {
  dial();
  session_->on_bytes(get("", "/one") + get("", "/no") + get("", "/three"));
  world_->answer_commit();
  EXPECT_EQ(world_->rows.size(), 1U);
  world_->answer_open(wire_);
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
  world_->answer_commit();
  world_->answer_commit();
  EXPECT_THAT(wire_.sent, HasSubstr("GET /three "));
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthree");
  const auto& told = world_->to_guest;
  EXPECT_LT(told.find("one"), told.find("403"));
  EXPECT_LT(told.find("403"), told.find("three"));
}

// 9.3.1: what may have been done is not done again; what cannot have been is, once.
TEST_F(Rfc9112, TriesNothingAgainThatMayHaveBeenDone) {
  const std::tuple<std::string, bool> cases[] = {{get(), true}, {post("Content-Length: 1\r\n", "a"), false}};
  for (const auto& [request, again] : cases) {
    restart();
    wire_ = {};
    dial();
    forward(request, true);
    wire_.listener->on_upstream_end(true);
    EXPECT_EQ(world_->opened != nullptr, again) << request;
  }
}

// 9.6: a guest that says no more gets the answers to what it has said.
TEST_F(Rfc9112, AnswersAGuestThatHasClosedItsSide) {
  dial();
  forward(get());
  session_->on_end();
  wire_.listener->on_upstream_bytes(kResponse);
  EXPECT_THAT(world_->to_guest, testing::EndsWith("hi"));
  EXPECT_EQ(world_->log.back(), "close");
}

// 8: a body that is cut short is told to nobody as a whole one.
TEST_F(Rfc9112, CompletesNoRequestThatWasCutShort) {
  for (const std::string& request :
       {post("Content-Length: 3\r\n", "a"), post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n")}) {
    restart();
    wire_ = {};
    dial();
    forward(request);
    EXPECT_TRUE(wire_.open);
    session_->on_end();
    EXPECT_FALSE(wire_.open) << request;
    EXPECT_EQ(world_->kept, nullptr);
    EXPECT_FALSE(world_->results.at(0).error.empty());
  }
}

}  // namespace
}  // namespace gatehouse::proxy
