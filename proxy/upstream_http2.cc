#include "proxy/upstream_http2.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "proxy/response_reader.h"

namespace gatehouse::proxy {

namespace {

constexpr size_t kMaxSocketBytes = 256 * 1024;
constexpr size_t kCompactBytes = 64 * 1024;

}  // namespace

class Http2Upstream::Leg final : public UpstreamLeg {
 public:
  explicit Leg(std::shared_ptr<Http2Upstream> on) : on_(std::move(on)), reused_(std::exchange(on_->used_, true)) {
    ++on_->legs_;
  }
  ~Leg() override {
    --on_->legs_;
    if (id_ < 0) return;
    on_->streams_.erase(id_);
    if (on_->lost_) return;
    nghttp2_session_set_stream_user_data(session(), id_, nullptr);
    if (unconsumed_ > 0) nghttp2_session_consume(session(), id_, unconsumed_);
    const bool over = closed_ || (ended_ && request_ended_);
    if (!over) nghttp2_submit_rst_stream(session(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
    on_->pump();
  }

  void send_head(const RequestHead& head, ResponseListener& listener) override {
    listener_ = &listener;
    method_ = head.method;
    has_body_ = has_body(head);
    const auto fields = Http2Fields::request(head);
    const auto view = fields.view();
    nghttp2_data_provider provider{};
    // By the stream, not by the leg, which may be gone.
    provider.read_callback = [](nghttp2_session* session, int32_t id, uint8_t*, size_t length, uint32_t* flags,
                                nghttp2_data_source*, void*) -> ssize_t {
      auto* leg = static_cast<Leg*>(nghttp2_session_get_stream_user_data(session, id));
      if (leg == nullptr) return NGHTTP2_ERR_DEFERRED;
      return leg->next_data(length, *flags);
    };
    id_ = nghttp2_submit_request(session(), nullptr, view.data(), view.size(), has_body_ ? &provider : nullptr, this);
    // No id is left, or no memory: the connection ends itself, and on_lost() with it.
    if (id_ > 0) on_->streams_[id_] = this;
    request_ended_ = !has_body_;
    on_->pump();
  }

  void send_body(std::string_view bytes) override {
    if (closed_) return;
    output_ += bytes;
    resume();
  }

  void send_end(const Fields& trailers) override {
    end_ = trailers;
    keep_end_to_end(end_);
    finished_ = true;
    if (has_body_ && !closed_) resume();
  }

  size_t queued() const override { return closed_ ? 0 : output_.size() - sent_; }

  void read(bool wanted) override {
    reading_ = wanted;
    if (!wanted || unconsumed_ == 0 || on_->lost_) return;
    nghttp2_session_consume(session(), id_, std::exchange(unconsumed_, 0));
    on_->pump();
  }

  const std::string& address() const override { return on_->connection_->address(); }
  std::unique_ptr<Upstream> release() override { return nullptr; }

  // From the session's callbacks; each call of the listener may be this leg's end.

  void add_field(std::string_view name, std::string_view value) { block_.add(name, value); }
  void mark_unsound() { block_.unsound = true; }

  void on_block(bool ended) {
    const auto block = std::exchange(block_, {});
    if (complete_) return;
    touched_ = true;
    if (responding_) {
      auto trailers = read_trailers(block);
      if (!trailers) return malformed(trailers.error());
      return end(*trailers);
    }
    auto head = read_response(block, method_, ended);
    if (!head) return malformed(head.error());
    if (head->status < 200) {
      if (++interim_ > kMaxInterimResponses) return lose("upstream.malformed", "interim responses without end");
      return listener_->on_interim(std::move(*head));
    }
    responding_ = true;
    const auto on = on_;
    const int32_t id = id_;
    listener_->on_head(std::move(*head));
    if (auto* still = on->find(id); still != nullptr && ended) still->end({});
  }

  void on_data(std::string_view bytes) {
    unconsumed_ += bytes.size();
    if (reading_ || complete_) nghttp2_session_consume(session(), id_, std::exchange(unconsumed_, 0));
    if (complete_) return;
    touched_ = true;
    listener_->on_body(bytes);
  }

  void end(const Fields& trailers) {
    if (std::exchange(complete_, true)) return;
    ended_ = true;
    listener_->on_response_end(trailers);
  }

  void on_closed(uint32_t error_code) {
    closed_ = true;
    if (complete_) return;
    const auto reason = fmt::format("the upstream ended the stream: {}", nghttp2_http2_strerror(error_code));
    const auto retry = error_code == NGHTTP2_REFUSED_STREAM ? UpstreamLoss::Retry::always : UpstreamLoss::Retry::never;
    tell_lost({error_code == NGHTTP2_PROTOCOL_ERROR ? "upstream.malformed" : "upstream.closed", reason, retry});
  }

  void on_connection_lost(const std::string& rule, const std::string& reason) {
    closed_ = true;
    const bool stale = reused_ && !responding_ && interim_ == 0;
    tell_lost({rule, reason, stale ? UpstreamLoss::Retry::if_idempotent : UpstreamLoss::Retry::never});
  }

  void tell_pause() {
    if (std::exchange(touched_, false) && !complete_) listener_->on_pause();
  }

  void tell_drained() {
    if (queued() > 0 || !std::exchange(behind_, false) || complete_) return;
    listener_->on_upstream_drained();
  }

  ssize_t next_data(size_t length, uint32_t& flags) {
    const size_t count = std::min(length, output_.size() - sent_);
    if (count == 0 && !finished_) return NGHTTP2_ERR_DEFERRED;
    flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (count < output_.size() - sent_ || !finished_) return static_cast<ssize_t>(count);
    flags |= NGHTTP2_DATA_FLAG_EOF;
    request_ended_ = true;
    if (!end_.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const auto trailers = Http2Fields::trailers(end_);
      const auto view = trailers.view();
      nghttp2_submit_trailer(session(), id_, view.data(), view.size());
    }
    return static_cast<ssize_t>(count);
  }

  void take_data(std::string& wire, size_t length) {
    wire.append(output_, sent_, length);
    sent_ += length;
    if (sent_ == output_.size()) {
      output_.clear();
      sent_ = 0;
    } else if (sent_ >= kCompactBytes) {
      output_.erase(0, std::exchange(sent_, 0));
    }
  }

 private:
  nghttp2_session* session() const { return on_->session_.get(); }
  void resume() {
    nghttp2_session_resume_data(session(), id_);
    on_->pump();
    behind_ = behind_ || queued() > 0;
  }
  void malformed(const Refusal& why) {
    lose("upstream.malformed", fmt::format("the upstream's response is not proper HTTP ({}): {}", why.id, why.reason));
  }
  void lose(std::string rule, std::string reason) { tell_lost({std::move(rule), std::move(reason)}); }
  void tell_lost(const UpstreamLoss& loss) {
    if (!std::exchange(complete_, true)) listener_->on_lost(loss);
  }

  std::shared_ptr<Http2Upstream> on_;
  const bool reused_;  // the connection, by this exchange
  ResponseListener* listener_ = nullptr;
  int32_t id_ = -1;
  std::string method_;
  bool has_body_ = false;
  std::string output_;
  size_t sent_ = 0;  // of output_
  Fields end_;
  bool finished_ = false;       // output_ and end_ are all that follows
  bool request_ended_ = false;  // and they are on their way
  bool behind_ = false;         // not all of output_ went at once

  Http2Block block_;
  int interim_ = 0;
  size_t unconsumed_ = 0;  // came while it was not to be read
  bool reading_ = true;
  bool responding_ = false;  // the final head has come
  bool touched_ = false;     // since the last pause
  bool ended_ = false;       // the response, well
  bool complete_ = false;    // the listener has heard the end
  bool closed_ = false;
};

struct Http2Upstream::Callbacks {
  static Http2Upstream& self(void* user) { return *static_cast<Http2Upstream*>(user); }

  static ssize_t send(nghttp2_session*, const uint8_t* bytes, size_t size, int, void* user) {
    if (self(user).wire_.size() >= kHttp2WriteBytes) return NGHTTP2_ERR_WOULDBLOCK;
    self(user).wire_ += view_of(bytes, size);
    return static_cast<ssize_t>(size);
  }

  static int send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t length, nghttp2_data_source*,
                       void* user) {
    if (self(user).wire_.size() >= kHttp2WriteBytes) return NGHTTP2_ERR_WOULDBLOCK;
    auto* leg = self(user).find(frame->hd.stream_id);
    if (leg == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self(user).wire_ += view_of(head, kHttp2FrameHeadBytes);  // nothing is padded
    leg->take_data(self(user).wire_, length);
    return 0;
  }

  static int field(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                   const uint8_t* value, size_t value_size, uint8_t, void* user) {
    if (auto* leg = self(user).find(frame->hd.stream_id))
      leg->add_field(view_of(name, name_size), view_of(value, value_size));
    return 0;
  }

  static int invalid_field(nghttp2_session*, const nghttp2_frame* frame, const uint8_t*, size_t, const uint8_t*, size_t,
                           uint8_t, void* user) {
    if (auto* leg = self(user).find(frame->hd.stream_id)) leg->mark_unsound();
    return 0;
  }

  static int data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user) {
    if (auto* leg = self(user).find(id)) {
      leg->on_data(view_of(bytes, size));
    } else {
      nghttp2_session_consume_connection(session, size);
    }
    return 0;
  }

  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) self(user).going_away_ = true;
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    auto* leg = self(user).find(frame->hd.stream_id);
    if (leg == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      leg->on_block(ended);
    } else if (frame->hd.type == NGHTTP2_DATA && ended) {
      leg->end({});
    }
    return 0;
  }

  static int closed(nghttp2_session*, int32_t id, uint32_t error_code, void* user) {
    if (auto* leg = self(user).find(id)) leg->on_closed(error_code);
    return 0;
  }

  static void set(nghttp2_session_callbacks* callbacks) {
    nghttp2_session_callbacks_set_send_callback(callbacks, &send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, &send_data);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &field);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, &invalid_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &closed);
  }
};

std::shared_ptr<Http2Upstream> Http2Upstream::create(std::unique_ptr<Upstream> connection) {
  std::shared_ptr<Http2Upstream> upstream(new Http2Upstream(std::move(connection)));
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(kUpstreamStreamWindowBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeadBytes}};
  nghttp2_submit_settings(upstream->session_.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(upstream->session_.get(), NGHTTP2_FLAG_NONE, 0, kUpstreamConnectionWindowBytes);
  upstream->connection_->set_listener(upstream.get());
  upstream->connection_->read(true);
  return upstream;
}

Http2Upstream::Http2Upstream(std::unique_ptr<Upstream> connection)
    : connection_(std::move(connection)),
      session_(make_http2_session(Http2Side::client, &Callbacks::set, this, kMaxUpstreamStreams)) {}

Http2Upstream::~Http2Upstream() { connection_->set_listener(nullptr); }

bool Http2Upstream::usable() const {
  const size_t allowed =
      std::min<size_t>(kMaxUpstreamStreams,
                       nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
  return !lost_ && !going_away_ && legs_ < allowed && nghttp2_session_check_request_allowed(session_.get()) != 0;
}

std::unique_ptr<UpstreamLeg> Http2Upstream::open_leg() {
  if (!usable()) return nullptr;
  return std::make_unique<Leg>(shared_from_this());
}

Http2Upstream::Leg* Http2Upstream::find(int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void Http2Upstream::pump() {
  if (receiving_ || sending_ || lost_) return;
  sending_ = true;
  while (connection_->queued() <= kMaxSocketBytes) {
    if (nghttp2_session_send(session_.get()) != 0 || wire_.empty()) break;
    connection_->send(wire_);
    wire_.clear();
  }
  sending_ = false;
}

template <class Call>
void Http2Upstream::each(Call call) {
  std::vector<int32_t> ids;
  for (const auto& [id, leg] : streams_) ids.push_back(id);
  for (const int32_t id : ids) {
    if (auto* leg = find(id)) call(*leg);
  }
}

void Http2Upstream::on_upstream_bytes(std::string_view bytes) {
  const auto alive = shared_from_this();
  receiving_ = true;
  const auto taken =
      nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  if (taken < 0) {
    return lose_all("upstream.malformed", fmt::format("the upstream breaks the rules of HTTP/2: {}",
                                                      nghttp2_strerror(static_cast<int>(taken))));
  }
  pump();
  each([](Leg& leg) { leg.tell_pause(); });
  each([](Leg& leg) { leg.tell_drained(); });
  if (!nghttp2_session_want_read(session_.get()) && !nghttp2_session_want_write(session_.get())) {
    lose_all("upstream.closed", "the upstream's connection came to its end");
  }
}

void Http2Upstream::on_upstream_end(bool) { lose_all("upstream.closed", "the upstream closed the connection"); }

void Http2Upstream::on_upstream_error(const Error& error) { lose_all("upstream.closed", error.message()); }

void Http2Upstream::on_upstream_drained() {
  const auto alive = shared_from_this();
  pump();
  each([](Leg& leg) { leg.tell_drained(); });
}

void Http2Upstream::lose_all(const std::string& rule, const std::string& reason) {
  const auto alive = shared_from_this();
  lost_ = true;
  connection_->read(false);
  each([&](Leg& leg) { leg.on_connection_lost(rule, reason); });
}

}  // namespace gatehouse::proxy
