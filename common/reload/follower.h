// Puts another policy in force in a gate that runs.
#pragma once

#include <functional>
#include <memory>

#include "common/audit/event.h"
#include "common/ipc/frame.h"
#include "common/net/signal_watch.h"
#include "common/net/stream.h"
#include "common/reload/policy_source.h"

namespace gatehouse::reload {

// In a session the launcher proposes, writes the rows and says when. A gate that stands alone reads its files again at
// SIGHUP, and writes a row of phase "reloaded" before it judges by them, or "reload-failed". Whatever fails leaves the
// policy in force as it is.
class Follower {
 public:
  using Switch = std::function<void()>;
  using OnRecorded = std::function<void(const Result<void>&)>;
  struct Callbacks {
    // Does all that may fail; what it gives puts the policy in force, and cannot.
    std::function<Result<Switch>(policy::Policy)> prepare;
    // Commits a row; null where there is no log, and a message has to do.
    std::function<void(audit::PolicyEvent, OnRecorded)> record;
  };

  // Before any thread is started: it takes SIGHUP. `loop` outlives it; null when nothing comes later.
  static Result<std::unique_ptr<Follower>> start(Loop& loop, PolicySource source, Callbacks callbacks);

 private:
  Follower(policy::Policy started, Callbacks callbacks)
      : started_(std::move(started)), in_force_(started_), callbacks_(std::move(callbacks)) {}

  void receive(std::string_view bytes);
  Result<void> take(const ipc::Frame& frame);
  void read_again();
  void proposed();
  void recorded(const policy::Policy& next, const Switch& put_in_force, const Result<void>& committed);
  void refuse(const std::string& words);
  void put_in_force(const policy::Policy& next, const Switch& put_in_force);
  void lost();

  const policy::Policy started_;
  policy::Policy in_force_;
  const Callbacks callbacks_;
  bool alone_ = false;
  bool reading_ = false;  // alone: the answer to SIGHUP has not come, or not been dealt with
  bool again_ = false;    // SIGHUP came meanwhile
  std::string snapshot_;  // as far as it has come
  std::optional<policy::Policy> next_;
  Switch switch_;  // to next_
  ipc::FrameReader frames_;
  std::unique_ptr<Stream> control_;
  std::unique_ptr<SignalWatch> hangups_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::reload
