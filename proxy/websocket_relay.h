// A WebSocket once it is open: two gates, one each way, and its end. Passive; an Exchange owns it.
//
// What a denial comes to: its rows are committed, the guest gets a close frame with code 1008 and the reason, the
// upstream one that says 1001 and nothing else.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "proxy/guest_leg.h"
#include "proxy/message_gate.h"
#include "proxy/upstream_leg.h"

namespace gatehouse::proxy {

inline constexpr std::chrono::seconds kWebSocketCloseTimeout{10};  // for the other side's close frame

class WebSocketRelay final : private MessageGate::Owner {
 public:
  struct Setting {
    MessageGate::Setting from_guest;
    MessageGate::Setting from_upstream;
    std::chrono::milliseconds idle_time{0};  // without a byte either way
    // Once: it is over, all that was to be said is said; may destroy the relay. The error is for the log, empty when
    // both sides have closed as they should.
    std::function<void(std::string_view error)> on_over;
  };

  // All outlive it, the upstream until on_upstream_end().
  WebSocketRelay(GuestLeg& guest, UpstreamLeg& upstream, ExchangeRecord& record, Setting setting);

  // Each may end the relay.
  void on_guest_bytes(std::string_view bytes);
  void on_guest_end();
  void on_guest_drained() { from_upstream_.on_drained(); }
  void on_upstream_bytes(std::string_view bytes);
  void on_upstream_end(std::string_view error);  // the upstream is gone
  void on_upstream_drained() { from_guest_.on_drained(); }
  void on_deadline();
  // The policy's objection to what goes on, which came from there.
  void deny(dlp::Direction direction, const ScanOutcome& outcome) { on_denied(direction, outcome); }

 private:
  void pass(dlp::Direction direction, std::string_view wire) override;
  size_t pass_queued(dlp::Direction direction) const override;
  void want(dlp::Direction direction, bool wanted) override;
  void on_close_passed(dlp::Direction direction) override;
  void on_idle(dlp::Direction direction) override;
  void on_fault(dlp::Direction direction, const WebSocketFault& fault) override;
  void on_denied(dlp::Direction direction, const ScanOutcome& outcome) override;
  void on_log_lost() override;

  void progress();
  void halt();
  // Says so to both sides, as far as they have not closed, and is over.
  void close(uint16_t to_guest, std::string_view reason, uint16_t to_upstream, std::string_view error);

  GuestLeg& guest_;
  UpstreamLeg* upstream_;
  ExchangeRecord& record_;
  const std::chrono::milliseconds idle_time_;
  std::function<void(std::string_view)> on_over_;
  MessageGate from_guest_;
  MessageGate from_upstream_;
  bool guest_closed_ = false;     // its close frame has passed
  bool upstream_closed_ = false;  // likewise
  bool guest_ended_ = false;
  bool stopped_ = false;
  bool cut_to_guest_ = false;  // within a message, where no close frame can be
  bool cut_to_upstream_ = false;
  std::string upstream_error_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
