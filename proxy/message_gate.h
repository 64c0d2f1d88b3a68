// The messages of a WebSocket that go one way: each is held until the scanner has seen all of it, its rows are
// committed, and only then written anew for the other side. Passive.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/exchange_record.h"
#include "proxy/message_scan.h"
#include "proxy/response_restorer.h"
#include "proxy/websocket/handshake.h"
#include "proxy/websocket/message_reader.h"

namespace gatehouse::proxy {

class MessageGate final : private MessageScan::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Bytes for the other side, which never call back from within.
    virtual void pass(dlp::Direction direction, std::string_view wire) = 0;
    virtual size_t pass_queued(dlp::Direction direction) const = 0;
    // Whether more may come in. It may come from within.
    virtual void want(dlp::Direction direction, bool wanted) = 0;
    // A close frame has passed, and nothing else will.
    virtual void on_close_passed(dlp::Direction direction) = 0;
    // All that has come has passed. It may destroy the gate, as may what follows.
    virtual void on_idle(dlp::Direction direction) = 0;
    // Nothing more goes this way; each is the gate's last act in the turn.
    virtual void on_fault(dlp::Direction direction, const WebSocketFault& fault) = 0;
    virtual void on_denied(dlp::Direction direction, const ScanOutcome& outcome) = 0;
    virtual void on_log_lost() = 0;
  };
  struct Setting {
    dlp::Direction direction = dlp::Direction::out;
    DeflateAgreement deflate = {};  // how the sender compresses
    uint64_t max_message = 0;
    const Inspection* inspection = nullptr;  // null: nothing is scanned, nor held
    dlp::StreamInfo stream = {};
    std::function<std::unique_ptr<ResponseRestorer>()> restorer = {};  // of one message; null where there is none
  };

  // `owner` and `record` outlive it.
  MessageGate(Owner& owner, ExchangeRecord& record, Setting setting);

  // From the sender.
  void take(std::string_view bytes);
  // The other side has taken what was queued.
  void on_drained() { proceed(); }
  // Nothing more is read or passed.
  void stop();
  // All that can be passed of what has come has been.
  bool idle() const { return phase_ == Phase::reading && input_.empty(); }
  // A message has passed in part: nothing else can be said that way.
  bool within_message() const { return phase_ == Phase::passing; }

 private:
  enum class Phase { reading, asking, judging, recording, passing, stopped };

  // A message, or a control frame, on its way.
  struct Held : HeldMessage {
    using HeldMessage::HeldMessage;
    Opcode opcode = Opcode::text;
    std::unique_ptr<ResponseRestorer> restorer;
  };

  void proceed();
  bool read_some();
  bool behind() const;
  void pass_on(const MessageReader::Event& event);
  bool hold_control(const MessageReader::Event& event);
  bool hold(Held& held, std::string_view bytes);
  void start_scanning(std::unique_ptr<Held> held);
  void ask();
  void on_judged(ScanOutcome outcome) override;
  void start_passing();
  bool pass_some();

  Owner& owner_;
  ExchangeRecord& record_;
  const Setting setting_;
  MessageReader reader_;
  Phase phase_ = Phase::reading;
  std::string input_;
  bool wanted_ = true;
  bool within_ = false;  // proceed() is at work

  std::unique_ptr<Held> message_;      // as far as it has come; control frames go ahead of it
  std::unique_ptr<Held> going_;        // whole: with the scanner, with the log, or passing
  std::unique_ptr<MessageScan> scan_;  // null: nothing is scanned
  bool begun_ = false;                 // of what is not held: a part of the message has passed
  uint64_t done_ = 0;                  // bytes of its body that have passed
  MaskKey key_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
