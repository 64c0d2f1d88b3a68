#pragma once

#include <functional>

namespace gatehouse {

// Somewhere a closure can be run later: an event loop, or the caller's own thread in a test.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `task` on the executor's thread, in the order posted. May be called from any thread.
  virtual void post(std::function<void()> task) = 0;
};

}  // namespace gatehouse
