#include "proxy/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/transcript.h"

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;

std::string describe(const RequestHead& head) {
  return head.method == "CONNECT" ? head.host : serialize_request_head(head, !head.keep_alive);
}

Transcript read_in_two(std::string_view bytes, size_t cut, Scheme scheme = Scheme::http) {
  RequestReader reader(scheme);
  Transcript transcript;
  if (drive(reader, bytes.substr(0, cut), transcript, describe)) drive(reader, bytes.substr(cut), transcript, describe);
  return transcript;
}

Transcript read_by_byte(std::string_view bytes, Scheme scheme = Scheme::http) {
  RequestReader reader(scheme);
  Transcript transcript;
  for (size_t at = 0; at < bytes.size(); ++at) {
    if (!drive(reader, bytes.substr(at, 1), transcript, describe)) break;
  }
  return transcript;
}

Transcript read_whole(std::string_view bytes, Scheme scheme = Scheme::http) { return read_in_two(bytes, 0, scheme); }

RequestHead head_of(std::string_view bytes, Scheme scheme = Scheme::http) {
  RequestReader reader(scheme);
  const auto event = reader.feed(bytes);
  EXPECT_TRUE(event) << (event ? "" : event.error().id);
  return reader.head();
}

struct RefusedRequest {
  std::string bytes;
  std::string_view id;
  int status = 400;
};

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out.append(text);
  return out;
}

std::string with_field(std::string_view line) {
  return "POST /x HTTP/1.1\r\nHost: a.example\r\n" + std::string(line) + "\r\n\r\n";
}
std::string with_target(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a.example\r\n\r\n";
}
std::string with_host(std::string_view host) { return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"; }
std::string with_line(std::string_view line) { return std::string(line) + "\r\nHost: a.example\r\n\r\n"; }
std::string chunked(std::string_view body) {
  return "POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
}

const std::vector<RefusedRequest>& refused_requests() {
  static const std::vector<RefusedRequest> kTable = {
      // Framing
      {with_field("Content-Length: 5\r\nContent-Length: 5"), "http.content-length-twice"},
      {with_field("Content-Length: 5\r\ncontent-length: 6"), "http.content-length-twice"},
      {with_field("Content-Length: 5, 5"), "http.content-length-list"},
      {with_field("Content-Length: 5,6"), "http.content-length-list"},
      {with_field("Content-Length: +5"), "http.content-length-malformed"},
      {with_field("Content-Length: -5"), "http.content-length-malformed"},
      {with_field("Content-Length: 0x5"), "http.content-length-malformed"},
      {with_field("Content-Length: 5 5"), "http.content-length-malformed"},
      {with_field("Content-Length: 5\t0"), "http.content-length-malformed"},
      {with_field("Content-Length: \"5\""), "http.content-length-malformed"},
      {with_field("Content-Length: 5\xa0"), "http.content-length-malformed"},
      {with_field("Content-Length:"), "http.content-length-malformed"},
      {with_field("Content-Length: 9223372036854775808"), "http.content-length-malformed"},
      {with_field("Content-Length: 18446744073709551621"), "http.content-length-malformed"},
      {with_field("Content-Length: 5\r\nTransfer-Encoding: chunked"), "http.length-and-transfer-encoding"},
      {with_field("Transfer-Encoding: chunked\r\nContent-Length: 5"), "http.length-and-transfer-encoding"},
      {with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "http.transfer-encoding-twice"},
      {with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), "http.transfer-encoding-twice"},
      {with_field("Transfer-Encoding: gzip, chunked"), "http.transfer-encoding-unknown", 501},
      {with_field("Transfer-Encoding: chunked, chunked"), "http.transfer-encoding-unknown", 501},
      {with_field("Transfer-Encoding: chunked, gzip"), "http.transfer-encoding-unknown"},
      {with_field("Transfer-Encoding: identity"), "http.transfer-encoding-unknown"},
      {with_field("Transfer-Encoding: \"chunked\""), "http.transfer-encoding-unknown"},
      {with_field("Transfer-Encoding: xchunked"), "http.transfer-encoding-unknown"},
      {with_field("Transfer-Encoding: chunked;q=1"), "http.transfer-encoding-unknown"},
      {with_field("Transfer-Encoding: ,chunked"), "http.transfer-encoding-unknown", 501},
      {with_field("Transfer-Encoding:"), "http.transfer-encoding-unknown"},
      {with_field("Transfer-Encoding: \x0b"
                  "chunked"),
       "http.header-value"},
      {"POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", "http.transfer-encoding-in-1.0"},
      // Lines and fields
      {with_field("X: a\r\n b"), "http.line-folding"},
      {with_field("X: a\r\n\tTransfer-Encoding: chunked"), "http.line-folding"},
      {"GET / HTTP/1.1\r\n Host: a.example\r\n\r\n", "http.line-folding"},
      {with_field("Transfer-Encoding : chunked"), "http.space-before-colon"},
      {with_field("X\t: a"), "http.space-before-colon"},
      {with_field("no colon"), "http.header-malformed"},
      {with_field(": a"), "http.header-malformed"},
      {with_field("Content Length: 5"), "http.header-name"},
      {with_field("X(y): a"), "http.header-name"},
      {with_field("X\xc3\xa9: a"), "http.header-name"},
      {with_field(std::string_view("X\0: a", 5)), "http.header-name"},
      {with_field(std::string_view("X: a\0b", 6)), "http.header-value"},
      {with_field("X: a\x01"), "http.header-value"},
      {with_field("X: a\x7f"), "http.header-value"},
      {with_field("X: a\rTransfer-Encoding: chunked"), "http.bare-cr"},
      {with_field("X: a\r"), "http.bare-cr"},
      {with_field("X: a\nTransfer-Encoding: chunked"), "http.bare-lf"},
      {"GET / HTTP/1.1\nHost: a.example\n\n", "http.bare-lf"},
      {"GET / HTTP/1.1\r\nHost: a.example\r\n\n", "http.bare-lf"},
      {"\nGET / HTTP/1.1\r\n", "http.bare-lf"},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "http.request-line"},
      // Request line
      {with_line("GET  / HTTP/1.1"), "http.request-line"},
      {with_line("GET /  HTTP/1.1"), "http.request-line"},
      {with_line(" GET / HTTP/1.1"), "http.request-line"},
      {with_line("GET / HTTP/1.1 "), "http.request-line"},
      {with_line("GET\t/ HTTP/1.1"), "http.request-line"},
      {with_line("GET /a b HTTP/1.1"), "http.request-line"},
      {with_line("GET /\xc3\xa9 HTTP/1.1"), "http.request-line"},
      {with_line(std::string_view("GET /\0 HTTP/1.1", 15)), "http.request-line"},
      {with_line("GET /\x0b HTTP/1.1"), "http.request-line"},
      {with_line("GET"), "http.request-line"},
      {with_line("GET /\rX HTTP/1.1"), "http.bare-cr"},
      {"\x16\x03\x01\x02", "http.request-line"},
      {"SSH-2.0-OpenSSH_9.2p1\r\n", "http.request-line"},
      {"GET /\r\n", "http.version-missing"},
      {with_line("GET / HTTP/1.2"), "http.version", 505},
      {with_line("GET / HTTP/2.0"), "http.version", 505},
      {with_line("GET / HTTP/0.9"), "http.version", 505},
      {with_line("GET / http/1.1"), "http.version-malformed"},
      {with_line("GET / HTTP/1.10"), "http.version-malformed"},
      {with_line("GET / HTTP/1"), "http.version-malformed"},
      {with_line("GET / HTTP/+1.1"), "http.version-malformed"},
      {with_line("DESCRIBE / RTSP/1.0"), "http.version-malformed"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http.http2-preface", 505},
      {with_line("get / HTTP/1.1"), "http.method-case"},
      {with_line("Get / HTTP/1.1"), "http.method-case"},
      {with_line("G(T / HTTP/1.1"), "http.method"},
      {with_line("BREW / HTTP/1.1"), "http.method-unknown", 501},
      {with_line("GETX / HTTP/1.1"), "http.method-unknown", 501},
      {with_line("DESCRIBE / HTTP/1.1"), "http.malformed"},
      // Target
      {with_target("/a#b"), "http.target-fragment"},
      {with_target("http://a.example/#"), "http.target-fragment"},
      {with_target("/a\\b"), "http.target"},
      {with_target("/\"a\""), "http.target"},
      {with_target("/<a>"), "http.target"},
      {with_target("*"), "http.target-form"},
      {with_target("a.example:80"), "http.target-form"},
      {with_target("x/y"), "http.target-form"},
      {with_target("http:/a.example/"), "http.target-form"},
      {with_target("https://a.example/"), "http.target-scheme"},
      {with_target("ftp://a.example/"), "http.target-scheme"},
      {with_target("://a.example/"), "http.target-scheme"},
      {with_target("http://b.example/"), "http.host-disagrees"},
      {with_target("http://a.example:8080/"), "http.host-disagrees"},
      {with_target("http://a.example@b.example/"), "http.userinfo"},
      {with_target("http://u:p@a.example/"), "http.userinfo"},
      {with_target("http:///"), "http.host-malformed"},
      {with_target("http://a.example:/"), "http.port-malformed"},
      // Host
      {"GET / HTTP/1.1\r\n\r\n", "http.host-missing"},
      {"GET / HTTP/1.0\r\n\r\n", "http.host-missing"},
      {"GET http://a.example/ HTTP/1.1\r\n\r\n", "http.host-missing"},
      {with_field("Host: a.example"), "http.host-twice"},
      {with_field("HOST: b.example"), "http.host-twice"},
      {with_host(""), "http.host-malformed"},
      {with_host("."), "http.host-malformed"},
      {with_host("a..b"), "http.host-malformed"},
      {with_host(".a.example"), "http.host-malformed"},
      {with_host("a.example.."), "http.host-malformed"},
      {with_host("a.example/x"), "http.host-malformed"},
      {with_host("a.example, b.example"), "http.host-malformed"},
      {with_host("a.example b.example"), "http.host-malformed"},
      {with_host("a%2eexample"), "http.host-malformed"},
      {with_host("\xd0\xb0.example"), "http.host-malformed"},
      {with_host(repeat("a", 64) + ".example"), "http.host-malformed"},
      {with_host(repeat("abcdefg.", 32) + "example"), "http.host-malformed"},
      {with_host("u@a.example"), "http.userinfo"},
      {with_host("a.example:"), "http.port-malformed"},
      {with_host("a.example:0"), "http.port-malformed"},
      {with_host("a.example:080"), "http.port-malformed"},
      {with_host("a.example:65536"), "http.port-malformed"},
      {with_host("a.example:80x"), "http.port-malformed"},
      {with_host("a.example:80:80"), "http.port-malformed"},
      {with_host("a.example:-1"), "http.port-malformed"},
      {with_host("[::1"), "http.host-malformed"},
      {with_host("[]"), "http.host-malformed"},
      {with_host("[1.2.3.4]"), "http.host-malformed"},
      {with_host("[::1%eth0]"), "http.host-malformed"},
      {with_host("[::1]x"), "http.host-malformed"},
      {with_host("::1"), "http.host-malformed"},
      // CONNECT
      {"CONNECT a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "http.connect-port"},
      {"CONNECT / HTTP/1.1\r\nHost: a.example\r\n\r\n", "http.host-malformed"},
      {"CONNECT http://a.example:80/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "http.port-malformed"},
      {"CONNECT u@a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n", "http.userinfo"},
      {"CONNECT a.example:443 HTTP/1.1\r\n\r\n", "http.host-missing"},
      {"CONNECT a.example:443 HTTP/1.1\r\nHost: a b\r\n\r\n", "http.host-malformed"},
      {"CONNECT a.example:443 HTTP/1.1\r\n\r\n", "http.host-missing"},
      {"OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "http.target-form"},
      {"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 0\r\n\r\n", "http.connect-body"},
      {"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nTransfer-Encoding: chunked\r\n\r\n",
       "http.connect-body"},
      // Chunks
      {chunked("x\r\n"), "http.chunk-size"},
      {chunked("\r\n"), "http.chunk-size"},
      {chunked("0x5\r\n"), "http.chunk-size"},
      {chunked("-5\r\n"), "http.chunk-size"},
      {chunked("+5\r\n"), "http.chunk-size"},
      {chunked(" 5\r\n"), "http.chunk-size"},
      {chunked("5 \r\n"), "http.chunk-size"},
      {chunked("5;\r\n"), "http.chunk-size"},
      {chunked("5 ;a=b\r\n"), "http.chunk-size"},
      {chunked("5;a =b\r\n"), "http.chunk-extension"},
      {chunked("5;a=\x01\r\n"), "http.chunk-extension"},
      {chunked("8000000000000000\r\n"), "http.chunk-size-overflow"},
      {chunked("ffffffffffffffff\r\n"), "http.chunk-size-overflow"},
      {chunked("10000000000000005\r\n"), "http.chunk-size-overflow"},
      {chunked("00000000000000005\r\n"), "http.chunk-size-overflow"},
      {chunked("5;" + repeat("a", 300) + "\r\n"), "http.chunk-line-too-long"},
      {chunked("5;" + repeat("a", 255) + "\r\n"), "http.chunk-line-too-long"},
      {chunked("5\nhello\r\n0\r\n\r\n"), "http.bare-lf"},
      {chunked("5\rhello\r\n0\r\n\r\n"), "http.bare-cr"},
      {chunked("5;a\nb\r\nhello\r\n"), "http.bare-lf"},
      {chunked("5\r\nhello\n0\r\n\r\n"), "http.chunk-data"},
      {chunked("5\r\nhello0\r\n\r\n"), "http.chunk-data"},
      {chunked("5\r\nhello\r0\r\n\r\n"), "http.chunk-data"},
      {chunked("0\r\nContent-Length: 5\r\n\r\n"), "http.trailer-forbidden"},
      {chunked("0\r\nHost: b.example\r\n\r\n"), "http.trailer-forbidden"},
      {chunked("0\r\nAuthorization: x\r\n\r\n"), "http.trailer-forbidden"},
      {chunked("0\r\nX : a\r\n\r\n"), "http.space-before-colon"},
      {chunked("0\r\n X: a\r\n\r\n"), "http.line-folding"},
      {chunked("0\r\nX: a\n\r\n"), "http.bare-lf"},
      {chunked("0\r\n" + repeat("X: a\r\n", 33) + "\r\n"), "http.too-many-headers", 431},
      {chunked("0\r\nX: " + repeat("a", 9000) + "\r\n\r\n"), "http.trailers-too-large", 431},
      {chunked("0\r\nX: " + repeat("a", 70000) + "\r\n\r\n"), "http.trailers-too-large", 431},
      // Limits and the rest
      {with_field("Expect: 200-ok\r\nContent-Length: 1"), "http.expectation", 417},
      {with_target("/" + repeat("a", kMaxStartLineBytes)), "http.request-line-too-long", 414},
      {repeat("A", kMaxStartLineBytes + 1), "http.request-line-too-long", 414},
      {with_field("X: " + repeat("a", kMaxHeaderLineBytes)), "http.header-line-too-long", 431},
      {with_field(repeat("X: " + repeat("a", 15000) + "\r\n", 5)), "http.head-too-large", 431},
      {with_field(repeat("X: a\r\n", 128)), "http.too-many-headers", 431},
  };
  return kTable;
}

TEST(RequestReader, RefusesEachMutationForItsOwnReason) {
  for (const RefusedRequest& row : refused_requests()) {
    const Transcript transcript = read_whole(row.bytes);
    EXPECT_EQ(transcript.refusal, row.id) << row.bytes.substr(0, 200);
    EXPECT_EQ(transcript.status, row.status) << row.bytes.substr(0, 200);
    EXPECT_FALSE(transcript.complete);
  }
}

TEST(RequestReader, RefusesForTheSameReasonWhereverTheBytesAreCut) {
  for (const RefusedRequest& row : refused_requests()) {
    EXPECT_EQ(read_by_byte(row.bytes), read_whole(row.bytes)) << row.bytes.substr(0, 200);
    const size_t step = row.bytes.size() < 1000 ? 1 : 509;
    for (size_t cut = 0; cut <= row.bytes.size(); cut += step) {
      ASSERT_EQ(read_in_two(row.bytes, cut), read_whole(row.bytes))
          << "cut " << cut << ": " << row.bytes.substr(0, 200);
    }
  }
}

TEST(RequestReader, RepeatsItsRefusalForEver) {
  RequestReader reader(Scheme::http);
  ASSERT_FALSE(reader.feed("get / HTTP/1.1\r\n"));
  const auto again = reader.feed("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().id, "http.method-case");
  EXPECT_EQ(reader.finish().error().id, "http.method-case");
}

struct AcceptedRequest {
  std::string bytes;
  std::string forwarded;
  std::string body;
};

const std::vector<AcceptedRequest>& accepted_requests() {
  static const std::vector<AcceptedRequest> kTable = {
      {with_target("/"), "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {"\r\n" + with_target("/"), "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {with_target("/x?a=[1]&b={2}|^`"), "GET /x?a=[1]&b={2}|^` HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {with_target("http://A.Example"), "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {with_target("HTTP://a.example:80?q"), "GET /?q HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {with_host("A.EXAMPLE.:8080"), "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", ""},
      {with_host("a.example:80"), "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {with_host("[2001:DB8::1]:81"), "GET / HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\r\n", ""},
      {with_host("[::ffff:127.0.0.1]"), "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", ""},
      {"GET http://a.example/x HTTP/1.0\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
       ""},
      {with_field("X:a \t\r\nY:\r\nZ:  b  c\r\nContent-Length: 05") + "hello",
       "POST /x HTTP/1.1\r\nHost: a.example\r\nX: a\r\nY: \r\nZ: b  c\r\nContent-Length: 5\r\n\r\n", "hello"},
      {with_field("X: caf\xc3\xa9"), "POST /x HTTP/1.1\r\nHost: a.example\r\nX: caf\xc3\xa9\r\n\r\n", ""},
      {with_field("Content-Length: 0"), "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n", ""},
      {with_field("Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\n"
                  "Proxy-Authorization: b\r\nTE: trailers\r\nTrailer: c\r\nUpgrade: h2c\r\nAccept: d"),
       "POST /x HTTP/1.1\r\nHost: a.example\r\nAccept: d\r\n\r\n", ""},
      {with_field("Connection: close"), "POST /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", ""},
      {chunked("5\r\nhello\r\n6;a=\"b\"\r\n world\r\n000\r\n\r\n"),
       "POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", "hello world"},
      {with_field("transfer-encoding: CHUNKED") + "A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nConnection-Note: 2\r\n\r\n",
       "POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", "0123456789"},
      {chunked("0;" + repeat("a", 254) + "\r\n\r\n"),
       "POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
      {with_field("Expect: 100-Continue\r\nContent-Length: 1") + "x",
       "POST /x HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x"},
  };
  return kTable;
}

TEST(RequestReader, WritesAnewWhatItHasUnderstood) {
  for (const AcceptedRequest& row : accepted_requests()) {
    const Transcript transcript = read_whole(row.bytes);
    EXPECT_EQ(transcript.refusal, "") << row.bytes;
    EXPECT_EQ(transcript.head, row.forwarded);
    EXPECT_EQ(transcript.body, row.body);
    EXPECT_TRUE(transcript.complete);
    EXPECT_EQ(transcript.consumed, row.bytes.size());
  }
}

TEST(RequestReader, GivesTheSameEventsWhereverTheBytesAreCut) {
  for (const AcceptedRequest& row : accepted_requests()) {
    const Transcript whole = read_whole(row.bytes);
    EXPECT_EQ(read_by_byte(row.bytes), whole) << row.bytes;
    for (size_t cut = 0; cut <= row.bytes.size(); ++cut) {
      ASSERT_EQ(read_in_two(row.bytes, cut), whole) << "cut " << cut << ": " << row.bytes;
    }
  }
}

TEST(RequestReader, AcceptsEveryLimitItself) {
  const std::string longest_line = "GET /" + repeat("a", kMaxStartLineBytes - 14) + " HTTP/1.1";
  ASSERT_EQ(longest_line.size(), kMaxStartLineBytes);
  for (const std::string& bytes :
       {with_line(longest_line), with_field("X: " + repeat("a", kMaxHeaderLineBytes - 3)),
        "GET / HTTP/1.1\r\nHost: a.example\r\n" + repeat("X: a\r\n", kMaxHeaderFields - 1) + "\r\n"}) {
    EXPECT_EQ(read_whole(bytes).refusal, "");
    EXPECT_EQ(read_by_byte(bytes), read_whole(bytes));
  }
}

TEST(RequestReader, ReportsConnectAsHostAndPort) {
  const RequestHead head = head_of("CONNECT A.example:8443 HTTP/1.1\r\nHost: a.example:8443\r\n\r\n");
  EXPECT_EQ(head.form, RequestHead::Form::authority);
  EXPECT_EQ(head.host, "a.example");
  EXPECT_EQ(head.port, 8443);
  EXPECT_EQ(head.path, "");
  EXPECT_EQ(head_of("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n").port, 443);
  EXPECT_EQ(head_of("CONNECT a.example:443 HTTP/1.1\r\nHost: proxy.example:3128\r\n\r\n").host, "a.example");
  EXPECT_EQ(head_of("CONNECT a.example:443 HTTP/1.0\r\n\r\n").host, "a.example");
}

TEST(RequestReader, TakesTheDefaultPortFromTheScheme) {
  EXPECT_EQ(head_of(with_host("a.example"), Scheme::http).port, 80);
  EXPECT_EQ(head_of(with_host("a.example"), Scheme::https).port, 443);
  EXPECT_EQ(read_whole(with_target("https://a.example/"), Scheme::https).refusal, "");
  EXPECT_EQ(read_whole(with_target("http://a.example/"), Scheme::https).refusal, "http.target-scheme");
}

TEST(RequestReader, KeepsAliveOnlyHttp11WithoutClose) {
  EXPECT_TRUE(head_of(with_target("/")).keep_alive);
  EXPECT_FALSE(head_of(with_field("Connection: x, Close")).keep_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST(RequestReader, ExpectsContinueOnlyBeforeABody) {
  EXPECT_TRUE(head_of(with_field("Expect: 100-continue\r\nContent-Length: 1")).expects_continue);
  EXPECT_FALSE(head_of(with_field("Expect: 100-continue")).expects_continue);
}

TEST(RequestReader, ForwardsNoExpectationThatDoesNotCount) {
  const std::string http10 = "POST / HTTP/1.0\r\nHost: a.example\r\nExpect: nothing\r\nContent-Length: 1\r\n\r\nx";
  EXPECT_EQ(read_whole(http10).head,
            "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(read_whole(with_field("Expect: 100-continue")).head, "POST /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
}

TEST(RequestReader, WantsAnUpgradeOnlyWhenConnectionNamesIt) {
  EXPECT_TRUE(head_of(with_field("Connection: Upgrade\r\nUpgrade: websocket")).wants_upgrade);
  EXPECT_FALSE(head_of(with_field("Upgrade: websocket")).wants_upgrade);
  EXPECT_FALSE(head_of(with_field("Connection: Upgrade")).wants_upgrade);
}

TEST(RequestReader, LeavesAPipelinedRequestAloneUntilNextMessage) {
  const std::string first = with_field("Content-Length: 2") + "hi";
  const std::string second = with_target("/second");
  const std::string both = first + second;
  RequestReader reader(Scheme::http);
  Transcript one;
  EXPECT_FALSE(drive(reader, both, one, describe));
  EXPECT_TRUE(one.complete);
  EXPECT_EQ(one.body, "hi");
  EXPECT_EQ(one.consumed, first.size());
  EXPECT_EQ(reader.feed(second)->consumed, 0u);

  reader.next_message();
  EXPECT_TRUE(reader.idle());
  Transcript two;
  EXPECT_FALSE(drive(reader, std::string_view(both).substr(one.consumed), two, describe));
  EXPECT_EQ(two.head, "GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(two.consumed, second.size());
}

TEST(RequestReader, HandsOutTrailers) {
  const Transcript transcript = read_whole(chunked("0\r\nX-Sum:  1 \r\nY: 2\r\n\r\n"));
  EXPECT_THAT(transcript.trailers, ElementsAre(Field{"X-Sum", "1"}, Field{"Y", "2"}));
}

TEST(RequestReader, TellsACloseBetweenMessagesFromOneWithin) {
  RequestReader reader(Scheme::http);
  EXPECT_TRUE(reader.finish());
  ASSERT_TRUE(reader.feed("\r\n"));
  EXPECT_TRUE(reader.finish());
  ASSERT_TRUE(reader.feed("G"));
  EXPECT_EQ(reader.finish().error().id, "http.cut-short");

  RequestReader in_body(Scheme::http);
  ASSERT_TRUE(in_body.feed(with_field("Content-Length: 2")));
  ASSERT_TRUE(in_body.feed("h"));
  EXPECT_EQ(in_body.finish().error().id, "http.cut-short");
}

TEST(RequestReader, StreamsABodyLargerThanAnyBuffer) {
  RequestReader reader(Scheme::http);
  ASSERT_TRUE(reader.feed(with_field("Content-Length: 9223372036854775807")));
  const std::string piece(1 << 20, 'x');
  const auto event = reader.feed(piece);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->body.data(), piece.data());
  EXPECT_EQ(event->body.size(), piece.size());
}

}  // namespace
}  // namespace gatehouse::proxy
