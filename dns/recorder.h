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

  // Passes on the name of a step of kind answer, if it has one, to whoever set_on_unlisted() says: denied without a row
  // of its own, it is to be looked through all the same.
  using OnUnlisted = std::function<void(std::string asked, std::string trace_id)>;
  void set_on_unlisted(OnUnlisted on_unlisted) { on_unlisted_ = std::move(on_unlisted); }
  void pass_on(Step& step) {
    if (!step.asked.empty() && on_unlisted_) on_unlisted_(std::move(step.asked), std::move(step.trace_id));
  }

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
  OnUnlisted on_unlisted_;
  std::deque<Row> rows_;  // under way, oldest first; tickets are consecutive
  size_t held_ = 0;
  bool failing_ = false;  // the last row was lost
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::dns
