// What a guest may not do in HTTP/2, and what comes of it.
#include "proxy/guest_http2.h"
#include "proxy/test_http2_guest.h"

namespace gatehouse::proxy {
namespace {

using testing::StartsWith;

// What RFC 9113 says must be an error, by section: of the connection (GOAWAY), of the stream (RST_STREAM), or of a
// malformed request, which may be answered first. nghttp2 makes one of the stream that is to be one of the connection
// (6.9.2), and the other way round (6.9, which section 5.4 allows).
enum class Scope { connection, stream };

struct Violation {
  std::string section;
  std::string what;
  std::string bytes;  // on a connection where stream 1 is open, and its request's body still to come
  Scope scope;
  uint32_t code;
};

std::vector<Violation> violations() {
  const auto get = [](uint32_t id, const Fields& more) {
    auto fields = request_fields("GET", "/x");
    fields.insert(fields.end(), more.begin(), more.end());
    return headers(id, fields);
  };
  const auto u32 = [](uint32_t value) { return big_endian(value, 4); };
  const auto goaway = [&](std::string debug) { return u32(0) + u32(0) + debug; };
  const Fields plain = request_fields("GET", "/x");
  const auto without = [&](std::string_view name) {
    Fields fields;
    for (const auto& field : plain) {
      if (field.name != name) fields.push_back(field);
    }
    return fields;
  };
  constexpr auto C = Scope::connection;
  constexpr auto S = Scope::stream;
  return {
      {"4.2", "DATA above SETTINGS_MAX_FRAME_SIZE", frame(NGHTTP2_DATA, 0, 1, std::string(16'385, 'x')), C,
       NGHTTP2_FRAME_SIZE_ERROR},
      {"4.2", "HEADERS above SETTINGS_MAX_FRAME_SIZE", frame(NGHTTP2_HEADERS, kEndHeaders, 3, std::string(16'385, 'x')),
       C, NGHTTP2_FRAME_SIZE_ERROR},
      {"4.3", "a block that cannot be decompressed",
       frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 3, "\xff\xff\xff\xff\xff"), C, NGHTTP2_COMPRESSION_ERROR},
      {"4.3", "a block that is not whole", frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 3, "\x40"), C,
       NGHTTP2_COMPRESSION_ERROR},
      {"5.1", "DATA on an idle stream", frame(NGHTTP2_DATA, 0, 5, "x"), C, NGHTTP2_PROTOCOL_ERROR},
      {"5.1", "WINDOW_UPDATE on an idle stream", frame(NGHTTP2_WINDOW_UPDATE, 0, 5, u32(1)), C, NGHTTP2_PROTOCOL_ERROR},
      {"5.1", "CONTINUATION on an idle stream", frame(NGHTTP2_CONTINUATION, kEndHeaders, 5, hpack(plain)), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"5.1", "DATA on a half-closed stream", frame(NGHTTP2_DATA, kEndStream, 1, "x") + frame(NGHTTP2_DATA, 0, 1, "x"),
       C, NGHTTP2_STREAM_CLOSED},
      {"5.1", "HEADERS on a half-closed stream", frame(NGHTTP2_DATA, kEndStream, 1) + headers(1, {{"x", "1"}}), C,
       NGHTTP2_STREAM_CLOSED},
      {"5.1.1", "a stream id that is even", headers(2, plain), C, NGHTTP2_PROTOCOL_ERROR},
      {"5.1.1", "a stream id that goes back", headers(7, plain) + headers(3, plain), C, NGHTTP2_PROTOCOL_ERROR},
      {"5.5", "an extension frame within a header block", headers(3, plain, 0) + frame(0xbe, 0, 0, "x"), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"6.1", "DATA on stream 0", frame(NGHTTP2_DATA, 0, 0, "x"), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.1", "padding as long as the frame", frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x05xxxx"), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"6.2", "HEADERS on stream 0", headers(0, plain), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.2", "padding longer than the block", frame(NGHTTP2_HEADERS, kEndHeaders | NGHTTP2_FLAG_PADDED, 3, "\x05xxxx"),
       C, NGHTTP2_PROTOCOL_ERROR},
      {"6.2", "another stream's frame within a header block", headers(3, plain, 0) + frame(NGHTTP2_DATA, 0, 1, "x"), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"6.3", "PRIORITY on stream 0", frame(NGHTTP2_PRIORITY, 0, 0, std::string(5, '\0')), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.3", "PRIORITY of 4 bytes", frame(NGHTTP2_PRIORITY, 0, 1, u32(0)), C, NGHTTP2_FRAME_SIZE_ERROR},
      {"6.4", "RST_STREAM on stream 0", frame(NGHTTP2_RST_STREAM, 0, 0, u32(0)), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.4", "RST_STREAM on an idle stream", frame(NGHTTP2_RST_STREAM, 0, 5, u32(0)), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.4", "RST_STREAM of 3 bytes", frame(NGHTTP2_RST_STREAM, 0, 1, "xxx"), C, NGHTTP2_FRAME_SIZE_ERROR},
      {"6.5", "an acknowledgement that says something", frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, setting(1, 1)), C,
       NGHTTP2_FRAME_SIZE_ERROR},
      {"6.5", "SETTINGS on a stream", frame(NGHTTP2_SETTINGS, 0, 1), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.5", "SETTINGS of 5 bytes", frame(NGHTTP2_SETTINGS, 0, 0, "xxxxx"), C, NGHTTP2_FRAME_SIZE_ERROR},
      {"6.5.2", "SETTINGS_ENABLE_PUSH of 2", frame(NGHTTP2_SETTINGS, 0, 0, setting(2, 2)), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE of 2^31", frame(NGHTTP2_SETTINGS, 0, 0, setting(4, 0x80000000)), C,
       NGHTTP2_FLOW_CONTROL_ERROR},
      {"6.5.2", "SETTINGS_MAX_FRAME_SIZE of 16383", frame(NGHTTP2_SETTINGS, 0, 0, setting(5, 16'383)), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"6.5.2", "SETTINGS_MAX_FRAME_SIZE of 2^24", frame(NGHTTP2_SETTINGS, 0, 0, setting(5, 1 << 24)), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"6.6", "PUSH_PROMISE from a client", frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1, u32(2) + hpack(plain)), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"6.7", "PING on a stream", frame(NGHTTP2_PING, 0, 1, "12345678"), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.7", "PING of 7 bytes", frame(NGHTTP2_PING, 0, 0, "1234567"), C, NGHTTP2_FRAME_SIZE_ERROR},
      {"6.8", "GOAWAY on a stream", frame(NGHTTP2_GOAWAY, 0, 1, goaway("")), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.9", "WINDOW_UPDATE of 0 on a stream", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, u32(0)), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.9", "WINDOW_UPDATE of 0 on the connection", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, u32(0)), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"6.9", "WINDOW_UPDATE of 3 bytes", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, "xxx"), C, NGHTTP2_FRAME_SIZE_ERROR},
      {"6.9.1", "a stream's window above 2^31-1", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, u32(0x7fffffff)), S,
       NGHTTP2_FLOW_CONTROL_ERROR},
      {"6.9.1", "the connection's window above 2^31-1", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, u32(0x7fffffff)), C,
       NGHTTP2_FLOW_CONTROL_ERROR},
      {"6.9.1", "more data than the window",
       [] {
         std::string all;
         for (int i = 0; i < 17; ++i) all += frame(NGHTTP2_DATA, 0, 1, std::string(16'384, 'x'));
         return all;
       }(),
       S, NGHTTP2_FLOW_CONTROL_ERROR},
      {"6.9.2", "settings that make a window overflow",
       frame(NGHTTP2_WINDOW_UPDATE, 0, 1, u32(0x7fff0000)) + frame(NGHTTP2_SETTINGS, 0, 0, setting(4, 0x7fffffff)), S,
       NGHTTP2_FLOW_CONTROL_ERROR},
      {"6.10", "CONTINUATION after the end of the block",
       headers(3, plain) + frame(NGHTTP2_CONTINUATION, kEndHeaders, 3, hpack({{"x", "1"}})), C, NGHTTP2_PROTOCOL_ERROR},
      {"6.10", "CONTINUATION on stream 0", headers(3, plain, 0) + frame(NGHTTP2_CONTINUATION, kEndHeaders, 0), C,
       NGHTTP2_PROTOCOL_ERROR},
      {"8.1", "trailers that do not end the stream", headers(1, {{"x", "1"}}, kEndHeaders), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.1.1", "less data than Content-Length",
       headers(3, request_fields("POST", "/x", {{"content-length", "3"}}), kEndHeaders) +
           frame(NGHTTP2_DATA, kEndStream, 3, "x"),
       S, NGHTTP2_PROTOCOL_ERROR},
      {"8.1.1", "more data than Content-Length",
       headers(3, request_fields("POST", "/x", {{"content-length", "3"}}), kEndHeaders) +
           frame(NGHTTP2_DATA, 0, 3, "xxxx"),
       S, NGHTTP2_PROTOCOL_ERROR},
      {"8.1.1", "a length and no data", get(3, {{"content-length", "3"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.1", "a name in upper case", get(3, {{"X-Up", "1"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.1", "a value with a line end", get(3, {{"x", "a\r\nb"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.1", "a value with a space before it", get(3, {{"x", " a"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.2", "Connection", get(3, {{"connection", "close"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.2", "Keep-Alive", get(3, {{"keep-alive", "1"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.2", "Proxy-Connection", get(3, {{"proxy-connection", "close"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.2", "Transfer-Encoding", get(3, {{"transfer-encoding", "chunked"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.2", "Upgrade", get(3, {{"upgrade", "websocket"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.2.2", "TE other than trailers", get(3, {{"te", "gzip"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.3", "a pseudo-header field behind others", get(3, {{":path", "/y"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.3", "an unknown pseudo-header field",
       headers(3, {{":x", "1"}, {":method", "GET"}, {":scheme", "http"}, {":path", "/"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.3", "a response's pseudo-header field",
       headers(3, {{":status", "200"}, {":method", "GET"}, {":scheme", "http"}, {":path", "/"}}), S,
       NGHTTP2_PROTOCOL_ERROR},
      {"8.3", "a pseudo-header field in trailers", headers(1, {{":path", "/y"}}), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.3.1", "no :method", headers(3, without(":method")), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.3.1", "no :scheme", headers(3, without(":scheme")), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.3.1", "no :path", headers(3, without(":path")), S, NGHTTP2_PROTOCOL_ERROR},
      {"8.3.1", "an empty :path",
       headers(3, {{":method", "GET"}, {":scheme", "http"}, {":authority", "api.test.example"}, {":path", ""}}), S,
       NGHTTP2_PROTOCOL_ERROR},
      {"8.3.1", "two of :method",
       headers(3, {{":method", "GET"}, {":method", "PUT"}, {":scheme", "http"}, {":path", "/"}}), S,
       NGHTTP2_PROTOCOL_ERROR},
      {"8.3.1", "user data in :authority",
       headers(3, {{":method", "GET"}, {":scheme", "http"}, {":authority", "me@api.test.example"}, {":path", "/"}}), S,
       NGHTTP2_PROTOCOL_ERROR},
      {"8.5", "CONNECT with a :path",
       headers(3, {{":method", "CONNECT"}, {":authority", "api.test.example:80"}, {":path", "/"}}), S,
       NGHTTP2_PROTOCOL_ERROR},
  };
}

TEST_F(Http2GuestTest, AnswersEachViolationOfRfc9113WithTheErrorItNames) {
  for (const auto& [section, what, bytes, scope, code] : violations()) {
    SCOPED_TRACE(section + ": " + what);
    again();
    say(headers(1, request_fields("POST", "/x"), kEndHeaders));
    const size_t rows_before = world_->rows.size();
    say(bytes);
    const uint32_t stream = !bytes.empty() && bytes[8] == 3 ? 3 : 1;
    const auto* goaway = find(NGHTTP2_GOAWAY, 0);
    if (scope == Scope::connection) {
      EXPECT_TRUE(goaway != nullptr && goaway->code() == code) << (goaway != nullptr ? goaway->code() : 99);
      EXPECT_EQ(world_->rows.back().decision.rule_id, "http2.protocol-error");
      continue;
    }
    world_->answer_commit();
    hear();
    const auto* reset = find(NGHTTP2_RST_STREAM, stream);
    EXPECT_EQ(goaway, nullptr);
    if (reset != nullptr) {
      EXPECT_EQ(reset->code(), code);
    } else {
      EXPECT_THAT(header(stream, ":status"), StartsWith("4"));  // malformed, and says so (section 8.1.1)
    }
    if (stream == 3) {
      EXPECT_EQ(world_->rows.size(), rows_before + 1);
    }
  }
}

}  // namespace
}  // namespace gatehouse::proxy
