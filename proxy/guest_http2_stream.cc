#include "proxy/guest_http2_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gatehouse::proxy {

namespace {
constexpr size_t kCompactBytes = 64 * 1024;
}  // namespace

Http2GuestStream::Http2GuestStream(Http2StreamOwner& owner, int32_t id, std::chrono::milliseconds head_timeout)
    : owner_(owner), id_(id) {
  set_deadline(head_timeout);
}

Http2GuestStream::~Http2GuestStream() = default;

void Http2GuestStream::begin() {
  begun_ = true;
  exchange_ = owner_.make_exchange(*this);
}

void Http2GuestStream::on_block(bool ended) {
  const auto block = std::exchange(block_, {});
  if (!begun_) {
    head_request_ = block.method == "HEAD";
    const auto head = read_request(block, owner_.scheme(), ended);
    begin();
    if (head) {
      grpc_ = is_grpc(*head);
      tunnel_ = head->extended_connect ? Tunnel::asked : Tunnel::none;
      exchange_->start(*head);
    } else {
      exchange_->refuse(head.error());
    }
  } else if (exchange_) {
    auto trailers = read_trailers(block);
    if (!trailers) return exchange_->on_request_broken(trailers.error());
    trailers_ = std::move(*trailers);
  }
  if (ended) on_end();
}

void Http2GuestStream::on_malformed(std::string_view why) {
  if (begun_) return;  // the stream's end tells the exchange
  begin();
  exchange_->refuse({"http2.malformed", 400, fmt::format("the request breaks the rules of HTTP/2: {}", why)});
}

void Http2GuestStream::on_data(std::string_view bytes) {
  if (!exchange_) {
    discarded_ += bytes.size();
    // RFC 9113 section 8.1. Not at once: many a client (curl 7.88) loses the answer by it.
    if (discarded_ > kMaxDiscardedBytes) reset(NGHTTP2_NO_ERROR);
    return consume(bytes.size());
  }
  if (!wanted_ || delivering_ || !ahead_.empty() || tunnel_ == Tunnel::asked) {
    ahead_ += bytes;
    return;
  }
  exchange_->on_request_body(bytes);
  consume(bytes.size());
}

void Http2GuestStream::on_end() {
  ended_ = true;
  deliver();
}

// What has come, as long as it is wanted; then the end.
void Http2GuestStream::deliver() {
  if (delivering_) return;
  // What opens a tunnel is a request without body; what comes then waits for the answer.
  if (tunnel_ == Tunnel::asked) {
    if (exchange_ && std::exchange(wanted_, false) && !std::exchange(told_opening_, true)) {
      exchange_->on_request_complete({});
    }
    return;
  }
  delivering_ = true;
  while (exchange_ && wanted_ && !ahead_.empty()) {
    const auto bytes = std::exchange(ahead_, {});
    exchange_->on_request_body(bytes);
    consume(bytes.size());
  }
  delivering_ = false;
  if (!exchange_ || !wanted_ || !ended_ || std::exchange(told_ended_, true)) return;
  exchange_->on_request_complete(trailers_);
}

// Opens the windows again by what has been taken; the connection's also when the stream is gone.
void Http2GuestStream::consume(size_t bytes) {
  if (bytes > 0) nghttp2_session_consume(owner_.session(), id_, bytes);
}

void Http2GuestStream::on_closed(uint32_t error_code, bool safe) {
  closed_ = true;
  consume(std::exchange(ahead_, {}).size());
  // Otherwise what the exchange says goes nowhere until it has come to its end.
  if (safe && exchange_) {
    abort(fmt::format("the stream ended with {}", nghttp2_http2_strerror(error_code)));
  }
}

void Http2GuestStream::abort(std::string_view why) {
  if (!exchange_) return;
  exchange_->abort(why);
  exchange_.reset();
}

void Http2GuestStream::on_deadline() {
  if (exchange_) return exchange_->on_deadline();
  if (!begun_) return owner_.on_late_head();
  // The guest does not take its answer, or has not finished its request.
  reset(queued() == 0 ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
  owner_.pump();
}

void Http2GuestStream::tell_drained() {
  if (!behind_ || queued() > kMaxQueuedBytes / 2) return;
  behind_ = false;
  if (exchange_) exchange_->on_guest_drained();
}

// The response.

ssize_t Http2GuestStream::next_data(size_t length, uint32_t& flags) {
  const size_t count = std::min(length, output_.size() - sent_);
  if (count == 0 && !finished_) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (count < output_.size() - sent_ || !finished_) return static_cast<ssize_t>(count);
  flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!end_.empty()) {
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const auto trailers = Http2Fields::trailers(end_);
    const auto view = trailers.view();
    nghttp2_submit_trailer(owner_.session(), id_, view.data(), view.size());
  }
  return static_cast<ssize_t>(count);
}

void Http2GuestStream::take_data(std::string& wire, size_t length) {
  wire.append(output_, sent_, length);
  sent_ += length;
  if (sent_ == output_.size()) {
    output_.clear();
    sent_ = 0;
  } else if (sent_ >= kCompactBytes) {
    output_.erase(0, std::exchange(sent_, 0));
  }
}

void Http2GuestStream::submit_response(const Http2Fields& head, bool with_body) {
  if (closed_) return;
  const auto view = head.view();
  nghttp2_data_provider provider;
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                              nghttp2_data_source* source,
                              void*) { return static_cast<Http2GuestStream*>(source->ptr)->next_data(length, *flags); };
  nghttp2_submit_response(owner_.session(), id_, view.data(), view.size(), with_body ? &provider : nullptr);
}

void Http2GuestStream::send_interim(const ResponseHead& head) {
  if (closed_) return;
  const auto fields = Http2Fields::response(head);
  const auto view = fields.view();
  nghttp2_submit_headers(owner_.session(), NGHTTP2_FLAG_NONE, id_, nullptr, view.data(), view.size(), nullptr);
}

void Http2GuestStream::send_head(const ResponseHead& head) {
  const bool opens = tunnel_ == Tunnel::asked && head.status == 101;
  if (opens) tunnel_ = Tunnel::open;
  submit_response(Http2Fields::response(head), opens || head.framing.kind != Framing::Kind::none);
}

void Http2GuestStream::send_body(std::string_view bytes) {
  if (!closed_) output_ += bytes;
}

void Http2GuestStream::send_end(const Fields& trailers) {
  end_ = trailers;
  keep_end_to_end(end_);
  finished_ = true;
}

void Http2GuestStream::send_denial(const Denial& denial) {
  if (grpc_) {
    submit_response(Http2Fields::grpc_denial(denial), false);
    return send_end({});
  }
  const auto body = problem_document(denial);
  submit_response(Http2Fields::denial(denial, body.size()), !head_request_);
  if (!head_request_) send_body(body);
  send_end({});
}

void Http2GuestStream::flush() {
  if (closed_) return;
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(owner_.session(), id_);
  owner_.pump();
  behind_ = behind_ || queued() > 0;
}

void Http2GuestStream::want_request(bool wanted) {
  wanted_ = wanted;
  if (!wanted) return;
  deliver();
  owner_.pump();
}

void Http2GuestStream::set_deadline(std::chrono::milliseconds after) {
  deadline_ = Clock::now() + after;
  owner_.arm(deadline_);
}

void Http2GuestStream::over() {
  exchange_.reset();
  consume(std::exchange(ahead_, {}).size());
  if (!closed_)
    set_deadline(queued() == 0 ? kDiscardTimeout : kExchangeIdleTimeout);  // for what is left on either side
}

void Http2GuestStream::reset(uint32_t error_code) {
  deadline_ = Clock::time_point::max();
  nghttp2_submit_rst_stream(owner_.session(), NGHTTP2_FLAG_NONE, id_, error_code);
}

void Http2GuestStream::cut() {
  exchange_.reset();
  if (closed_) return;
  reset(NGHTTP2_INTERNAL_ERROR);
  owner_.pump();
}

}  // namespace gatehouse::proxy
