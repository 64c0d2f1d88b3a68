// The processes of one session: started, watched, restarted when they may be, and all gone when this is.
//
// Children are killed by the kernel when the launcher dies in whatever way (spawn.h), so nothing here has to survive.
// Listening sockets belong to the caller and outlive every child: while a crashed gate restarts, connections wait in
// its socket's queue.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/audit/event.h"
#include "common/base/result.h"
#include "common/net/loop.h"
#include "launcher/restart_backoff.h"
#include "launcher/spawn.h"

namespace gatehouse::launcher {

class Supervisor {
 public:
  enum class OnDeath {
    restart,      // with back-off; one that refuses its configuration (exit code 2) is not tried again
    end_session,  // nothing can take its place: the session fails closed
  };

  struct Service {
    std::string name;  // "proxy", as in the audit log
    OnDeath on_death = OnDeath::end_session;
    // Makes the spec afresh for every start: descriptors handed over are used up by it.
    std::function<Result<ProcessSpec>()> prepare;
  };

  struct Callbacks {
    std::function<void(audit::ProcessEvent)> event;  // every start, end and restart
    std::function<void(Error)> fatal;                // the session cannot go on; called at most once
  };

  Supervisor(Loop& loop, Callbacks callbacks);
  ~Supervisor();  // stop()
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Starts a service and watches it from now on.
  Result<void> start(Service service);

  // Ends the children, the last started first, so that none loses a peer it is still talking to: SIGTERM, and SIGKILL
  // for one that has not ended within kStopGrace. Blocks until all are reaped. No callback but `event` is called.
  void stop();
  static constexpr std::chrono::milliseconds kStopGrace{2000};

  // The process that runs the named service now; -1 between a crash and its restart.
  pid_t pid(std::string_view name) const;
  // Ends the named service as by a crash.
  void kill(std::string_view name);
  // Whether a service runs as that process.
  bool runs(pid_t pid) const;

 private:
  struct Child;

  Result<void> launch(Child& child, std::string_view phase);
  void ended(Child& child);
  void relaunch(Child& child);
  void report(const Child& child, pid_t pid, std::string_view phase, std::string detail);
  void fail_session(Error error);

  Loop& loop_;
  Callbacks callbacks_;
  std::vector<std::unique_ptr<Child>> children_;
  bool failed_ = false;
};

}  // namespace gatehouse::launcher
