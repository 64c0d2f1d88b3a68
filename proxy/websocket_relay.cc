#include "proxy/websocket_relay.h"

namespace gatehouse::proxy {

namespace {
constexpr int kUnavailable = 503;
}

WebSocketRelay::WebSocketRelay(GuestLeg& guest, UpstreamLeg& upstream, ExchangeRecord& record, Setting setting)
    : guest_(guest),
      upstream_(&upstream),
      record_(record),
      idle_time_(setting.idle_time),
      on_over_(std::move(setting.on_over)),
      from_guest_(static_cast<MessageGate::Owner&>(*this), record, std::move(setting.from_guest)),
      from_upstream_(static_cast<MessageGate::Owner&>(*this), record, std::move(setting.from_upstream)) {
  progress();
}

void WebSocketRelay::progress() {
  const bool closing = guest_closed_ || upstream_closed_;
  guest_.set_deadline(closing ? kWebSocketCloseTimeout : idle_time_);
}

void WebSocketRelay::on_guest_bytes(std::string_view bytes) {
  if (stopped_) return;
  progress();
  from_guest_.take(bytes);
}

// What it has said is still to pass; likewise below.
void WebSocketRelay::on_guest_end() {
  guest_ended_ = true;
  if (!stopped_ && from_guest_.idle()) on_idle(dlp::Direction::out);
}

void WebSocketRelay::on_upstream_bytes(std::string_view bytes) {
  if (stopped_) return;
  progress();
  from_upstream_.take(bytes);
}

void WebSocketRelay::on_upstream_end(std::string_view error) {
  upstream_ = nullptr;
  upstream_error_ = error;
  if (!stopped_ && from_upstream_.idle()) on_idle(dlp::Direction::in);
}

void WebSocketRelay::on_deadline() {
  if (stopped_) return on_over_("the audit log does not answer");
  close(kCloseGoingAway, "nothing was said for too long", kCloseGoingAway, "nothing was said for too long");
}

void WebSocketRelay::pass(dlp::Direction direction, std::string_view wire) {
  progress();
  if (direction == dlp::Direction::in) {
    record_.result().bytes_in += wire.size();
    guest_.send_body(wire);
    guest_.flush();
  } else if (upstream_ != nullptr) {
    record_.result().bytes_out += wire.size();
    upstream_->send_body(wire);
  }
}

size_t WebSocketRelay::pass_queued(dlp::Direction direction) const {
  if (direction == dlp::Direction::in) return guest_.queued();
  return upstream_ == nullptr ? 0 : upstream_->queued();
}

void WebSocketRelay::want(dlp::Direction direction, bool wanted) {
  if (direction == dlp::Direction::out) {
    guest_.want_request(wanted);
  } else if (upstream_ != nullptr) {
    upstream_->read(wanted);
  }
}

void WebSocketRelay::on_close_passed(dlp::Direction direction) {
  (direction == dlp::Direction::out ? guest_closed_ : upstream_closed_) = true;
  progress();
  if (guest_closed_ && upstream_closed_) close(0, {}, 0, {});
}

void WebSocketRelay::on_idle(dlp::Direction direction) {
  if (stopped_) return;
  if (direction == dlp::Direction::out) {
    if (!guest_ended_) return;
    return close(0, {}, kCloseGoingAway,
                 guest_closed_ ? "" : "the guest ended the connection without closing the WebSocket");
  }
  if (upstream_ != nullptr) return;
  const std::string error = upstream_closed_ ? "" : upstream_error_;
  close(kCloseBadGateway, "the upstream ended the connection", 0, error);
}

void WebSocketRelay::on_fault(dlp::Direction direction, const WebSocketFault& fault) {
  if (direction == dlp::Direction::out) {
    return close(fault.code, fault.reason, kCloseGoingAway, "the guest broke the WebSocket protocol: " + fault.reason);
  }
  close(kCloseBadGateway, "the upstream broke the WebSocket protocol: " + fault.reason, fault.code,
        "the upstream broke the WebSocket protocol: " + fault.reason);
}

void WebSocketRelay::on_denied(dlp::Direction direction, const ScanOutcome& outcome) {
  if (stopped_) return;
  halt();
  guest_.want_request(false);
  const Decision denial = outcome.denial;
  record_.end(denial.rule_id + ": " + denial.reason);
  // The WebSocket was allowed, this is not: a verdict of its own, on the same trace.
  record_.begin_another();
  record_.set_detail(direction == dlp::Direction::out ? "a message of the WebSocket, not sent"
                                                      : "a message of the WebSocket, withheld");
  const uint16_t code = outcome.status == kUnavailable ? kCloseInternalError : kClosePolicy;
  const std::string words = fmt::format("{} event {}: {}", denial.rule_id, record_.event_id(), denial.reason);
  record_.commit(denial, outcome.findings, direction,
                 [this, code, words, alive = std::weak_ptr(alive_)](const Result<void>&) {
                   if (!alive.expired()) close(code, words, kCloseGoingAway, {});
                 });
}

void WebSocketRelay::on_log_lost() {
  constexpr std::string_view kWords = "the audit log cannot be written, so nothing is let through";
  close(kCloseInternalError, kWords, kCloseGoingAway, kWords);
}

void WebSocketRelay::halt() {
  if (std::exchange(stopped_, true)) return;
  cut_to_guest_ = from_upstream_.within_message();
  cut_to_upstream_ = from_guest_.within_message();
  from_guest_.stop();
  from_upstream_.stop();
}

void WebSocketRelay::close(uint16_t to_guest, std::string_view reason, uint16_t to_upstream, std::string_view error) {
  halt();
  std::string wire;
  if (to_guest != 0 && !upstream_closed_ && !cut_to_guest_) {
    append_frame(wire, Opcode::close, close_payload(to_guest, reason), Sender::server);
    guest_.send_body(wire);
    guest_.flush();
  }
  if (to_upstream != 0 && upstream_ != nullptr && !guest_closed_ && !cut_to_upstream_) {
    wire.clear();
    append_frame(wire, Opcode::close, close_payload(to_upstream, {}), Sender::client);
    upstream_->send_body(wire);
  }
  const std::string words(error);
  const auto on_over = std::move(on_over_);
  on_over(words);
}

}  // namespace gatehouse::proxy
