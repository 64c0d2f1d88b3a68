// The event loop, timers and descriptor watches. Everything but Loop::post belongs to the loop's own thread.
//
// Rule for every callback in common/net: it may destroy the object that called it, so calling it is that object's last
// act in the turn.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/base/executor.h"
#include "common/net/handle.h"

namespace gatehouse {

// Declare it first, so that it is destroyed last: its destructor runs pending closes and asserts that no handle is
// left open.
class Loop final : public Executor {
 public:
  Loop();
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop(), or until SIGINT or SIGTERM in run_until_signal(). Returns kExitOk. SIGPIPE is ignored.
  int run();
  int run_until_signal();
  void stop();

  // Runs `task` on this loop's thread after the current callback. From any thread. Tasks still queued when the loop
  // is destroyed are dropped.
  void post(std::function<void()> task) override;

  // One turn without blocking; for tests. Returns false when nothing is left to do.
  bool turn();

  uv_loop_t* raw() { return &loop_; }

 private:
  void run_posted();

  uv_loop_t loop_;
  UvHandle<uv_async_t> wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
};

// Calls back once (start) or again and again (repeat). Destroying it cancels.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> callback);

  void start(std::chrono::milliseconds delay);
  void repeat(std::chrono::milliseconds period);
  void stop();

 private:
  UvHandle<uv_timer_t> handle_;
  std::function<void()> callback_;
};

// Tells when a descriptor that the caller owns can be read or written without blocking (level-triggered). The
// descriptor must outlive the watch.
class FdWatch {
 public:
  FdWatch(Loop& loop, int fd, std::function<void(bool readable, bool writable)> callback);

  // Replaces what is waited for; false, false pauses.
  void want(bool readable, bool writable);

 private:
  UvHandle<uv_poll_t> handle_;
  std::function<void(bool, bool)> callback_;
};

}  // namespace gatehouse
