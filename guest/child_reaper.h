// Waits for every child: commands that were started here, and orphans that PID 1 inherits.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <unordered_map>

#include "common/base/fd.h"
#include "common/net/loop.h"

namespace gatehouse::guest {

class ChildReaper {
 public:
  using OnExit = std::function<void(int wait_status)>;

  // Blocks SIGCHLD in this thread (a child unblocks it before it runs anything else).
  static Result<std::unique_ptr<ChildReaper>> start(Loop& loop);

  // Calls back once when `child` has ended. It must not have been waited for yet.
  void watch(pid_t child, OnExit on_exit) { watched_[child] = std::move(on_exit); }
  void forget(pid_t child) { watched_.erase(child); }

 private:
  explicit ChildReaper(Fd signals) : signals_(std::move(signals)) {}
  void reap();

  Fd signals_;
  std::unique_ptr<FdWatch> watch_;
  std::unordered_map<pid_t, OnExit> watched_;
};

}  // namespace gatehouse::guest
