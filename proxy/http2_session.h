// nghttp2's side of a connection, as both legs of the proxy want it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/http_message.h"

namespace gatehouse::proxy {

inline constexpr size_t kHttp2WriteBytes = 64 * 1024;           // encrypted and written at once
inline constexpr size_t kHttp2FrameHeadBytes = 9;               // RFC 9113 section 4.1
inline constexpr size_t kMaxSentHeadBytes = 2 * kMaxHeadBytes;  // a header block
inline constexpr size_t kMaxUnackedFrames = 64;  // PING and SETTINGS that the peer does not let us answer

struct Http2SessionDeleter {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};
using Http2Session = std::unique_ptr<nghttp2_session, Http2SessionDeleter>;

inline std::string_view view_of(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// Windows open by nghttp2_session_consume alone, and nothing is kept of streams that are closed. `set` says which calls
// there are, each with `user`, which outlives the session. Of a client's session the peer is taken to allow `streams`
// at once until it says how many it does.
enum class Http2Side { client, server };
Http2Session make_http2_session(Http2Side side, void (*set)(nghttp2_session_callbacks*), void* user,
                                uint32_t streams = 0);

}  // namespace gatehouse::proxy
