#include "launcher/spawn.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace gatehouse::launcher {

namespace {

constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr char kListenPid[] = "LISTEN_PID=";
constexpr size_t kPidDigits = 10;
constexpr int kHighFd = 100;  // above every number a child is given, below any descriptor limit

// Everything a child needs between fork and exec, made before the fork: the launcher has threads, so after it only
// async-signal-safe calls are allowed (signal-safety(7)).
struct Prepared {
  std::vector<std::string> strings;  // owns what argv and envp point to
  std::vector<char*> argv;
  std::vector<char*> envp;
  char* listen_pid = nullptr;  // digits of LISTEN_PID, to be filled in by the child
  Fd input;
  Fd output;
  Fd errors;
  std::vector<Fd> passed;  // numbered kHighFd and up, so that dup2 to the final number overwrites none of them
  Fd status_pipe;
  pid_t parent = -1;
  bool without_network = false;
  bool recipe = false;
};

Result<Fd> high_copy(int fd) {
  Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, kHighFd));
  if (!copy) return fail_errno("cannot pass descriptor {}", fd);
  return copy;
}

std::vector<std::string> environment(const ProcessSpec& spec) {
  std::vector<std::string> entries = {kPath, "LANG=C.UTF-8"};
  entries.insert(entries.end(), spec.environment.begin(), spec.environment.end());
  if (spec.sockets.empty()) return entries;
  std::string names;
  for (const auto& socket : spec.sockets) names += (names.empty() ? "" : ":") + socket.name;
  entries.push_back("LISTEN_FDNAMES=" + names);
  entries.push_back(fmt::format("LISTEN_FDS={}", spec.sockets.size()));
  entries.push_back(kListenPid + std::string(kPidDigits, '\0'));  // last: prepare() looks for it there
  return entries;
}

Result<Prepared> prepare(const ProcessSpec& spec) {
  Prepared prepared;
  prepared.strings.push_back(spec.program);
  prepared.strings.insert(prepared.strings.end(), spec.arguments.begin(), spec.arguments.end());
  const size_t arguments = prepared.strings.size();
  for (auto& entry : environment(spec)) prepared.strings.push_back(std::move(entry));
  for (size_t i = 0; i < prepared.strings.size(); ++i) {
    (i < arguments ? prepared.argv : prepared.envp).push_back(prepared.strings[i].data());
  }
  prepared.argv.push_back(nullptr);
  prepared.envp.push_back(nullptr);
  if (!spec.sockets.empty()) prepared.listen_pid = prepared.strings.back().data() + sizeof kListenPid - 1;

  for (const auto& socket : spec.sockets) {
    auto copy = high_copy(socket.fd);
    if (!copy) return failed(copy);
    prepared.passed.push_back(std::move(*copy));
  }
  for (const auto& fd : spec.inherited) {
    auto copy = high_copy(fd.get());
    if (!copy) return failed(copy);
    prepared.passed.push_back(std::move(*copy));
  }
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  auto input = high_copy(null.get());
  if (!input) return failed(input);
  auto output = high_copy(spec.output);
  if (!output) return failed(output, "output");
  auto errors = high_copy(spec.errors >= 0 ? spec.errors : spec.output);
  if (!errors) return failed(errors, "error output");
  prepared.input = std::move(*input);
  prepared.errors = std::move(*errors);
  prepared.output = std::move(*output);
  prepared.parent = ::getpid();
  prepared.without_network = spec.without_network;
  prepared.recipe = spec.recipe;
  return prepared;
}

// --- from here to run_child: async-signal-safe only ---

void write_pid(char* digits) {
  char reversed[kPidDigits];
  size_t count = 0;
  for (pid_t pid = ::getpid(); pid > 0; pid /= 10) reversed[count++] = static_cast<char>('0' + pid % 10);
  while (count > 0) *digits++ = reversed[--count];
}

void reset_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);  // KILL and STOP refuse
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Without SECBIT_NOROOT the program of a child of root would get every capability back (capabilities(7)). For a user
// who has none there is nothing to do.
bool drop_capabilities() {
  if (::geteuid() == 0 && ::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) != 0) return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

// An unprivileged user needs a user namespace first. Where neither is allowed the child keeps the host's network: it
// has no use for it, and QEMU is not given a network device either way.
void leave_network() {
  if (::unshare(CLONE_NEWNET) != 0) (void)::unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

[[noreturn]] void give_up(int status_pipe) {
  const int error = errno;
  (void)!::write(status_pipe, &error, sizeof error);
  ::_exit(127);
}

[[noreturn]] void run_child(Prepared& prepared) {
  const int status = prepared.status_pipe.get();
  reset_signals();
  if (!prepared.recipe) ::setpgid(0, 0);
  if (prepared.without_network) leave_network();
  if (!prepared.recipe && !drop_capabilities()) give_up(status);
  // After the calls above, which clear the setting when they change credentials.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(status);
  if (::getppid() != prepared.parent) ::_exit(127);  // the parent died before the setting took hold
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(status);
  const rlimit no_core{0, 0};
  if (::setrlimit(RLIMIT_CORE, &no_core) != 0) give_up(status);

  if (::dup2(prepared.input.get(), STDIN_FILENO) < 0 || ::dup2(prepared.output.get(), STDOUT_FILENO) < 0 ||
      ::dup2(prepared.errors.get(), STDERR_FILENO) < 0) {
    give_up(status);
  }
  int next = kFirstPassedFd;
  for (const auto& fd : prepared.passed) {
    if (::dup2(fd.get(), next++) < 0) give_up(status);
  }
  // The status pipe is close-on-exec itself; so is whatever a library opened without saying so.
  ::close_range(static_cast<unsigned>(next), ~0U, CLOSE_RANGE_CLOEXEC);
  if (prepared.listen_pid != nullptr) write_pid(prepared.listen_pid);
  ::execve(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  give_up(status);
}

}  // namespace

Result<Process> spawn(const ProcessSpec& spec) {
  auto prepared = prepare(spec);
  if (!prepared) return failed(prepared, spec.program);
  auto pipe = make_pipe();
  if (!pipe) return failed(pipe, spec.program);
  auto status_pipe = high_copy(pipe->write.get());
  if (!status_pipe) return failed(status_pipe, spec.program);
  prepared->status_pipe = std::move(*status_pipe);
  pipe->write.reset();

  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("cannot start {}", spec.program);
  if (pid == 0) run_child(*prepared);
  prepared->status_pipe.reset();

  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(pipe->read.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  // By number: glibc 2.36 declares pidfd_open() without C linkage.
  Process process{pid, Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))};
  if (got == 0 && process.pidfd) return process;

  if (got == 0) error = errno;  // it runs, but could not be watched
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  errno = error;
  return fail_errno("cannot start {}", spec.program);
}

std::string describe_end(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return fmt::format("was killed by signal {} ({})", WTERMSIG(wait_status), ::strsignal(WTERMSIG(wait_status)));
  }
  return fmt::format("exited with code {}", WEXITSTATUS(wait_status));
}

}  // namespace gatehouse::launcher
