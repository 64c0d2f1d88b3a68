// Holds replies back until the row they depend on is committed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/audit/event.h"
#include "common/base/result.h"
#include "dns/resolver.h"

namespace gatehouse::dns {

// Replies held back in all, whoever waits for them. At this the transports stop reading (full()), so that a slow disk
// slows the guest down and costs no memory.
inline constexpr size_t kMaxHeldReplies = 4096;

class Recorder {
 public:
  enum class Outcome {
    as_decided,  // the row is committed
    masked,      // likewise, but the row tells less of the name: no later row may tell more of it
    overruled,   // another row is, which denies what this one would have allowed
  };
  using Committed = std::function<void(Result<Outcome>)>;
  // Commits one row and calls back, in the order of the calls and never from within. `asked` as in Step.
  using Append = std::function<void(audit::DnsEvent, std::string asked, Committed)>;
  // Sends a reply to whoever asked, if still there; empty when there is nothing to be said to such a message.
  using Send = std::function<void(std::string_view reply)>;

  Recorder(Resolver& resolver, Append append) : resolver_(resolver), append_(std::move(append)) {}

  // For a step of kind record or wait: commits its row if it has one, then sends the reply, or the failure if that is
  // what came of it.
  void hold(Step step, const Draft& draft, Send send);

  bool full() const { return held_ >= kMaxHeldReplies; }
  // Called after full() has become false again.
  void set_on_room(std::function<void()> on_room) { on_room_ = std::move(on_room); }

 private:
  struct Held {
    std::string reply;
    std::string failure;
    std::string denial;
    Send send;
  };
  struct Row {
    uint64_t ticket;
    std::vector<Held> held;
  };
  void settle(uint64_t ticket, const Result<Outcome>& outcome);

  Resolver& resolver_;
  Append append_;
  std::function<void()> on_room_;
  std::deque<Row> rows_;  // under way, oldest first; tickets are consecutive
  size_t held_ = 0;
  bool failing_ = false;  // the last row was lost
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::dns
