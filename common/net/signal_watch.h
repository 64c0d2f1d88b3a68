// Signals to the process, read on a loop.
#pragma once

#include <csignal>
#include <functional>
#include <initializer_list>
#include <memory>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/net/loop.h"

namespace gatehouse {

// Takes these signals off their default action while it lives. Make it before any thread is started: threads inherit
// what is blocked.
class SignalWatch {
 public:
  static Result<std::unique_ptr<SignalWatch>> start(Loop& loop, std::initializer_list<int> signals,
                                                    std::function<void(int)> on_signal);
  ~SignalWatch();

 private:
  explicit SignalWatch(std::function<void(int)> on_signal) : on_signal_(std::move(on_signal)) {}
  void read_one();

  std::function<void(int)> on_signal_;
  sigset_t before_{};
  Fd fd_;
  std::unique_ptr<FdWatch> watch_;
};

}  // namespace gatehouse
