#include "common/net/loop_threads.h"

#include <csignal>
#include <thread>
#include <vector>

namespace gatehouse {

namespace {

// Threads made under this leave all signals to others.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

int run_until_signal(std::list<Loop>& loops) {
  std::vector<std::jthread> threads;
  // Only once the first loop takes the signals: whoever is served by another one may already send one.
  loops.front().post([&] {
    const SignalsBlocked blocked;
    for (auto loop = std::next(loops.begin()); loop != loops.end(); ++loop) {
      threads.emplace_back([loop] { loop->run(); });
    }
  });
  const int code = loops.front().run_until_signal();
  for (auto loop = std::next(loops.begin()); loop != loops.end(); ++loop) {
    loop->post([loop] { loop->stop(); });
  }
  return code;
}

}  // namespace gatehouse
