// The response's half of an exchange.
#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {
constexpr int kBadGateway = 502;
constexpr int kUnavailable = 503;
}  // namespace

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
  if (!guest_keeps_up()) upstream_->read(false);
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
      complete(!more_follows && forward_complete_ && reader_->head().keep_alive);
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
  if (forward_complete_) request_.reset();  // it will not be sent again
  guest_framing_ = framing_for_guest(head_, response);
  // An early answer to a request still being sent: what is left of it cannot be told from a next request.
  close_after_ = !head_.keep_alive || guest_framing_.kind == Framing::Kind::until_close || !request_complete_;
  head_relayed_ = true;
  record_.result().status = response.status;
  relayed_ += serialize_response_head(response, guest_framing_, close_after_);
  const auto* with = outside_.inspection();
  if (with != nullptr && is_scanned(response)) {
    response_ = std::make_unique<ResponseInspection>(with->scanner, scan_stream(dlp::Direction::in), response,
                                                     static_cast<ResponseInspection::Owner&>(*this));
  } else {
    head_sent_ = true;
  }
  return true;
}

void Exchange::relay_body(std::string_view bytes) {
  record_.result().bytes_in += bytes.size();
  if (response_) response_->show(bytes);
  if (guest_framing_.kind == Framing::Kind::chunked) {
    append_chunk(relayed_, bytes);
  } else {
    relayed_ += bytes;
  }
}

void Exchange::complete(bool upstream_reusable) {
  if (guest_framing_.kind == Framing::Kind::chunked) relayed_ += serialize_last_chunk(reader_->trailers());
  auto upstream = std::move(upstream_);
  upstream->set_listener(nullptr);
  if (upstream_reusable) outside_.keep(target_, std::move(upstream));
  if (response_) return response_->finish(reader_->trailers(), std::exchange(relayed_, {}));
  flush();
  conclude();
}

void Exchange::conclude() {
  phase_ = Phase::over;
  finish("");
  owner_.exchange_over(!close_after_);
}

void Exchange::on_passed(std::string_view wire, const std::vector<dlp::Finding>& findings, bool last) {
  record_.note(findings, dlp::Direction::in);
  head_sent_ = true;
  progress();
  owner_.send_plain(wire);
  if (last) return conclude();
  if (upstream_ != nullptr && guest_keeps_up()) upstream_->read(true);
}

void Exchange::on_stopped(const ScanOutcome& outcome) {
  const Decision denial = outcome.denial;
  if (outcome.findings.empty()) return fail(kUnavailable, denial.rule_id, denial.reason);
  const auto findings = outcome.findings;
  upstream_.reset();
  request_.reset();
  response_.reset();
  relayed_.clear();
  if (!head_sent_) record_.result().status = kBadGateway;
  finish(denial.rule_id + ": " + denial.reason);
  // The request was allowed, its answer is not: a verdict of its own, on the same trace.
  record_.begin_another();
  if (!head_sent_) return record(denial, outcome.status, findings, dlp::Direction::in);
  phase_ = Phase::over;
  record_.note(denial, findings, dlp::Direction::in);
  owner_.exchange_cut();
}

void Exchange::on_upstream_end(bool clean) {
  if (!may_retry()) {
    const auto event = reader_->finish();
    if (event && event->kind == ReadEvent::Kind::complete && clean) return complete(false);
  }
  upstream_lost("the upstream closed the connection before its response was complete");
}

void Exchange::on_upstream_error(const Error& error) { upstream_lost(error.message()); }

void Exchange::on_guest_drained() {
  if (upstream_ == nullptr) return;
  progress();
  if (guest_keeps_up()) upstream_->read(true);
}

// What is on its way to the guest, with what the scanner has not judged yet.
bool Exchange::guest_keeps_up() const {
  return outside_.queued() + (response_ ? response_->queued() : 0) <= kMaxQueuedBytes;
}

void Exchange::flush() {
  if (relayed_.empty()) return;
  if (response_) return response_->hold(std::exchange(relayed_, {}));
  owner_.send_plain(relayed_);
  relayed_.clear();
}

}  // namespace gatehouse::proxy
