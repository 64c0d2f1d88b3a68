// The request's messages of a gRPC call, which may go on while the answers come: each is held until the scanner has
// seen all of it and its rows are committed, and only then written anew for the upstream. Passive; an Exchange owns it.
//
// The first is held until the call's own verdict is committed and its upstream there: of a call with one message
// nothing goes anywhere before all of it was judged, as of any request.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/policy.h"
#include "proxy/exchange_record.h"
#include "proxy/grpc_messages.h"
#include "proxy/message_scan.h"

namespace gatehouse::proxy {

// So long a first message is waited for: there are calls in which the server speaks first.
inline constexpr std::chrono::milliseconds kFirstMessageTime{250};

class GrpcGate final : private MessageScan::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The first message may go, or there is none (yet): open() when it can.
    virtual void on_call_judged(std::vector<dlp::Finding> findings) = 0;
    // Bytes of the request's body, and its end; may destroy the gate.
    virtual void pass_message(std::string_view bytes) = 0;
    virtual void pass_end() = 0;
    virtual size_t pass_queued() const = 0;
    // Whether more may come. It may come from within.
    virtual void want_messages(bool wanted) = 0;
    // Nothing more goes; each is the gate's last act in the turn.
    virtual void on_message_denied(const ScanOutcome& outcome) = 0;
    virtual void on_findings_lost() = 0;
  };
  struct Setting {
    dlp::StreamInfo stream;
    std::string content_type;
    std::string encoding;     // the request's grpc-encoding, lower case
    policy::BodyLimit limit;  // of all messages together, as they come
  };

  // All outlive it.
  GrpcGate(Owner& owner, const Inspection& with, ExchangeRecord& record, Setting setting);

  void take(std::string_view bytes);
  void end(const Fields& trailers);
  // No message has come in time.
  void go_ahead();
  // Not a byte has come.
  bool untouched() const { return untouched_; }
  // The upstream is there, and has been told the head.
  void open();
  void on_drained() { proceed(); }

  // What has passed is still held, so that it can pass again: rewind(), and open() another upstream.
  bool may_pass_again() const {
    return passed_ == 0 || first_ != nullptr || (passed_ == 1 && phase_ == Phase::passing);
  }
  void rewind();
  // It will not have to.
  void settle();

 private:
  enum class Phase { reading, asking, judging, waiting, recording, passing, stopped };
  struct Held : HeldMessage {
    using HeldMessage::HeldMessage;
    bool compressed = false;
  };

  void proceed();
  bool read_some();
  void end_reading();
  void ask();
  void on_judged(ScanOutcome outcome) override;
  void start_passing();
  bool pass_some();
  void deny(const ScanOutcome& outcome);

  Owner& owner_;
  const Inspection& with_;
  ExchangeRecord& record_;
  const Setting setting_;
  GrpcMessageReader reader_;
  MessageScan scan_;
  Phase phase_ = Phase::reading;
  std::string input_;
  bool untouched_ = true;
  bool ended_ = false;  // the guest has sent all of it
  bool has_trailers_ = false;
  bool judged_ = false;  // on_call_judged() was called; until open() nothing more is read
  bool open_ = false;
  bool end_passed_ = false;
  bool wanted_ = true;
  bool within_ = false;  // proceed() is at work

  std::unique_ptr<Held> message_;  // as far as it has come
  std::unique_ptr<Held> going_;    // whole: with the scanner, with the log, or passing
  std::unique_ptr<Held> first_;    // passed, and kept
  bool settled_ = false;
  uint64_t size_ = 0;        // of all messages so far, prefixes included
  bool prefix_due_ = false;  // of going_
  uint64_t done_ = 0;        // bytes of going_'s body that have passed
  uint64_t passed_ = 0;      // messages, wholly or in part
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
