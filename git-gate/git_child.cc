#include "git-gate/git_child.h"

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "common/base/log.h"

namespace gatehouse::git_gate {

namespace {

// git's own settings: nothing outgrows what the limits below allow, whatever the pack says.
constexpr const char* kConfiguration[] = {"pack.threads=1",
                                          "core.bigFileThreshold=8m",
                                          "core.packedGitWindowSize=16m",
                                          "core.packedGitLimit=64m",
                                          "core.deltaBaseCacheLimit=32m",
                                          "core.fsync=none",
                                          "core.hooksPath=/dev/null",
                                          "gc.auto=0"};

const char* const kEnvironment[] = {"PATH=/usr/bin:/bin",
                                    "LC_ALL=C",
                                    "HOME=/nonexistent",
                                    "GIT_CONFIG_NOSYSTEM=1",
                                    "GIT_ATTR_NOSYSTEM=1",
                                    "GIT_CONFIG_GLOBAL=/dev/null",
                                    "GIT_TERMINAL_PROMPT=0",
                                    "GIT_NO_REPLACE_OBJECTS=1",
                                    "GIT_ALLOW_PROTOCOL=",
                                    "GIT_OPTIONAL_LOCKS=0",
                                    nullptr};

bool limit(int what, rlim_t value) {
  const rlimit bound{value, value};
  return ::setrlimit(static_cast<__rlimit_resource>(what), &bound) == 0;
}

// Narrows what the gate may do to what an offline git needs: no socket is made or connected, nobody is signalled.
bool narrow_calls() {
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return false;
  bool fine = true;
  for (const int call :
       {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
        SCMP_SYS(socketpair), SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(pidfd_send_signal), SCMP_SYS(pidfd_open)}) {
    fine = fine && ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
  }
  fine = fine && ::seccomp_load(filter) == 0;
  ::seccomp_release(filter);
  return fine;
}

// In the child. The gate has one thread, so that what libseccomp allocates here is sound.
[[noreturn]] void run(const std::vector<const char*>& argv, const std::vector<const char*>& environment,
                      const GitChild::Settings& settings, const Fd (&ends)[3], pid_t parent) {
  bool fine = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent;
  fine = fine && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  for (int i = 0; i < 3; ++i) fine = fine && ::dup2(ends[i].get(), i) == i;
  ::close_range(3, ~0U, 0);
  fine = fine && limit(RLIMIT_CORE, 0) && limit(RLIMIT_CPU, static_cast<rlim_t>(settings.time.count())) &&
         limit(RLIMIT_NOFILE, kChildDescriptors);
  fine = fine && limit(RLIMIT_FSIZE, settings.file_bytes);
  fine = fine && narrow_calls();
  ::umask(077);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (const int number : {SIGPIPE, SIGXFSZ, SIGXCPU, SIGINT, SIGTERM}) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Last: a sanitizer's build of the gate is far above it.
  fine = fine && limit(RLIMIT_AS, kChildMemoryBytes) && limit(RLIMIT_DATA, settings.data_bytes);
  if (fine) ::execve(argv[0], const_cast<char* const*>(argv.data()), const_cast<char* const*>(environment.data()));
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<GitChild>> GitChild::start(Loop& loop, const Settings& settings, Callbacks callbacks) {
  std::vector<const char*> argv = {kGitProgram};
  for (const char* setting : kConfiguration) argv.insert(argv.end(), {"-c", setting});
  for (const auto& argument : settings.arguments) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  const std::string git_dir = "GIT_DIR=" + settings.git_dir;
  std::vector<const char*> environment = {git_dir.c_str()};
  environment.insert(environment.end(), std::begin(kEnvironment), std::end(kEnvironment));

  Fd ours[3];
  Fd ends[3];
  for (int i = 0; i < 3; ++i) {
    auto pair = make_socket_pair();
    if (!pair) return failed(pair);
    ours[i] = std::move(pair->first);
    // Above the three standard ones, so that none is overwritten before it is in its place.
    ends[i] = Fd(::fcntl(pair->second.get(), F_DUPFD_CLOEXEC, 10));
    if (!ends[i]) return fail_errno("cannot start git");
  }
  std::unique_ptr<GitChild> child(new GitChild(settings, std::move(callbacks)));
  const pid_t parent = ::getpid();
  child->pid_ = ::fork();
  if (child->pid_ < 0) return fail_errno("cannot start git");
  if (child->pid_ == 0) run(argv, environment, settings, ends, parent);
  child->pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, child->pid_, 0)));
  if (!child->pidfd_) return fail_errno("cannot watch git");

  auto* self = child.get();
  for (const auto& [fd, stream] : {std::pair{&ours[0], &child->input_}, std::pair{&ours[1], &child->output_},
                                   std::pair{&ours[2], &child->errors_}}) {
    auto adopted = Stream::adopt(loop, std::move(*fd));
    if (!adopted) return failed(adopted);
    *stream = std::move(*adopted);
  }
  // A git that has seen enough closes its input; why, it says when it ends.
  child->input_->set_callbacks({.data = [](std::string_view) {},
                                .end = [] {},
                                .error = [self](const Error&) { self->input_.reset(); },
                                .drained =
                                    [self] {
                                      if (self->callbacks_.drained) self->callbacks_.drained();
                                    }});
  const auto over = [self] {
    self->output_over_ = true;
    self->end_when_over();
  };
  child->output_->set_callbacks({.data = [self](std::string_view bytes) { self->callbacks_.output(bytes); },
                                 .end = over,
                                 .error = [over](const Error&) { over(); },
                                 .drained = {}});
  child->errors_->set_callbacks({.data =
                                     [self](std::string_view bytes) {
                                       self->words_ += bytes.substr(0, kMaxChildWordsBytes - self->words_.size());
                                     },
                                 .end = [] {},
                                 .error = [](const Error&) {},
                                 .drained = {}});
  child->output_->start_reading();
  child->errors_->start_reading();
  child->watch_ = std::make_unique<FdWatch>(loop, child->pidfd_.get(), [self](bool, bool) { self->exited(); });
  child->watch_->want(true, false);
  return child;
}

GitChild::~GitChild() {
  if (pid_ < 0) return;
  watch_.reset();
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void GitChild::write(std::string_view bytes) {
  if (input_) input_->write(bytes);
}

void GitChild::close_input() {
  if (input_) input_->shutdown();
}

void GitChild::read(bool wanted) {
  if (output_over_) return;
  if (wanted) {
    output_->start_reading();
  } else {
    output_->stop_reading();
  }
}

void GitChild::exited() {
  watch_.reset();
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  end_when_over();
}

void GitChild::end_when_over() {
  if (pid_ >= 0 || !output_over_) return;
  // What it said last may still be in the socket.
  char rest[kMaxChildWordsBytes];
  const ssize_t more = ::recv(errors_->fd(), rest, sizeof rest, MSG_DONTWAIT);
  if (more > 0) words_.append(rest, std::min(static_cast<size_t>(more), kMaxChildWordsBytes - words_.size()));
  const auto ended = std::move(callbacks_.ended);
  if (WIFEXITED(status_) && WEXITSTATUS(status_) == 0) return ended({});
  while (words_.ends_with('\n')) words_.pop_back();
  std::replace(words_.begin(), words_.end(), '\n', ';');
  // Where the quarantine is concerns nobody.
  for (size_t at = words_.find(git_dir_); at != std::string::npos; at = words_.find(git_dir_, at)) {
    words_.erase(at, git_dir_.size());
  }
  const std::string how = WIFSIGNALED(status_) ? fmt::format("was killed by signal {}", WTERMSIG(status_))
                                               : fmt::format("exited with code {}", WEXITSTATUS(status_));
  ended(fail("{} {}: {}", name_, how, log::printable(words_, 600)));
}

}  // namespace gatehouse::git_gate
