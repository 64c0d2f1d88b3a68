#include "launcher/supervisor.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "common/base/options.h"

namespace gatehouse::launcher {

namespace {

std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

// Waits until the process has ended, at most `limit`.
bool wait_for_end(const Process& process, std::chrono::milliseconds limit) {
  const auto deadline = now() + limit;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
    pollfd ended{process.pidfd.get(), POLLIN, 0};
    const int ready = ::poll(&ended, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
  }
}

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

struct Supervisor::Child {
  Service service;
  Process process;  // pid -1 while none runs
  RestartBackoff backoff;
  std::unique_ptr<FdWatch> watch;
  std::unique_ptr<Timer> restart;
};

Supervisor::Supervisor(Loop& loop, Callbacks callbacks) : loop_(loop), callbacks_(std::move(callbacks)) {}

Supervisor::~Supervisor() { stop(); }

Result<void> Supervisor::start(Service service) {
  auto child = std::make_unique<Child>();
  child->service = std::move(service);
  child->restart = std::make_unique<Timer>(loop_, [this, raw = child.get()] { relaunch(*raw); });
  children_.push_back(std::move(child));
  auto launched = launch(*children_.back(), "start");
  if (!launched) children_.pop_back();
  return launched;
}

Result<void> Supervisor::launch(Child& child, std::string_view phase) {
  auto spec = child.service.prepare();
  if (!spec) return failed(spec, child.service.name);
  auto process = spawn(*spec);
  if (!process) return failed(process, child.service.name);
  child.process = std::move(*process);
  child.backoff.started(now());
  child.watch =
      std::make_unique<FdWatch>(loop_, child.process.pidfd.get(), [this, &child](bool, bool) { ended(child); });
  child.watch->want(true, false);
  report(child, child.process.pid, phase, "");
  return {};
}

void Supervisor::ended(Child& child) {
  const int status = reap(child.process.pid);
  const pid_t pid = child.process.pid;
  child.watch.reset();
  child.process = Process{};
  const std::string how = describe_end(status);
  report(child, pid, "crash", how);

  const std::string what = fmt::format("{} {}", child.service.name, how);
  if (child.service.on_death == OnDeath::end_session) {
    return fail_session(Error(what + ": the session cannot go on without it"));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitUsage) {
    return fail_session(Error(what + ": it refuses its configuration"));
  }
  const auto delay = child.backoff.crashed(now());
  if (!delay) return fail_session(Error(what + ", once too often"));
  child.restart->start(*delay);
}

void Supervisor::relaunch(Child& child) {
  if (auto ok = launch(child, "restart"); !ok) fail_session(ok.error());
}

void Supervisor::stop() {
  for (; !children_.empty(); children_.pop_back()) {
    Child& child = *children_.back();
    child.watch.reset();
    child.restart.reset();
    const pid_t pid = child.process.pid;
    if (pid < 0) continue;
    ::kill(pid, SIGTERM);
    if (!wait_for_end(child.process, kStopGrace)) ::kill(pid, SIGKILL);
    report(child, pid, "exit", describe_end(reap(pid)));
  }
}

pid_t Supervisor::pid(std::string_view name) const {
  for (const auto& child : children_) {
    if (child->service.name == name) return child->process.pid;
  }
  return -1;
}

void Supervisor::kill(std::string_view name) {
  if (const pid_t running = pid(name); running > 0) ::kill(running, SIGKILL);
}

bool Supervisor::runs(pid_t pid) const {
  return std::any_of(children_.begin(), children_.end(),
                     [pid](const auto& child) { return child->process.pid == pid; });
}

void Supervisor::report(const Child& child, pid_t pid, std::string_view phase, std::string detail) {
  callbacks_.event({child.service.name, pid, std::string(phase), std::move(detail)});
}

void Supervisor::fail_session(Error error) {
  if (failed_) return;
  failed_ = true;
  callbacks_.fatal(std::move(error));
}

}  // namespace gatehouse::launcher
