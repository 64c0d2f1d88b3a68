#include "guest/child_reaper.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace gatehouse::guest {

Result<std::unique_ptr<ChildReaper>> ChildReaper::start(Loop& loop) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  if (::pthread_sigmask(SIG_BLOCK, &children, nullptr) != 0) return fail("cannot block SIGCHLD");
  Fd signals(::signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals) return fail_errno("signalfd");
  std::unique_ptr<ChildReaper> reaper(new ChildReaper(std::move(signals)));
  reaper->watch_ =
      std::make_unique<FdWatch>(loop, reaper->signals_.get(), [r = reaper.get()](bool, bool) { r->reap(); });
  reaper->watch_->want(true, false);
  return reaper;
}

void ChildReaper::reap() {
  // One signal may stand for many children, so its content is not looked at.
  signalfd_siginfo ignored;
  while (::read(signals_.get(), &ignored, sizeof ignored) > 0) {
  }
  int status = 0;
  for (pid_t child; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto found = watched_.find(child);
    if (found == watched_.end()) continue;
    const OnExit on_exit = std::move(found->second);
    watched_.erase(found);
    on_exit(status);
  }
}

}  // namespace gatehouse::guest
