// The request's way to the upstream, once its rows are committed.
#include <cassert>

#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {

constexpr int kForbidden = 403;
constexpr int kBadGateway = 502;
constexpr int kUnavailable = 503;

// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace

void Exchange::prepare_head() {
  credentials_.put_in(head_);
  if (!bearer_.empty()) {
    std::erase_if(head_.fields, [](const Field& field) { return same_cgi_name(field.name, "Authorization"); });
    head_.fields.push_back({"Authorization", fmt::format("Bearer {}", bearer_.view())});
  }
  restorer_ = credentials_.restorer();
  if (git_) git_->prepare(head_);
}

void Exchange::open() {
  opening_ = outside_.open(target_, [this, alive = std::weak_ptr(alive_)](Opened opened) {
    if (!alive.expired()) on_opened(std::move(opened));
  });
}

void Exchange::on_opened(Opened opened) {
  const auto finished = std::move(opening_);  // it is what calls
  if (opened) {
    upstream_ = std::move(*opened);
    return forward();
  }
  const auto& failure = opened.error();
  record_.result().upstream_address = failure.address;
  if (!failure.denied) return fail(failure.status, failure.rule, failure.reason);
  // The name was allowed, its address is not: a verdict of its own, on the same trace.
  finish(failure.denied->reason);
  request_.reset();
  call_messages_.reset();
  record_.begin_another();
  record_.set_detail("the host's address: " + failure.address);
  record(*failure.denied, kForbidden);
}

void Exchange::forward() {
  record_.result().upstream_address = upstream_->address();
  upstream_->send_head(head_, *this);
  if (auto* telemetry = outside_.telemetry()) {
    call_ = ModelCallReader::begin(*telemetry, {.method = head_.method,
                                                .path = head_.path,
                                                .host = record_.stream(dlp::Direction::out).host,
                                                .content_encoding = joined_values(head_.fields, "Content-Encoding"),
                                                .event_id = record_.event_id(),
                                                .trace_id = record_.stream(dlp::Direction::out).trace_id});
  }
  if (!request_complete_) began_ = std::chrono::steady_clock::now();
  progress();
  if (call_messages_) return call_messages_->open();
  if (request_) return forward_held();
  if (!request_complete_) guest_.want_request(true);
}

void Exchange::forward_held() {
  while (forwarded_ < request_->body().size()) {
    if (upstream_->queued() > kMaxQueuedBytes) return;  // goes on when it has drained
    const auto piece = request_->body().read(forwarded_);
    if (!piece) return fail(kUnavailable, "dlp.unavailable", piece.error().message());
    const uint64_t end = forwarded_ + piece->size();
    if (end > paid_ && !pay(end - std::exchange(paid_, end), 0)) return;
    forward_body(*piece);
  }
  forward_end(request_->trailers());
}

void Exchange::forward_body(std::string_view bytes) {
  forwarded_ += bytes.size();
  record_.result().bytes_out = forwarded_;
  upstream_->send_body(bytes);
  if (call_) call_->request_body(bytes);
  progress();
}

void Exchange::forward_end(const Fields& trailers) {
  upstream_->send_end(trailers);
  if (call_) call_->request_end(ModelCallReader::Moment::clock::now());
  forward_complete_ = true;
  began_ = std::chrono::steady_clock::now();
  progress();
}

void Exchange::on_upstream_drained() {
  if (relay_) return relay_->on_upstream_drained();
  progress();
  if (forward_complete_) return;
  if (call_messages_) return call_messages_->on_drained();
  if (request_) return forward_held();
  guest_.want_request(true);
}

// What may have been acted upon is not sent twice: a request whose body has not begun cannot have been, and one that is
// idempotent may be.
bool Exchange::may_retry(const UpstreamLoss& loss) const {
  if (retried_ || responding_ || loss.retry == UpstreamLoss::Retry::never) return false;
  const bool begun = forwarded_ > 0 || (has_body(head_) && forward_complete_);
  const bool still_here =
      !begun || request_ != nullptr || (call_messages_ != nullptr && call_messages_->may_pass_again());
  if (loss.retry == UpstreamLoss::Retry::always || is_idempotent(head_.method)) return still_here;
  return has_body(head_) && !begun;
}

void Exchange::on_lost(const UpstreamLoss& loss) {
  if (relay_) {
    const auto upstream = std::move(upstream_);  // it is what calls
    return relay_->on_upstream_end(loss.reason);
  }
  if (!may_retry(loss)) return fail(kBadGateway, loss.rule, loss.reason);
  retried_ = true;
  forwarded_ = 0;
  forward_complete_ = false;
  record_.result().bytes_out = 0;
  upstream_.reset();
  if (call_messages_) {
    call_messages_->rewind();
  } else {
    guest_.want_request(false);
  }
  open();
}

}  // namespace gatehouse::proxy
