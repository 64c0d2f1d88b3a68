// One message after another that goes one way on a stream, each held whole and shown to the scanner before it may pass:
// what WebSockets and gRPC have in common. Passive.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "common/dlp/client.h"
#include "proxy/held_body.h"
#include "proxy/outside.h"
#include "proxy/scan_outcome.h"

namespace gatehouse::proxy {

// Of what passed before: a secret that is spread over messages is seen where they join.
inline constexpr size_t kJoinedBytes = 4096;
inline constexpr size_t kMaxFindingsRemembered = 64;  // so that one that stays in sight is told once
inline constexpr size_t kMaxPassQueuedBytes = 256 * 1024;
inline constexpr size_t kMaxGateInputBytes = 64 * 1024;  // read ahead while a message is held

struct HeldMessage {
  explicit HeldMessage(BodyRoom& room) : body(room) {}
  Result<void> append(std::string_view bytes);

  HeldBody body;
  std::string start;  // its first kJoinedBytes, and its last
  std::string end;
};

class MessageScan {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Once for each question, perhaps from within; may destroy the scan. Of the findings of what is allowed those are
    // left that have not been told before.
    virtual void on_judged(ScanOutcome outcome) = 0;
  };
  struct Question {
    dlp::PartInfo part = {};
    bool joins = true;       // it lies open, and so may what passed before it
    bool may_redact = true;  // bytes of it may be overwritten
    bool is_text = false;    // and must be UTF-8 after that
  };

  // `owner` and `with` outlive it.
  MessageScan(Owner& owner, const Inspection& with, dlp::StreamInfo stream);

  // One at a time. `message` is there until the outcome, or drop(); what is to be redacted in it is overwritten.
  void ask(HeldMessage& message, Question question);
  void drop();
  // It passes, and the next one joins it.
  void passed(const HeldMessage& message);

 private:
  void show();
  void judged(const Result<dlp::ScanVerdict>& verdict);
  ScanOutcome outcome_of(const Result<dlp::ScanVerdict>& verdict);
  bool redact(const dlp::ScanVerdict& verdict);
  bool is_text();
  void forget_known(std::vector<dlp::Finding>& findings);

  Owner& owner_;
  const Inspection& with_;
  const dlp::StreamInfo stream_;
  std::unique_ptr<dlp::Scan> scan_;
  HeldMessage* message_ = nullptr;  // that is asked about
  Question question_;
  uint64_t shown_ = 0;  // bytes of its body
  bool asked_ = false;
  std::string before_;  // the last bytes of what passed
  std::deque<std::string> known_findings_;
};

}  // namespace gatehouse::proxy
