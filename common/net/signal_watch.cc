#include "common/net/signal_watch.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace gatehouse {

Result<std::unique_ptr<SignalWatch>> SignalWatch::start(Loop& loop, std::initializer_list<int> signals,
                                                        std::function<void(int)> on_signal) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : signals) ::sigaddset(&set, number);
  std::unique_ptr<SignalWatch> watch(new SignalWatch(std::move(on_signal)));
  if (::pthread_sigmask(SIG_BLOCK, &set, &watch->before_) != 0) return fail_errno("cannot block signals");
  watch->fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!watch->fd_) return fail_errno("cannot watch signals");
  watch->watch_ =
      std::make_unique<FdWatch>(loop, watch->fd_.get(), [raw = watch.get()](bool, bool) { raw->read_one(); });
  watch->watch_->want(true, false);
  return watch;
}

SignalWatch::~SignalWatch() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void SignalWatch::read_one() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
}

}  // namespace gatehouse
