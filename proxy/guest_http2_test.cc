// A guest's connection in HTTP/2, as a transcript of frames.
#include "proxy/guest_http2.h"

#include "proxy/test_http2_guest.h"

namespace gatehouse::proxy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(Http2GuestTest, RelaysAnExchangeOnceItsVerdictIsCommitted) {
  begin();
  say(headers(1, request_fields("GET", "/x?q=1", {{"user-agent", "test"}, {"cookie", "a=1"}, {"cookie", "b=2"}})));
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_EQ(world_->rows[0].path, "/x");
  EXPECT_EQ(world_->rows[0].host, "api.test.example");
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));
  let_through();
  EXPECT_EQ(wire_.sent,
            "GET /x?q=1 HTTP/1.1\r\nHost: api.test.example\r\nuser-agent: test\r\ncookie: a=1; b=2\r\n\r\n");
  wire_.listener->on_upstream_bytes(
      "HTTP/1.1 200 OK\r\nServer: s\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nhi");
  hear();
  EXPECT_EQ(header(1, ":status"), "200");
  EXPECT_EQ(header(1, "server"), "s");
  EXPECT_EQ(header(1, "content-length"), "2");
  EXPECT_EQ(header(1, "x-hop"), "");
  EXPECT_EQ(body(1), "hi");
  EXPECT_TRUE(ended(1));
  EXPECT_EQ(world_->log.back(), "keep");
  EXPECT_EQ(world_->results.at(0).status, 200);
}

TEST_F(Http2GuestTest, JudgesEachStreamByItself) {
  begin();
  say(headers(1, request_fields("GET", "/x")) + headers(3, request_fields("GET", "/no")) +
      headers(5, request_fields("GET", "/y")));
  ASSERT_EQ(world_->rows.size(), 3U);
  EXPECT_EQ(world_->rows[1].decision.rule_id, "no");
  EXPECT_NE(world_->rows[0].trace_id, world_->rows[1].trace_id);
  world_->committed[1]({});
  hear();
  EXPECT_EQ(header(3, ":status"), "403");
  EXPECT_EQ(header(3, "content-type"), "application/problem+json");
  EXPECT_EQ(header(3, "gatehouse-rule"), "no");
  EXPECT_THAT(body(3), HasSubstr(world_->rows[1].event_id));
  EXPECT_TRUE(ended(3));
  EXPECT_EQ(header(1, ":status"), "");
  EXPECT_THAT(world_->log, ElementsAre("name 198.18.0.7"));  // nothing has been opened
}

TEST_F(Http2GuestTest, SaysThatAnotherNameIsMisdirected) {
  begin();
  say(headers(1, {{":method", "GET"}, {":scheme", "http"}, {":authority", "other.test.example"}, {":path", "/"}}));
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "name.mismatch");
  world_->answer_commit();
  hear();
  EXPECT_EQ(header(1, ":status"), "421");
}

TEST_F(Http2GuestTest, ForwardsABodyAndItsTrailersInHttp1) {
  begin();
  say(headers(1, request_fields("POST", "/x"), kEndHeaders) + frame(NGHTTP2_DATA, 0, 1, "abc"));
  let_through();
  say(frame(NGHTTP2_DATA, 0, 1, "def") + headers(1, {{"x-sum", "1"}}));
  EXPECT_THAT(wire_.sent, EndsWith("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nx-sum: 1\r\n\r\n"));
  wire_.listener->on_upstream_bytes(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n\r\n");
  hear();
  EXPECT_EQ(body(1), "hi");
  EXPECT_EQ(header(1, "grpc-status"), "0");
  EXPECT_TRUE(ended(1));
  EXPECT_EQ(world_->results.at(0).bytes_out, 6U);
}

TEST_F(Http2GuestTest, DeclaresTheLengthThatTheGuestHasDeclared) {
  begin();
  say(headers(1, request_fields("POST", "/x", {{"content-length", "3"}}), kEndHeaders) +
      frame(NGHTTP2_DATA, kEndStream, 1, "abc"));
  let_through();
  EXPECT_THAT(wire_.sent, EndsWith("Content-Length: 3\r\n\r\nabc"));
}

TEST_F(Http2GuestTest, SaysWhereABodyIsUsualThatThereIsNone) {
  for (const auto& [method, sent] :
       {std::pair{"POST", "Content-Length: 0\r\n\r\n"}, std::pair{"GET", "example\r\n\r\n"}}) {
    again();
    say(headers(1, request_fields(method, "/x")));
    let_through();
    EXPECT_THAT(wire_.sent, EndsWith(sent)) << method;
  }
}

TEST_F(Http2GuestTest, HoldsTheBodyForTheScanner) {
  world_->with_scanner = true;
  begin();
  say(headers(1, request_fields("POST", "/x", {{"expect", "100-continue"}}), kEndHeaders));
  EXPECT_EQ(header(1, ":status"), "100");
  say(frame(NGHTTP2_DATA, 0, 1, "key="));
  EXPECT_FALSE(world_->scanner.last().question);
  say(frame(NGHTTP2_DATA, kEndStream, 1, "secret"));
  ASSERT_TRUE(world_->scanner.last().question);
  EXPECT_EQ(world_->scanner.last().bytes("body"), "key=secret");
  EXPECT_THAT(world_->rows, IsEmpty());
  world_->scanner.last().answer(fail("no scanner"));
  world_->answer_commit();
  hear();
  EXPECT_THAT(body(1), HasSubstr("dlp.unavailable"));
  EXPECT_EQ(wire_.sent, "");
}

TEST_F(Http2GuestTest, OpensTheWindowOnlyByWhatTheScannerTakes) {
  world_->with_scanner = true;
  begin();
  say(headers(1, request_fields("POST", "/x"), kEndHeaders));
  auto& scan = world_->scanner.last();
  scan.queued = dlp::kMaxScanQueuedBytes + 1;
  const std::string piece(16'384, 'x');
  for (int i = 0; i < 16; ++i) say(frame(NGHTTP2_DATA, 0, 1, piece));  // the whole window
  EXPECT_EQ(scan.bytes("body").size(), piece.size());
  EXPECT_EQ(find(NGHTTP2_WINDOW_UPDATE, 1), nullptr);
  scan.queued = 0;
  scan.drained();
  hear();
  EXPECT_EQ(scan.bytes("body").size(), 16 * piece.size());
  EXPECT_NE(find(NGHTTP2_WINDOW_UPDATE, 1), nullptr);
}

TEST_F(Http2GuestTest, ReadsNoMoreOfAnUpstreamThanTheGuestTakes) {
  begin();
  say(headers(1, request_fields("GET", "/x")));
  let_through();
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  const std::string piece(65'536, 'x');
  for (int i = 0; i < 6 && wire_.reading; ++i) wire_.listener->on_upstream_bytes(piece);
  hear();
  EXPECT_FALSE(wire_.reading);
  EXPECT_EQ(body(1).size(), 65'535U);  // the initial window
  say(frame(NGHTTP2_WINDOW_UPDATE, 0, 0, big_endian(1'000'000, 4)) +
      frame(NGHTTP2_WINDOW_UPDATE, 0, 1, big_endian(1'000'000, 4)));
  EXPECT_TRUE(wire_.reading);
  EXPECT_GT(body(1).size(), kMaxQueuedBytes);
}

TEST_F(Http2GuestTest, StopsAtAGuestWhoseSocketIsFull) {
  begin();
  say(headers(1, request_fields("GET", "/x")));
  let_through();
  world_->guest_queued = kMaxQueuedBytes + 1;
  wire_.listener->on_upstream_bytes(kResponse);
  hear();
  EXPECT_EQ(body(1), "");
  say(frame(NGHTTP2_PING, 0, 0, "12345678"));
  EXPECT_FALSE(world_->reading);
  world_->guest_queued = 0;
  session_->on_drained();
  hear();
  EXPECT_EQ(body(1), "hi");
  EXPECT_TRUE(world_->reading);
}

TEST_F(Http2GuestTest, DropsTheUpstreamOfAStreamThatIsReset) {
  begin();
  say(headers(1, request_fields("GET", "/x")) + headers(3, request_fields("GET", "/y")));
  world_->committed[0]({});
  world_->answer_open(wire_);
  EXPECT_TRUE(wire_.open);
  say(frame(NGHTTP2_RST_STREAM, 0, 1, big_endian(NGHTTP2_CANCEL, 4)));
  EXPECT_FALSE(wire_.open);
  EXPECT_THAT(world_->results.at(0).error, HasSubstr("CANCEL"));
  world_->committed[1]({});
  world_->answer_open(second_);
  second_.listener->on_upstream_bytes(kResponse);
  hear();
  EXPECT_EQ(body(3), "hi");
}

TEST_F(Http2GuestTest, ResetsAStreamWhoseResponseWasCut) {
  begin();
  say(headers(1, request_fields("GET", "/x")));
  let_through();
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  wire_.listener->on_upstream_end(true);
  hear();
  EXPECT_EQ(body(1), "half");
  ASSERT_NE(find(NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_EQ(find(NGHTTP2_RST_STREAM, 1)->code(), static_cast<uint32_t>(NGHTTP2_INTERNAL_ERROR));
  EXPECT_THAT(world_->log, Not(Contains("reset")));  // the other streams go on
}

TEST_F(Http2GuestTest, LetsTheGuestFinishARequestThatIsAnsweredEarly) {
  begin();
  say(headers(1, request_fields("POST", "/no"), kEndHeaders));
  world_->answer_commit();
  hear();
  EXPECT_EQ(header(1, ":status"), "403");
  EXPECT_TRUE(ended(1));
  const std::string piece(16'384, 'x');
  for (int i = 0; i < 20; ++i) say(frame(NGHTTP2_DATA, 0, 1, piece));  // more than a window
  EXPECT_NE(find(NGHTTP2_WINDOW_UPDATE, 1), nullptr);
  while (find(NGHTTP2_RST_STREAM, 1) == nullptr) {
    session_->on_deadline();
    hear();
  }
  EXPECT_EQ(find(NGHTTP2_RST_STREAM, 1)->code(), static_cast<uint32_t>(NGHTTP2_NO_ERROR));
}

TEST_F(Http2GuestTest, SaysGoodbyeWhenIdle) {
  begin();
  say(headers(1, request_fields("GET", "/no")));
  world_->answer_commit();
  while (find(NGHTTP2_GOAWAY, 0) == nullptr) {  // those of the stream pass first
    session_->on_deadline();
    hear();
  }
  ASSERT_NE(find(NGHTTP2_GOAWAY, 0), nullptr);
  EXPECT_EQ(find(NGHTTP2_GOAWAY, 0)->code(), static_cast<uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_EQ(world_->log.back(), "shutdown");
  EXPECT_EQ(world_->rows.size(), 1U);
}

TEST_F(Http2GuestTest, LeavesARowOfAGuestThatSaysNothing) {
  begin();
  session_->on_deadline();
  session_->on_deadline();
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "protocol.silent");
}

TEST_F(Http2GuestTest, EndsOnceTheLastAnswerIsThereWhenTheGuestSaysNoMore) {
  begin();
  say(headers(1, request_fields("GET", "/x")));
  let_through();
  session_->on_end();
  wire_.listener->on_upstream_bytes(kResponse);
  hear();
  EXPECT_EQ(body(1), "hi");
}

TEST_F(Http2GuestTest, AnswersATimeOutOnItsStreamAlone) {
  world_->with_scanner = true;
  begin();
  say(headers(1, request_fields("POST", "/x"), kEndHeaders));
  session_->on_deadline();
  session_->on_deadline();
  world_->answer_commit();
  hear();
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "http.timeout");
  EXPECT_EQ(header(1, ":status"), "408");
}

TEST_F(Http2GuestTest, EndsTheConnectionOverAHeadThatDoesNotCome) {
  begin();
  say(headers(1, request_fields("GET", "/x"), 0));
  for (int i = 0; i < 2 && world_->rows.empty(); ++i) session_->on_deadline();
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_EQ(world_->rows[0].decision.rule_id, "http.timeout");
  hear();
  EXPECT_NE(find(NGHTTP2_GOAWAY, 0), nullptr);
}

// Requests that HTTP/2 can say and HTTP/1.1 must not be made to.
TEST_F(Http2GuestTest, RefusesWhatWouldBeAnotherRequestInHttp1) {
  struct Case {
    std::string what;
    Fields fields;
    std::string rule;
  };
  const auto with = [](std::string_view name, std::string value) {
    auto fields = request_fields("GET", "/x");
    for (auto& field : fields) {
      if (field.name == name) {
        field.value = std::move(value);
        return fields;
      }
    }
    fields.push_back({std::string(name), std::move(value)});
    return fields;
  };
  for (const auto& [what, fields, rule] : {
           Case{"a line end in a value", with("x", "a\r\nHost: evil.example"), "http2.field"},
           Case{"a bare LF in a value", with("x", "a\nb"), "http2.field"},
           Case{"a NUL in a value", with("x", std::string("a\0b", 3)), "http2.field"},
           Case{"a line end in a name", with("x: 1\r\ny", "1"), "http2.field"},
           Case{"a space in a name", with("x y", "1"), "http2.field"},
           Case{"a colon in a name", with("x:y", "1"), "http2.field"},
           Case{"a space in the path", with(":path", "/ HTTP/1.1"), "http2.malformed"},
           Case{"a fragment", with(":path", "/x#y"), "http.target-fragment"},
           Case{"a backslash in the path", with(":path", "/x\\y"), "http.target"},
           Case{"a path that is no path", with(":path", "*"), "http2.malformed"},
           Case{"user data in the authority", with(":authority", "a@api.test.example"), "http2.pseudo-field"},
           Case{"a path in the authority", with(":authority", "api.test.example/y"), "http2.malformed"},
           Case{"another Host", with("host", "evil.example"), "http.host-disagrees"},
           Case{"another scheme", with(":scheme", "https"), "http.target-scheme"},
           Case{"an unknown method", with(":method", "FETCH"), "http.method-unknown"},
           Case{"a method in lower case", with(":method", "get"), "http.method-case"},
           Case{"two lengths", with("content-length", "0, 0"), "http2.malformed"},
           Case{"a very large head", with("x", std::string(17'000, 'x')), "http.header-line-too-long"},
       }) {
    again();
    const auto block = hpack(fields);
    std::string bytes;
    for (size_t at = 0; at < block.size(); at += 16'000) {
      const uint8_t last = at + 16'000 >= block.size() ? kEndHeaders : 0;
      bytes += frame(at == 0 ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION, at == 0 ? last | kEndStream : last, 1,
                     block.substr(at, 16'000));
    }
    say(bytes);
    ASSERT_EQ(world_->rows.size(), 1U) << what;
    EXPECT_EQ(world_->rows[0].decision.rule_id, rule) << what;
    EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::deny) << what;
    world_->answer_commit();
    hear();
    const bool reset = find(NGHTTP2_RST_STREAM, 1) != nullptr;
    EXPECT_TRUE(reset || header(1, ":status").starts_with("4") || header(1, ":status") == "501") << what;
    EXPECT_FALSE(world_->opened) << what;
  }
}

TEST_F(Http2GuestTest, DropsAHeaderListThatUnpacksToTooMuch) {
  begin();
  // One entry of 4000 bytes in the table, named again and again by one byte each.
  const auto size = big_endian(127, 1) + std::string("\xa1\x1e", 2);  // 127 + 33 + 30 * 128 = 4000
  std::string block =
      hpack(request_fields("GET", "/x")) + "\x40" + std::string("\x01", 1) + "b" + size + std::string(4000, 'x');
  block += std::string(12'000, '\xbe');
  say(frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, block));
  EXPECT_EQ(world_->rows.at(0).decision.rule_id, "http.head-too-large");
  world_->answer_commit();
  hear();
  EXPECT_EQ(header(1, ":status"), "431");
}

TEST_F(Http2GuestTest, EndsFloods) {
  struct Case {
    std::string what;
    std::string rule;
    std::function<std::string(uint32_t)> next;
  };
  const std::string settings = frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65'535));
  for (const auto& [what, rule, next] : {
           Case{"resets", "http2.flood",
                [](uint32_t i) {
                  return headers(2 * i + 1, request_fields("GET", "/x")) +
                         frame(NGHTTP2_RST_STREAM, 0, 2 * i + 1, big_endian(NGHTTP2_CANCEL, 4));
                }},
           Case{"pings", "http2.flood", [](uint32_t) { return frame(NGHTTP2_PING, 0, 0, "12345678"); }},
           Case{"settings", "http2.flood", [&](uint32_t) { return settings; }},
           Case{"priorities", "http2.flood",
                [](uint32_t i) { return frame(NGHTTP2_PRIORITY, 0, 2 * i + 1, big_endian(0, 5)); }},
           Case{"empty data", "http2.flood",
                [](uint32_t i) {
                  return (i == 0 ? headers(1, request_fields("POST", "/x"), kEndHeaders) : "") +
                         frame(NGHTTP2_DATA, 0, 1);
                }},
           Case{"malformed requests", "http2.flood",
                [](uint32_t i) {
                  return headers(2 * i + 1, {{":method", "GET"}, {":path", "/x"}});
                }},
           Case{"continuations", "http2.protocol-error",
                [](uint32_t i) {
                  return i == 0 ? headers(1, request_fields("GET", "/x"), 0) : frame(NGHTTP2_CONTINUATION, 0, 1);
                }},
       }) {
    again();
    uint32_t i = 0;
    while (i < 2 * kMaxIdleFrames && find(NGHTTP2_GOAWAY, 0) == nullptr) say(next(i++));
    ASSERT_NE(find(NGHTTP2_GOAWAY, 0), nullptr) << what;
    EXPECT_EQ(world_->rows.back().decision.rule_id, rule) << what;
    EXPECT_FALSE(world_->reading) << what;
    world_->answer_commit();
    EXPECT_EQ(world_->log.back(), "close") << what;
  }
}

TEST_F(Http2GuestTest, TakesNoMoreStreamsAtOnceThanItSays) {
  begin();
  std::string all;
  for (uint32_t i = 0; i <= kMaxStreams; ++i) all += headers(2 * i + 1, request_fields("GET", "/x"));
  say(all);
  ASSERT_EQ(world_->rows.size(), kMaxStreams + 1);
  EXPECT_EQ(world_->rows.back().decision.rule_id, "http2.protocol-error");
  EXPECT_NE(find(NGHTTP2_GOAWAY, 0), nullptr);
}

TEST_F(Http2GuestTest, EndsAConnectionThatBeginsWithSomethingElse) {
  for (const std::string& bytes : {"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(NGHTTP2_SETTINGS, 0, 0),
                                   std::string(kClientPreface) + headers(1, request_fields("GET", "/x"))}) {
    restart();
    dial();
    session_->on_bytes(bytes);
    ASSERT_EQ(world_->rows.size(), 1U);
    EXPECT_EQ(world_->rows[0].decision.rule_id, "http2.protocol-error");
    EXPECT_THAT(world_->to_guest, Not(IsEmpty()));
  }
}

}  // namespace
}  // namespace gatehouse::proxy
