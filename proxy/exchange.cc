#include "proxy/exchange.h"

#include <cassert>

#include "common/base/uuid.h"

namespace gatehouse::proxy {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

constexpr int kForbidden = 403;
constexpr int kBadGateway = 502;
constexpr int kUnavailable = 503;
constexpr int kGatewayTimeout = 504;

bool has_body(const RequestHead& head) {
  return head.framing.kind == Framing::Kind::chunked ||
         (head.framing.kind == Framing::Kind::length && head.framing.length > 0);
}

// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace

Exchange::Exchange(Outside& outside, ExchangeOwner& owner, const policy::Policy& policy, const Origin& origin)
    : outside_(outside), owner_(owner), policy_(policy), origin_(origin), began_(steady_clock::now()) {
  event_.event_id = make_uuid();
  event_.trace_id = event_.event_id;
  event_.channel = channel_of(origin);
  event_.address = origin.address;
  event_.host = origin.name.value_or("");
  event_.port = origin.port;
  event_.sni = origin.sni;
}

Exchange::~Exchange() { abort("the connection to the guest was closed"); }

void Exchange::start(const RequestHead& head) {
  head_ = head;
  head_.port = target_port(origin_, head_);
  target_ = Target{head_.scheme, head_.host, head_.port};
  event_.host = head_.host;
  event_.port = head_.port;
  event_.method = head_.method;
  event_.path = without_query(head_.path);
  reader_ = std::make_unique<ResponseReader>(head_.method);
  auto decision = judge_request(policy_, origin_, head);
  const bool temporary = decision.rule_id == "dns.unavailable";
  record(std::move(decision), temporary ? kUnavailable : kForbidden);
}

void Exchange::refuse(const Refusal& refusal) {
  head_.keep_alive = false;
  record({Verdict::deny, std::string(refusal.id), refusal.reason}, refusal.status);
}

void Exchange::record(Decision decision, int refusal_status) {
  event_.decision = std::move(decision);
  refusal_status_ = refusal_status;
  outside_.set_deadline(kExchangeIdleTimeout);
  outside_.commit(event_, [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
    if (!alive.expired()) on_recorded(committed);
  });
}

void Exchange::on_recorded(const Result<void>& committed) {
  if (!committed) {
    answer({kUnavailable, "audit.unavailable", "the audit log cannot be written, so nothing is let through", ""});
    return;
  }
  const auto& decision = event_.decision;
  if (!decision.allowed()) {
    answer({refusal_status_, decision.rule_id, decision.reason, event_.event_id});
    return;
  }
  recorded_ = true;
  upstream_ = outside_.take(target_);
  if (upstream_ != nullptr) return forward();
  open();
}

void Exchange::open() {
  outside_.open(target_, [this, alive = std::weak_ptr(alive_)](Opened opened) {
    if (!alive.expired()) on_opened(std::move(opened));
  });
}

void Exchange::on_opened(Opened opened) {
  if (opened) {
    upstream_ = std::move(*opened);
    forward();
    return;
  }
  const auto& failure = opened.error();
  result_.upstream_address = failure.address;
  if (!failure.denied) return fail(failure.status, failure.rule, failure.reason);
  // The name was allowed, its address is not: a verdict of its own, on the same trace.
  finish(failure.denied->reason);
  event_.event_id = make_uuid();
  event_.detail = "the host's address: " + failure.address;
  record(*failure.denied, kForbidden);
}

void Exchange::forward() {
  result_.upstream_address = upstream_->address();
  upstream_->set_listener(this);
  upstream_->send(serialize_request_head(head_, false));
  upstream_->read(true);
  progress();
  if (!request_complete_) owner_.want_request(true);
}

void Exchange::on_request_body(std::string_view bytes) {
  assert(forwarding());
  body_forwarded_ = true;
  result_.bytes_out += bytes.size();
  if (head_.framing.kind == Framing::Kind::chunked) {
    std::string chunk;
    append_chunk(chunk, bytes);
    upstream_->send(chunk);
  } else {
    upstream_->send(bytes);
  }
  progress();
  if (upstream_->queued() > kMaxQueuedBytes) owner_.want_request(false);
}

void Exchange::on_request_complete(const Fields& trailers) {
  assert(forwarding());
  if (head_.framing.kind == Framing::Kind::chunked) {
    body_forwarded_ = true;
    upstream_->send(serialize_last_chunk(trailers));
  }
  request_complete_ = true;
  progress();
}

void Exchange::on_request_broken(const Refusal& refusal) {
  upstream_.reset();
  finish(refusal.reason);
  if (response_begun_) return owner_.exchange_cut();
  event_.event_id = make_uuid();
  head_.keep_alive = false;
  record({Verdict::deny, std::string(refusal.id), refusal.reason}, refusal.status);
}

void Exchange::on_upstream_bytes(std::string_view bytes) {
  progress();
  for (;;) {
    const auto event = reader_->feed(bytes);
    if (!event) {
      return fail(
          kBadGateway, "upstream.malformed",
          fmt::format("the upstream's response is not proper HTTP ({}): {}", event.error().id, event.error().reason));
    }
    bytes.remove_prefix(event->consumed);
    if (event->kind == ReadEvent::Kind::need_more) break;
    if (!on_response(*event, !bytes.empty())) return;
  }
  flush();
  if (outside_.queued() > kMaxQueuedBytes) upstream_->read(false);
}

bool Exchange::on_response(const ReadEvent& event, bool more_follows) {
  switch (event.kind) {
    case ReadEvent::Kind::need_more:
      return true;
    case ReadEvent::Kind::interim:
      if (head_.minor_version >= 1) relayed_ += serialize_interim_head(reader_->head());
      return true;
    case ReadEvent::Kind::head:
      return relay_head();
    case ReadEvent::Kind::body:
      relay_body(event.body);
      return true;
    case ReadEvent::Kind::complete:
      complete(!more_follows && request_complete_ && reader_->head().keep_alive);
      return false;
  }
  return true;
}

bool Exchange::relay_head() {
  const auto& response = reader_->head();
  if (response.status < 200) {
    fail(kBadGateway, "upstream.upgrade", "the upstream changed the protocol without being asked to");
    return false;
  }
  guest_framing_ = framing_for_guest(head_, response);
  // An early answer to a request still being sent: what is left of it cannot be told from a next request.
  close_after_ = !head_.keep_alive || guest_framing_.kind == Framing::Kind::until_close || !request_complete_;
  response_begun_ = true;
  result_.status = response.status;
  relayed_ += serialize_response_head(response, guest_framing_, close_after_);
  return true;
}

void Exchange::relay_body(std::string_view bytes) {
  result_.bytes_in += bytes.size();
  if (guest_framing_.kind == Framing::Kind::chunked) {
    append_chunk(relayed_, bytes);
  } else {
    relayed_ += bytes;
  }
}

void Exchange::complete(bool upstream_reusable) {
  if (guest_framing_.kind == Framing::Kind::chunked) relayed_ += serialize_last_chunk(reader_->trailers());
  flush();
  auto upstream = std::move(upstream_);
  upstream->set_listener(nullptr);
  if (upstream_reusable) outside_.keep(target_, std::move(upstream));
  finish("");
  owner_.exchange_over(!close_after_);
}

void Exchange::on_upstream_end(bool clean) {
  if (!may_retry()) {
    const auto event = reader_->finish();
    if (event && event->kind == ReadEvent::Kind::complete && clean) return complete(false);
  }
  upstream_lost("the upstream closed the connection before its response was complete");
}

void Exchange::on_upstream_error(const Error& error) { upstream_lost(error.message()); }

void Exchange::on_upstream_drained() {
  progress();
  if (!request_complete_) owner_.want_request(true);
}

void Exchange::upstream_lost(const std::string& reason) {
  if (!may_retry()) return fail(kBadGateway, "upstream.closed", reason);
  retried_ = true;
  upstream_.reset();
  owner_.want_request(false);
  open();
}

// A kept connection may be closed by its other end at any time. What may have been acted upon is not sent twice (RFC
// 9112 section 9.3.1): a request whose body has not begun cannot have been.
bool Exchange::may_retry() const {
  return upstream_->reused() && !retried_ && reader_->idle() && !body_forwarded_ &&
         (is_idempotent(head_.method) || has_body(head_));
}

void Exchange::on_guest_drained() {
  if (upstream_ == nullptr) return;
  progress();
  upstream_->read(true);
}

void Exchange::on_deadline() {
  if (!recorded_) {
    return answer({kUnavailable, "audit.unavailable", "the audit log does not answer, so nothing is let through", ""});
  }
  fail(kGatewayTimeout, "upstream.timeout", "no byte has moved for too long");
}

void Exchange::abort(std::string_view why) {
  outside_.abandon_open();
  upstream_.reset();
  finish(why);
}

void Exchange::fail(int status, const std::string& rule, const std::string& reason) {
  outside_.abandon_open();
  upstream_.reset();
  if (response_begun_) {
    flush();
    finish(reason);
    return owner_.exchange_cut();
  }
  result_.status = status;
  const auto event_id = event_.event_id;
  finish(rule + ": " + reason);
  answer({status, rule, reason, event_id});
}

void Exchange::answer(const Denial& denial) {
  alive_ = std::make_shared<bool>(true);  // a late commit finds nobody
  flush();                                // an interim response may be waiting
  const bool close = !head_.keep_alive || (has_body(head_) && !request_complete_);
  owner_.send_plain(denial_response(denial, {.head_request = head_.method == "HEAD", .close = close}));
  owner_.exchange_over(!close);
}

void Exchange::finish(std::string_view error) {
  if (!recorded_) return;
  recorded_ = false;
  result_.event_id = event_.event_id;
  result_.trace_id = event_.trace_id;
  result_.error = error;
  result_.duration_us = static_cast<uint64_t>(duration_cast<microseconds>(steady_clock::now() - began_).count());
  outside_.note(result_);
}

void Exchange::flush() {
  if (!relayed_.empty()) owner_.send_plain(relayed_);
  relayed_.clear();
}

void Exchange::progress() {
  const bool waiting = request_complete_ && !response_begun_;
  outside_.set_deadline(waiting ? kFirstByteTimeout : kExchangeIdleTimeout);
}

}  // namespace gatehouse::proxy
