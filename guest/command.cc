#include "guest/command.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "guest/system.h"

namespace gatehouse::guest {

namespace {

constexpr int kNotFound = 127;
constexpr int kNotExecutable = 126;
constexpr char kHome[] = "/root";
constexpr char kPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr rlimit kDescriptors{1024, 1'048'576};  // what a Debian login has, not PID 1's many

// Where a command that was just forked failed, told through a pipe that a successful exec closes.
struct ChildFailure {
  enum Step { directory, terminal, program } step;
  int error;
};

// Everything the child needs, made before the fork: between fork and exec nothing may allocate.
struct Launch {
  std::string file;
  std::string directory;
  std::vector<char*> argv;
  std::vector<char*> shell_argv;  // for a script without "#!", as execvp(3) does
  std::vector<char*> environment;
  int input, output, errors;
  bool terminal;
  int failure_pipe;
};

[[noreturn]] void give_up(const Launch& launch, ChildFailure::Step step) {
  const ChildFailure failure{step, errno};
  (void)!::write(launch.failure_pipe, &failure, sizeof failure);
  ::_exit(kNotExecutable);
}

[[noreturn]] void become(const Launch& launch) {
  ::setsid();
  if (launch.terminal && ::ioctl(launch.input, TIOCSCTTY, 0) != 0) give_up(launch, ChildFailure::terminal);
  ::dup2(launch.input, STDIN_FILENO);
  ::dup2(launch.output, STDOUT_FILENO);
  ::dup2(launch.errors, STDERR_FILENO);
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setrlimit(RLIMIT_NOFILE, &kDescriptors);
  if (::chdir(launch.directory.c_str()) != 0) give_up(launch, ChildFailure::directory);
  ::execve(launch.file.c_str(), launch.argv.data(), launch.environment.data());
  if (errno == ENOEXEC) ::execve("/bin/sh", launch.shell_argv.data(), launch.environment.data());
  give_up(launch, ChildFailure::program);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (const std::string& string : strings) list.push_back(const_cast<char*>(string.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_of(const ipc::Exec& exec) {
  std::vector<std::string> environment = default_environment(exec.terminal.has_value());
  for (const auto& [name, value] : exec.env) {
    std::string setting = name + "=" + value;
    const auto same = std::find_if(environment.begin(), environment.end(), [&, prefix = name + "="](const auto& other) {
      return other.compare(0, prefix.size(), prefix) == 0;
    });
    if (same == environment.end()) {
      environment.push_back(std::move(setting));
    } else {
      *same = std::move(setting);
    }
  }
  return environment;
}

std::string value_of(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& setting : environment) {
    if (setting.size() > name.size() && setting.compare(0, name.size(), name) == 0 && setting[name.size()] == '=') {
      return setting.substr(name.size() + 1);
    }
  }
  return "";
}

enum class Found { nothing, unusable, executable };

Found look_at(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return errno == EACCES ? Found::unusable : Found::nothing;
  if (S_ISREG(status.st_mode) && ::access(file.c_str(), X_OK) == 0) return Found::executable;
  return Found::unusable;
}

ipc::Exit failure(int code, const std::string& what, int error) {
  return {code, fmt::format("{}: {}", what, std::strerror(error))};
}

// The two ends of each of a command's streams.
struct Streams {
  Command ours;
  Fd input, output, errors;  // the command's
};

void make_non_blocking(const Fd& fd) {
  if (fd) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

Result<Streams> make_pipes() {
  auto input = make_pipe();
  auto output = make_pipe();
  auto errors = make_pipe();
  if (!input || !output || !errors) return fail("no pipes: too many open files");
  Streams streams;
  streams.ours.input = std::move(input->write);
  streams.ours.output = std::move(output->read);
  streams.ours.errors = std::move(errors->read);
  streams.input = std::move(input->read);
  streams.output = std::move(output->write);
  streams.errors = std::move(errors->write);
  return streams;
}

Result<Streams> make_terminal(const ipc::TerminalSize& size) {
  Streams streams;
  streams.ours.terminal = true;
  streams.ours.input = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  const int master = streams.ours.input.get();
  char name[64];
  if (master < 0 || ::unlockpt(master) != 0 || ::ptsname_r(master, name, sizeof name) != 0) {
    return fail_errno("no pseudo-terminal");
  }
  streams.ours.output = Fd(::fcntl(master, F_DUPFD_CLOEXEC, 0));
  if (!streams.ours.output) return fail_errno("no pseudo-terminal");
  resize_terminal(master, size);
  for (Fd* end : {&streams.input, &streams.output, &streams.errors}) {
    *end = Fd(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!*end) return fail_errno("open {}", name);
  }
  return streams;
}

}  // namespace

std::vector<std::string> default_environment(bool terminal) {
  std::vector<std::string> environment = {std::string("PATH=") + kPath, std::string("HOME=") + kHome,
                                          std::string("TERM=") + (terminal ? "xterm-256color" : "dumb"), "LANG=C.UTF-8",
                                          std::string("NODE_EXTRA_CA_CERTS=") + kSessionCaFile};
  for (const char* name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"}) {
    environment.push_back(fmt::format("{}={}", name, kCaBundleFile));
  }
  return environment;
}

std::variant<std::string, ipc::Exit> find_command(const std::string& name, const std::string& path) {
  Found best = Found::nothing;
  if (name.find('/') != std::string::npos) {
    best = look_at(name);
    if (best == Found::executable) return name;
  } else if (!name.empty()) {
    for (size_t at = 0; at <= path.size();) {
      const size_t colon = std::min(path.find(':', at), path.size());
      const std::string folder = colon == at ? "." : path.substr(at, colon - at);
      const Found found = look_at(folder + "/" + name);
      if (found == Found::executable) return folder + "/" + name;
      best = std::max(best, found);
      at = colon + 1;
    }
  }
  if (best == Found::unusable) return ipc::Exit{kNotExecutable, name + ": cannot be executed"};
  return ipc::Exit{kNotFound, name + ": command not found"};
}

std::variant<Command, ipc::Exit> start_command(const ipc::Exec& exec) {
  const std::vector<std::string> environment = environment_of(exec);
  auto file = find_command(exec.argv[0], value_of(environment, "PATH"));
  if (auto* exit = std::get_if<ipc::Exit>(&file)) return std::move(*exit);

  auto streams = exec.terminal ? make_terminal(*exec.terminal) : make_pipes();
  auto report = make_pipe();
  if (!streams || !report)
    return ipc::Exit{kNotExecutable, streams ? report.error().message() : streams.error().message()};

  Launch launch{std::move(std::get<std::string>(file)),
                exec.directory.empty() ? kHome : exec.directory,
                pointers(exec.argv),
                {},
                pointers(environment),
                streams->input.get(),
                streams->output.get(),
                streams->errors.get(),
                exec.terminal.has_value(),
                report->write.get()};
  static char shell[] = "sh";
  launch.shell_argv = {shell, launch.file.data()};
  launch.shell_argv.insert(launch.shell_argv.end(), launch.argv.begin() + 1, launch.argv.end());

  const pid_t child = ::fork();
  if (child == 0) become(launch);
  if (child < 0) return failure(kNotExecutable, "cannot start a process", errno);

  report->write.reset();
  ChildFailure why{};
  ssize_t got = -1;
  do {
    got = ::read(report->read.get(), &why, sizeof why);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof why) {  // the child ends by itself; the reaper finds nobody waiting for it
    return failure(kNotExecutable, why.step == ChildFailure::directory ? launch.directory : launch.file, why.error);
  }
  Command command = std::move(streams->ours);
  command.pid = child;
  for (const Fd* end : {&command.input, &command.output, &command.errors}) make_non_blocking(*end);
  return command;
}

void resize_terminal(int master, const ipc::TerminalSize& size) {
  const winsize window{size.rows, size.columns, 0, 0};
  ::ioctl(master, TIOCSWINSZ, &window);
}

int exit_code(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace gatehouse::guest
