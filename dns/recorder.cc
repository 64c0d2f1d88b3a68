#include "dns/recorder.h"

#include <cassert>

#include "common/base/log.h"

namespace gatehouse::dns {

void Recorder::hold(Step step, const Draft& draft, Send send) {
  assert(step.kind != Step::Kind::answer);
  Held held{std::string(draft.reply), std::string(draft.failure), std::string(draft.denial), std::move(send)};
  ++held_;
  if (step.kind == Step::Kind::wait) {
    assert(!rows_.empty() && step.ticket - rows_.front().ticket < rows_.size());
    rows_[step.ticket - rows_.front().ticket].held.push_back(std::move(held));
    return;
  }
  rows_.push_back({step.ticket, {}});
  rows_.back().held.push_back(std::move(held));
  append_(std::move(*step.event), std::move(step.asked),
          [this, ticket = step.ticket, alive = std::weak_ptr(alive_)](const Result<Outcome>& outcome) {
            if (!alive.expired()) settle(ticket, outcome);
          });
}

void Recorder::settle(uint64_t ticket, const Result<Outcome>& outcome) {
  assert(!rows_.empty() && rows_.front().ticket == ticket);
  const bool as_decided = outcome && *outcome == Outcome::as_decided;
  // What is not remembered is summed up by nobody, and looked at again when it is asked again.
  as_decided ? resolver_.committed(ticket) : resolver_.lost(ticket);
  // Once for each time it breaks, since the guest decides how many questions there are.
  if (!outcome && !failing_) log::error("no row, no answer: {}", outcome.error().message());
  if (outcome && failing_) log::info("rows can be written again");
  failing_ = !outcome;
  const bool was_full = full();
  const Row row = std::move(rows_.front());
  rows_.pop_front();
  held_ -= row.held.size();
  for (const auto& held : row.held) {
    const bool denied_anew = outcome && *outcome == Outcome::overruled;
    held.send(!outcome ? held.failure : denied_anew ? held.denial : held.reply);
  }
  if (was_full && !full() && on_room_) on_room_();
}

}  // namespace gatehouse::dns
