#include "proxy/response_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/transcript.h"

namespace gatehouse::proxy {
namespace {

std::string describe(const ResponseHead& head) { return serialize_response_head(head, head.framing, !head.keep_alive); }

Transcript read_pieces(std::string_view bytes, size_t cut, size_t step, std::string_view method) {
  ResponseReader reader(method);
  Transcript transcript;
  bool more = drive(reader, bytes.substr(0, cut), transcript, describe);
  for (size_t at = cut; more && at < bytes.size(); at += step) {
    more = drive(reader, bytes.substr(at, step), transcript, describe);
  }
  if (!more) return transcript;
  const auto end = reader.finish();
  transcript.complete = end.has_value();
  if (!end) {
    transcript.refusal = end.error().id;
    transcript.status = end.error().status;
    transcript.consumed = 0;
  }
  return transcript;
}

Transcript read_whole(std::string_view bytes, std::string_view method = "GET") {
  return read_pieces(bytes, 0, std::string_view::npos - 1, method);
}

std::string ok_with(std::string_view field) { return "HTTP/1.1 200 OK\r\n" + std::string(field) + "\r\n\r\n"; }
std::string chunked(std::string_view body) { return ok_with("Transfer-Encoding: chunked") + std::string(body); }

struct RefusedResponse {
  std::string bytes;
  std::string_view id;
};

const std::vector<RefusedResponse>& refused_responses() {
  static const std::vector<RefusedResponse> kTable = {
      {ok_with("Content-Length: 1\r\nContent-Length: 1") + "x", "http.content-length-twice"},
      {ok_with("Content-Length: 1, 1") + "x", "http.content-length-list"},
      {ok_with("Content-Length: x"), "http.content-length-malformed"},
      {ok_with("Content-Length: 1\r\nTransfer-Encoding: chunked"), "http.length-and-transfer-encoding"},
      {ok_with("Transfer-Encoding: gzip, chunked"), "http.transfer-encoding-unknown"},
      {ok_with("Transfer-Encoding: identity"), "http.transfer-encoding-unknown"},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "http.transfer-encoding-in-1.0"},
      {ok_with("X: a\r\n b"), "http.line-folding"},
      {ok_with("X : a"), "http.space-before-colon"},
      {ok_with("X: a\x01"), "http.header-value"},
      {ok_with(std::string_view("X: a\0", 5)), "http.header-value"},
      {ok_with("X"), "http.header-malformed"},
      {ok_with("X: a\rb"), "http.bare-cr"},
      {"HTTP/1.1 200 OK\n\n", "http.bare-lf"},
      {"\r\nHTTP/1.1 200 OK\r\n\r\n", "http.version"},
      {"HTTP/2.0 200 OK\r\n\r\n", "http.version"},
      {"HTTP/1.2 200 OK\r\n\r\n", "http.version"},
      {"ICY 200 OK\r\n\r\n", "http.version"},
      {"<html>\r\n", "http.version"},
      {"HTTP/1.1 20 OK\r\n\r\n", "http.status-line"},
      {"HTTP/1.1  200 OK\r\n\r\n", "http.status-line"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "http.status-line"},
      {"HTTP/1.1 099 OK\r\n\r\n", "http.status-line"},
      {"HTTP/1.1 600 OK\r\n\r\n", "http.status-line"},
      {"HTTP/1.1 200 O\x01K\r\n\r\n", "http.status-line"},
      {"HTTP/1.1 200 " + std::string(kMaxStartLineBytes, 'x'), "http.status-line-too-long"},
      {ok_with("X: " + std::string(kMaxHeaderLineBytes, 'x')), "http.header-line-too-long"},
      {ok_with("Content-Length: 5") + "four", "http.cut-short"},
      {chunked("5\r\nhello\r\n"), "http.cut-short"},
      {chunked("5\r\nhello\r\n0\r\n"), "http.cut-short"},
      {chunked("5\r\nhello, world\r\n0\r\n\r\n"), "http.chunk-data"},
      {"HTTP/1.1 200 OK\r\n", "http.cut-short"},
      {"", "http.cut-short"},
      {"HTTP/1.1 100 Continue\r\n\r\n", "http.cut-short"},
      {"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nhello", "http.interim-body"},
      {"HTTP/1.1 103 Hints\r\nConnection: close\r\n\r\n", "http.interim-body"},
      {"HTTP/1.0 100 Continue\r\n\r\n", "http.interim-body"},
  };
  return kTable;
}

TEST(ResponseReader, RefusesEachMutationForItsOwnReasonWith502) {
  for (const RefusedResponse& row : refused_responses()) {
    const Transcript transcript = read_whole(row.bytes);
    EXPECT_EQ(transcript.refusal, row.id) << row.bytes.substr(0, 200);
    EXPECT_EQ(transcript.status, 502);
    EXPECT_FALSE(transcript.complete);
  }
}

struct AcceptedResponse {
  std::string bytes;
  std::string_view method;
  std::string head;
  std::string body;
};

const std::vector<AcceptedResponse>& accepted_responses() {
  static const std::vector<AcceptedResponse> kTable = {
      {ok_with("Content-Length: 5") + "hello", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"},
      {ok_with("Content-Length: 0"), "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
      {chunked("5\r\nhello\r\n0\r\n\r\n"), "POST", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "hello"},
      {ok_with("X: a") + "until close", "GET", "HTTP/1.1 200 OK\r\nX: a\r\nConnection: close\r\n\r\n", "until close"},
      {ok_with("X: a"), "GET", "HTTP/1.1 200 OK\r\nX: a\r\nConnection: close\r\n\r\n", ""},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET",
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", "hi"},
      {ok_with("Content-Length: 5"), "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ""},
      {ok_with("Transfer-Encoding: chunked"), "HEAD", "HTTP/1.1 200 OK\r\n\r\n", ""},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n", "GET",
       "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n", ""},
      {"HTTP/1.1 204 No Content\r\n\r\n", "GET", "HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "GET", "HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "GET",
       "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", ""},
      {"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ""},
      {"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", "GET", "HTTP/1.1 299 Error\r\nContent-Length: 0\r\n\r\n", ""},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + ok_with("Content-Length: 2") + "hi",
       "POST", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "hi"},
      {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET",
       "HTTP/1.1 101 Switching Protocols\r\nConnection: close\r\n\r\n", ""},
      {"HTTP/1.1 200 Established\r\n\r\n", "CONNECT", "HTTP/1.1 200 Established\r\nConnection: close\r\n\r\n", ""},
      {"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", "CONNECT", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n",
       "no"},
      {ok_with("Connection: X-Hop, close\r\nX-Hop: 1\r\nProxy-Authenticate: a\r\nKeep-Alive: b\r\nServer: "
               "c\r\nContent-Length: 0"),
       "GET", "HTTP/1.1 200 OK\r\nServer: c\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", ""},
  };
  return kTable;
}

TEST(ResponseReader, WritesAnewWhatItHasUnderstood) {
  for (const AcceptedResponse& row : accepted_responses()) {
    const Transcript transcript = read_whole(row.bytes, row.method);
    EXPECT_EQ(transcript.refusal, "") << row.bytes;
    EXPECT_EQ(transcript.head, row.head);
    EXPECT_EQ(transcript.body, row.body);
    EXPECT_TRUE(transcript.complete);
    EXPECT_EQ(transcript.consumed, row.bytes.size());
  }
}

TEST(ResponseReader, GivesTheSameEventsWhereverTheBytesAreCut) {
  for (const AcceptedResponse& row : accepted_responses()) {
    for (size_t cut = 0; cut <= row.bytes.size(); ++cut) {
      ASSERT_EQ(read_pieces(row.bytes, cut, 1000, row.method), read_whole(row.bytes, row.method)) << row.bytes;
    }
    EXPECT_EQ(read_pieces(row.bytes, 0, 1, row.method), read_whole(row.bytes, row.method)) << row.bytes;
  }
  for (const RefusedResponse& row : refused_responses()) {
    EXPECT_EQ(read_pieces(row.bytes, 0, 1, "GET"), read_whole(row.bytes)) << row.bytes.substr(0, 200);
  }
}

TEST(ResponseReader, ReportsInterimResponsesOneByOne) {
  const std::string bytes = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
  ResponseReader reader("GET");
  const auto first = reader.feed(bytes);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind, ReadEvent::Kind::interim);
  EXPECT_EQ(serialize_interim_head(reader.head()), "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  EXPECT_FALSE(reader.idle());
  const auto second = reader.feed(std::string_view(bytes).substr(first->consumed));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kind, ReadEvent::Kind::head);
  EXPECT_EQ(reader.head().status, 204);
}

TEST(ResponseReader, RefusesInterimResponsesWithoutEnd) {
  std::string bytes;
  for (int i = 0; i <= kMaxInterimResponses; ++i) bytes += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(read_whole(bytes).refusal, "http.too-many-interim");
}

TEST(ResponseReader, LeavesWhatFollowsTheMessageAlone) {
  const std::string message = ok_with("Content-Length: 5") + "hello";
  const Transcript transcript = read_whole(message + "HTTP/1.1 200 OK\r\n");
  EXPECT_TRUE(transcript.complete);
  EXPECT_EQ(transcript.consumed, message.size());
}

TEST(ResponseReader, StartsOverForTheNextMessage) {
  ResponseReader reader("HEAD");
  Transcript first;
  EXPECT_FALSE(drive(reader, ok_with("Content-Length: 5"), first, describe));
  EXPECT_TRUE(first.complete);
  reader.next_message("GET");
  EXPECT_TRUE(reader.idle());
  Transcript second;
  EXPECT_FALSE(drive(reader, ok_with("Content-Length: 5") + "hello", second, describe));
  EXPECT_EQ(second.body, "hello");
}

TEST(ResponseReader, KeepsNoConnectionThatCannotCarryAnotherExchange) {
  for (const std::string_view bytes : {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                                       "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"}) {
    ResponseReader reader("GET");
    ASSERT_TRUE(reader.feed(bytes));
    EXPECT_FALSE(reader.head().keep_alive) << bytes;
  }
}

}  // namespace
}  // namespace gatehouse::proxy
