#include "proxy/guest_http1.h"

#include <utility>

namespace gatehouse::proxy {

Http1Guest::Http1Guest(Outside& outside, GuestConnection& connection, const Origin& origin, bool may_tunnel)
    : outside_(outside),
      connection_(connection),
      origin_(origin),
      may_tunnel_(may_tunnel),
      reader_(origin.tls ? Scheme::https : Scheme::http) {}

Http1Guest::~Http1Guest() = default;

void Http1Guest::on_bytes(std::string& bytes) {
  if (input_.empty()) {
    input_.swap(bytes);
  } else {
    input_ += bytes;
    bytes.clear();
  }
  process();
}

void Http1Guest::process() {
  const bool within = std::exchange(processing_, true);
  bool more = true;
  while (more && state_ != State::over) {
    more = state_ == State::exchanging ? feed_exchange() : answers_are_taken() && read_request();
  }
  processing_ = within;
  if (state_ == State::over) return;
  input_.erase(0, std::exchange(consumed_, 0));
  if (!wants_bytes()) connection_.read(false);
}

// Who asks and never reads the answers is asked to wait: an answer is longer than the request that causes it, and all
// of them would be kept here. While an exchange waits or runs its guest is read on, within limits, so that a broken
// connection is noticed.
bool Http1Guest::wants_bytes() const {
  return state_ == State::exchanging ? input_.size() <= kMaxAheadBytes : answers_are_taken();
}

void Http1Guest::await_request() {
  state_ = State::request;
  head_begun_ = false;
  request_done_ = false;
  request_wanted_ = false;
  connection_.set_deadline(kKeepAliveTimeout);
}

bool Http1Guest::read_request() {
  const auto event = reader_.feed(input());
  if (!event) {
    refuse_request(event.error());
    return false;
  }
  consumed_ += event->consumed;
  if (event->kind == ReadEvent::Kind::head) {
    const auto& head = reader_.head();
    if (may_tunnel_ && head.form == RequestHead::Form::authority) {
      state_ = State::over;
      connection_.start_tunnel(head, std::string(input()));
      return false;
    }
    begin_exchange();
    exchange_->start(head);
    return true;
  }
  if (!head_begun_ && !reader_.idle()) {
    head_begun_ = true;
    connection_.set_deadline(outside_.generation()->policy.limits().head_time);
  }
  if (!guest_ended_) return false;
  const auto finished = reader_.finish();
  if (!finished) {
    refuse_request(finished.error());
  } else if (judged_one_) {
    end_output();
  } else {
    state_ = State::over;
    connection_.refuse_connection("protocol.silent", "the connection was closed before it sent a request");
  }
  return false;
}

void Http1Guest::begin_exchange() {
  state_ = State::exchanging;
  judged_one_ = true;
  exchange_ = std::make_unique<Exchange>(outside_, static_cast<GuestLeg&>(*this), origin_);
}

void Http1Guest::refuse_request(const Refusal& refusal) {
  begin_exchange();
  request_done_ = true;
  refused_ = true;
  exchange_->refuse(refusal);
}

bool Http1Guest::feed_raw() {
  if (!request_wanted_) return false;
  if (input().empty()) {
    if (guest_ended_ && !std::exchange(end_told_, true)) exchange_->on_request_complete({});
    return false;
  }
  const std::string bytes(input());
  consumed_ = input_.size();
  exchange_->on_request_body(bytes);
  return true;
}

bool Http1Guest::feed_exchange() {
  if (raw_) return feed_raw();
  if (!request_wanted_ || request_done_) return false;
  const auto event = reader_.feed(input());
  if (!event) {
    request_done_ = true;
    refused_ = true;
    exchange_->on_request_broken(event.error());
    return false;
  }
  consumed_ += event->consumed;
  switch (event->kind) {
    case ReadEvent::Kind::body:
      exchange_->on_request_body(event->body);
      return true;
    case ReadEvent::Kind::complete:
      request_done_ = true;
      exchange_->on_request_complete(reader_.trailers());
      return true;
    default:
      break;
  }
  if (guest_ended_) {
    exchange_->abort("the guest closed the connection within its request");
    state_ = State::over;
    connection_.close(false);
  }
  return false;
}

void Http1Guest::want_request(bool wanted) {
  request_wanted_ = wanted;
  if (!wanted || processing_) return;
  process();
  if (state_ != State::over && wants_bytes()) connection_.read(true);
}

void Http1Guest::on_end() {
  guest_ended_ = true;
  process();
}

void Http1Guest::on_drained() {
  if (exchange_) exchange_->on_guest_drained();
  if (state_ == State::request) process();
  if (state_ != State::over) connection_.read(wants_bytes());
}

void Http1Guest::on_deadline() {
  if (state_ == State::exchanging) return exchange_->on_deadline();
  if (head_begun_) return refuse_request({"http.timeout", 408, "the request's head did not come in time"});
  if (judged_one_) return end_output();
  state_ = State::over;
  connection_.refuse_connection("protocol.silent", "no request was sent in time");
}

void Http1Guest::abort(std::string_view why) {
  state_ = State::over;
  if (exchange_) exchange_->abort(why);
}

// The response.

void Http1Guest::send_interim(const ResponseHead& head) {
  if (reader_.head().minor_version >= 1) output_ += serialize_interim_head(head);
}

void Http1Guest::send_head(const ResponseHead& head) {
  if (head.status == 101) {
    raw_ = true;
    close_after_ = true;
    framing_ = {};
    output_ += serialize_websocket_head(head);
    return;
  }
  framing_ = framing_for_guest(reader_.head(), head);
  // An early answer to a request still being sent: what is left of it cannot be told from a next request.
  close_after_ = !reader_.head().keep_alive || framing_.kind == Framing::Kind::until_close || !request_done_;
  output_ += serialize_response_head(head, framing_, close_after_);
}

void Http1Guest::send_body(std::string_view bytes) {
  if (framing_.kind == Framing::Kind::chunked) {
    append_chunk(output_, bytes);
  } else {
    output_ += bytes;
  }
}

void Http1Guest::send_end(const Fields& trailers) {
  if (framing_.kind == Framing::Kind::chunked) output_ += serialize_last_chunk(trailers);
}

void Http1Guest::send_denial(const Denial& denial) {
  const auto& head = reader_.head();
  close_after_ = refused_ || !head.keep_alive || (has_body(head) && !request_done_);
  output_ += denial_response(denial, {.head_request = head.method == "HEAD", .close = close_after_});
}

void Http1Guest::flush() {
  if (output_.empty()) return;
  connection_.send(output_);
  output_.clear();
}

void Http1Guest::over() {
  exchange_.reset();
  if (close_after_) return end_output();
  if (!request_done_) (void)reader_.feed({});  // it has no body: this completes it
  reader_.next_message();
  await_request();
  connection_.read(true);
  if (!processing_) process();
}

void Http1Guest::cut() {
  state_ = State::over;
  connection_.close(true);
}

void Http1Guest::end_output() {
  state_ = State::over;
  connection_.end_output();
}

}  // namespace gatehouse::proxy
