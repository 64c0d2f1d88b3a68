// What waits for a person's approval in a session, and what has been decided for all of it. Passive: the time goes in.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/approval/protocol.h"
#include "common/base/result.h"

namespace gatehouse::launcher {

class Approvals {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // A question and what has become of it. `decided.id` is the asker's, `asker` whatever it was asked with.
  struct Settled {
    uint64_t number = 0;
    uint64_t asker = 0;
    approval::Wanted wanted;
    approval::Decided decided;
  };

  // Waits under a new number, or is settled at once: by a decision for the session, or because too many wait already.
  std::variant<uint64_t, Settled> ask(uint64_t asker, approval::Wanted wanted, Time now);

  // An error when no such question waits. Others with the same key that wait are settled along with it when the
  // decision is for the session.
  Result<std::vector<Settled>> decide(const approval::Decide& decide, const std::string& by);

  // What has waited too long: denied.
  std::vector<Settled> expire(Time now);
  // When expire() has something to do next.
  std::optional<Time> next_expiry() const;

  void withdraw(uint64_t asker, uint64_t id);
  void withdraw_all(uint64_t asker);
  // Decisions for the session hold no longer: their rules may have changed.
  void forget_decisions() { for_session_.clear(); }

  std::vector<approval::Pending> pending(Time now) const;

 private:
  struct Entry {
    uint64_t asker;
    approval::Wanted wanted;
    Time since;
    Time until;
  };
  struct Standing {
    bool allowed;
    std::string by;
  };
  static Settled settle(uint64_t number, Entry entry, approval::Decided decided);

  uint64_t next_ = 1;
  std::map<uint64_t, Entry> entries_;
  std::map<std::string, Standing> for_session_;
};

}  // namespace gatehouse::launcher
