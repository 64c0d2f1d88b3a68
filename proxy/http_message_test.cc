#include "proxy/http_message.h"

#include <gtest/gtest.h>

namespace gatehouse::proxy {
namespace {

using Kind = Framing::Kind;

TEST(HttpMessage, FramesAResponseSoThatTheGuestSeesItsEnd) {
  struct Row {
    int guest_minor;
    Kind upstream;
    Kind guest;
  };
  for (const Row& row :
       {Row{1, Kind::none, Kind::none}, Row{1, Kind::length, Kind::length}, Row{1, Kind::chunked, Kind::chunked},
        Row{1, Kind::until_close, Kind::chunked}, Row{0, Kind::length, Kind::length},
        Row{0, Kind::chunked, Kind::until_close}, Row{0, Kind::until_close, Kind::until_close}}) {
    RequestHead request;
    request.minor_version = row.guest_minor;
    ResponseHead response;
    response.framing.kind = row.upstream;
    EXPECT_EQ(framing_for_guest(request, response).kind, row.guest);
  }
}

TEST(HttpMessage, DropsOnlyFieldsThatConnectionNamesHopByHopOnesAndOurOwn) {
  RequestHead head;
  head.method = "GET";
  head.host = "a.example";
  head.port = 443;
  head.scheme = Scheme::https;
  head.path = "/x";
  head.fields = {{"X-Keep", "1"},         {"connection", "x-one ,, X-TWO,close"},
                 {"X-One", "2"},          {"x-two", "3"},
                 {"PROXY-ANYTHING", "4"}, {"X-Keep", "5"},
                 {"gatehouse-Rule", "6"}, {"Host", "evil"}};
  EXPECT_EQ(serialize_request_head(head, false),
            "GET /x HTTP/1.1\r\nHost: a.example\r\nX-Keep: 1\r\nX-Keep: 5\r\n\r\n");
}

TEST(HttpMessage, WritesChunks) {
  std::string out;
  append_chunk(out, "hello, world, hello");
  EXPECT_EQ(out, "13\r\nhello, world, hello\r\n");
  EXPECT_EQ(chunk_prefix(65536), "10000\r\n");
  EXPECT_EQ(serialize_last_chunk({}), "0\r\n\r\n");
  EXPECT_EQ(serialize_last_chunk({{"X-Sum", "1"}}), "0\r\nX-Sum: 1\r\n\r\n");
}

TEST(HttpMessage, ComparesTokensWithoutCaseInAsciiOnly) {
  EXPECT_TRUE(same_token("Content-LENGTH", "content-length"));
  EXPECT_FALSE(same_token("Content-Length", "Content-Lengt"));
  EXPECT_FALSE(same_token("a[", "a{"));
  EXPECT_FALSE(same_token("\xc3\x89", "\xc3\xa9"));
}

}  // namespace
}  // namespace gatehouse::proxy
