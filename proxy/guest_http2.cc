#include "proxy/guest_http2.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gatehouse::proxy {

// Each is called by nghttp2 within mem_recv or send; `user` is the connection.
struct Http2Guest::Callbacks {
  static Http2Guest& guest(void* user) { return *static_cast<Http2Guest*>(user); }
  static bool is_request(const nghttp2_frame& frame) {
    return frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
  }

  static ssize_t send(nghttp2_session*, const uint8_t* bytes, size_t size, int, void* user) {
    if (guest(user).wire_.size() >= kHttp2WriteBytes) return NGHTTP2_ERR_WOULDBLOCK;
    guest(user).wire_ += view_of(bytes, size);
    return static_cast<ssize_t>(size);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t length,
                       nghttp2_data_source* source, void* user) {
    if (guest(user).wire_.size() >= kHttp2WriteBytes) return NGHTTP2_ERR_WOULDBLOCK;
    guest(user).wire_ += view_of(head, kHttp2FrameHeadBytes);  // nothing is padded
    static_cast<Http2GuestStream*>(source->ptr)->take_data(guest(user).wire_, length);
    return 0;
  }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
    return guest(user).accept_frame(*frame) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int begin_block(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& self = guest(user);
    if (!is_request(*frame)) return 0;
    self.streams_[frame->hd.stream_id] =
        std::make_unique<Http2GuestStream>(static_cast<Http2StreamOwner&>(self), frame->hd.stream_id, self.head_time());
    return 0;
  }

  static int field(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                   const uint8_t* value, size_t value_size, uint8_t, void* user) {
    if (auto* stream = guest(user).find(frame->hd.stream_id)) {
      stream->add_field(view_of(name, name_size), view_of(value, value_size));
    }
    return 0;
  }

  static int invalid_field(nghttp2_session*, const nghttp2_frame* frame, const uint8_t*, size_t, const uint8_t*, size_t,
                           uint8_t, void* user) {
    if (auto* stream = guest(user).find(frame->hd.stream_id)) stream->mark_unsound();
    return 0;
  }

  static int data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user) {
    auto* stream = guest(user).find(id);
    if (stream == nullptr) {
      nghttp2_session_consume_connection(session, size);
    } else {
      stream->on_data(view_of(bytes, size));
    }
    return 0;
  }

  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& self = guest(user);
    if (frame->hd.type == NGHTTP2_SETTINGS) self.ready_ = true;
    auto* stream = self.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      stream->on_block(ended);
    } else if (frame->hd.type == NGHTTP2_DATA && ended) {
      stream->on_end();
    }
    return 0;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int code, void* user) {
    auto& self = guest(user);
    auto* stream = self.find(frame->hd.stream_id);
    if (stream != nullptr) stream->on_malformed(nghttp2_strerror(code));
    return self.afford_frame() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& self = guest(user);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && self.fault_.rule.empty()) {
      self.fault_ = {"http2.protocol-error",
                     fmt::format("the connection breaks the rules of HTTP/2: {} {}",
                                 nghttp2_http2_strerror(frame->goaway.error_code),
                                 view_of(frame->goaway.opaque_data, frame->goaway.opaque_data_len))};
    }
    return 0;
  }

  static int closed(nghttp2_session*, int32_t id, uint32_t error_code, void* user) {
    auto& self = guest(user);
    const auto found = self.streams_.find(id);
    if (found == self.streams_.end()) return 0;
    auto stream = std::move(found->second);
    self.streams_.erase(found);
    if (self.streams_.empty()) self.idle_since_ = Clock::now();
    stream->on_closed(error_code, self.safe_);
    self.closed_.push_back(std::move(stream));
    return 0;
  }

  static void set(nghttp2_session_callbacks* callbacks) {
    nghttp2_session_callbacks_set_send_callback(callbacks, &send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, &send_data);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, &begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &begin_block);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &field);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, &invalid_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, &invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &closed);
  }
};

Http2Guest::Http2Guest(Outside& outside, GuestConnection& connection, const Origin& origin)
    : outside_(outside),
      connection_(connection),
      origin_(origin),
      session_(make_http2_session(Http2Side::server, &Callbacks::set, this)),
      refilled_(Clock::now()) {}

Http2Guest::~Http2Guest() = default;

void Http2Guest::start() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(kStreamWindowBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeadBytes},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
  nghttp2_submit_settings(session(), NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session(), NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
  idle_since_ = Clock::now();
  turn();
}

void Http2Guest::on_bytes(std::string& bytes) {
  const auto input = std::exchange(bytes, {});
  if (over_) return;
  closed_.clear();
  receiving_ = safe_ = true;
  const auto taken = nghttp2_session_mem_recv(session(), reinterpret_cast<const uint8_t*>(input.data()), input.size());
  receiving_ = safe_ = false;
  if (over_) return;
  if (taken < 0) {
    const auto code = taken == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR;
    if (fault_.rule.empty()) {
      fault_ = {"http2.protocol-error", nghttp2_strerror(static_cast<int>(taken)), static_cast<uint32_t>(code)};
    }
    nghttp2_session_terminate_session(session(), fault_.code);
  }
  turn();
}

void Http2Guest::turn() {
  if (over_) return;
  closed_.clear();
  safe_ = true;
  send_pending();
  safe_ = false;
  settle();
}

void Http2Guest::pump() {
  if (!receiving_ && !sending_ && !over_) send_pending();
}

void Http2Guest::send_pending() {
  sending_ = true;
  while (connection_.queued() <= kMaxQueuedBytes) {
    const int sent = nghttp2_session_send(session());
    if (sent != 0 && fault_.rule.empty()) fault_ = {"http2.protocol-error", nghttp2_strerror(sent)};
    if (wire_.empty()) break;
    connection_.send(wire_);
    wire_.clear();
  }
  sending_ = false;
}

// What has come of a turn.
void Http2Guest::settle() {
  if (!fault_.rule.empty()) return give_up(fault_);
  std::vector<int32_t> ids;
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  for (const int32_t id : ids) {
    if (auto* stream = find(id)) stream->tell_drained();
  }
  const bool finished = !nghttp2_session_want_read(session()) && !nghttp2_session_want_write(session());
  if (finished || (guest_ended_ && streams_.empty())) return end();
  if (streams_.empty()) arm(idle_until());
  if (!wants_bytes()) connection_.read(false);
}

void Http2Guest::give_up(const Fault& fault) {
  const Fault why = fault;
  over_ = true;
  for (auto& [id, stream] : streams_) stream->abort(why.reason);
  connection_.refuse_connection(why.rule, why.reason);
}

void Http2Guest::end() {
  over_ = true;
  if (judged_one_) return connection_.end_output();
  connection_.refuse_connection("protocol.silent", "the connection was closed before it sent a request");
}

bool Http2Guest::accept_frame(const nghttp2_frame_hd& frame) {
  // nghttp2 passes over priorities (RFC 9113 section 5.3.2), and over what section 6.3 says of them.
  if (frame.type == NGHTTP2_PRIORITY && (frame.stream_id == 0 || frame.length != 5)) {
    fault_ = {"http2.protocol-error", "a PRIORITY frame on no stream, or of another size than 5 bytes",
              static_cast<uint32_t>(frame.stream_id == 0 ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_FRAME_SIZE_ERROR)};
    return false;
  }
  if (frame.type == NGHTTP2_HEADERS && goes_back(frame.stream_id)) {
    fault_ = {"http2.protocol-error", "a new stream whose id is below that of an earlier one", NGHTTP2_PROTOCOL_ERROR};
    return false;
  }
  const bool carries = (frame.type == NGHTTP2_DATA && (frame.length > 0 || frame.flags & NGHTTP2_FLAG_END_STREAM)) ||
                       frame.type == NGHTTP2_HEADERS || frame.type == NGHTTP2_CONTINUATION ||
                       frame.type == NGHTTP2_WINDOW_UPDATE;
  return carries || afford_frame();
}

// RFC 9113 section 5.1.1, of which nghttp2 passes over what cannot be told from the end of a stream that is closed.
bool Http2Guest::goes_back(int32_t id) {
  if (id > last_id_) {
    if (id - 2 > last_id_ && passed_over_.size() < kMaxPassedOver) passed_over_.emplace_back(last_id_ + 2, id - 2);
    last_id_ = id;
    return false;
  }
  return std::any_of(passed_over_.begin(), passed_over_.end(),
                     [id](const auto& range) { return range.first <= id && id <= range.second; });
}

bool Http2Guest::afford_frame() {
  const auto now = Clock::now();
  const std::chrono::duration<double> since = now - std::exchange(refilled_, now);
  afforded_ = std::min(kMaxIdleFrames, afforded_ + since.count() * kIdleFramesPerSecond) - 1;
  if (afforded_ >= 0) return true;
  fault_ = {"http2.flood", "more frames that carry nothing than any client needs: resets, settings, pings or errors"};
  return false;
}

Http2GuestStream* Http2Guest::find(int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

std::unique_ptr<Exchange> Http2Guest::make_exchange(GuestLeg& leg) {
  judged_one_ = true;
  return std::make_unique<Exchange>(outside_, leg, origin_);
}

std::chrono::milliseconds Http2Guest::head_time() const { return outside_.generation()->policy.limits().head_time; }

Http2Guest::Clock::time_point Http2Guest::idle_until() const {
  return idle_since_ + (ready_ ? std::chrono::milliseconds(kKeepAliveTimeout) : head_time());
}

// No other frame may come before the rest of it (RFC 9113 section 6.10), so that all streams would wait for it.
void Http2Guest::on_late_head() {
  fault_ = {"http.timeout", "the request's head did not come in time"};
  nghttp2_session_terminate_session(session(), fault_.code);
}

void Http2Guest::arm(Clock::time_point deadline) {
  if (over_ || deadline >= armed_) return;
  armed_ = deadline;
  const auto after = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  connection_.set_deadline(std::max(after, std::chrono::milliseconds(1)));
}

void Http2Guest::on_deadline() {
  if (over_) return;
  closed_.clear();
  const auto now = std::max(Clock::now(), std::exchange(armed_, Clock::time_point::max()));
  std::vector<int32_t> late;
  auto next = Clock::time_point::max();
  for (const auto& [id, stream] : streams_) {
    if (stream->deadline() <= now) {
      late.push_back(id);
    } else {
      next = std::min(next, stream->deadline());
    }
  }
  for (const int32_t id : late) {
    if (auto* stream = find(id)) stream->on_deadline();
  }
  if (over_) return;
  if (!streams_.empty()) {
    if (next != Clock::time_point::max()) arm(next);
    return turn();
  }
  if (now >= idle_until()) {
    nghttp2_session_terminate_session(session(), NGHTTP2_NO_ERROR);
    send_pending();
    return end();
  }
  turn();
}

void Http2Guest::on_end() {
  if (over_) return;
  guest_ended_ = true;
  std::vector<int32_t> ids;
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  for (const int32_t id : ids) {
    auto* stream = find(id);
    if (stream != nullptr && !stream->request_ended())
      stream->abort("the guest closed the connection within its request");
    if (stream != nullptr && !stream->request_ended()) {
      nghttp2_submit_rst_stream(session(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    }
  }
  turn();
}

void Http2Guest::on_drained() {
  if (over_) return;
  turn();
  if (!over_) connection_.read(wants_bytes());
}

void Http2Guest::abort(std::string_view why) {
  over_ = true;
  for (auto& [id, stream] : streams_) stream->abort(why);
}

}  // namespace gatehouse::proxy
