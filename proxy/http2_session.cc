#include "proxy/http2_session.h"

#include <cassert>

namespace gatehouse::proxy {

Http2Session make_http2_session(Http2Side side, void (*set)(nghttp2_session_callbacks*), void* user, uint32_t streams) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  nghttp2_session* session = nullptr;
  [[maybe_unused]] bool made = nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0;
  assert(made);
  set(callbacks);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_send_header_block_length(option, kMaxSentHeadBytes);
  nghttp2_option_set_max_outbound_ack(option, kMaxUnackedFrames);
  nghttp2_option_set_no_closed_streams(option, 1);
  if (streams > 0) nghttp2_option_set_peer_max_concurrent_streams(option, streams);
  made = (side == Http2Side::server ? nghttp2_session_server_new2(&session, callbacks, user, option)
                                    : nghttp2_session_client_new2(&session, callbacks, user, option)) == 0;
  assert(made);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return Http2Session(session);
}

}  // namespace gatehouse::proxy
