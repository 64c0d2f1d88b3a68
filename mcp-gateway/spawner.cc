#include "mcp-gateway/spawner.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>

#include "common/base/log.h"
#include "common/base/secret_bytes.h"
#include "mcp-gateway/given_secrets.h"
#include "mcp-gateway/sandbox.h"

namespace gatehouse::mcp {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kStopGrace{2000};
constexpr const char* kProgramFolders[] = {"/usr/local/bin", "/usr/bin", "/bin"};
constexpr std::string_view kInherited = "fd:";
constexpr char kPath[] = "PATH=/usr/local/bin:/usr/bin:/bin";
constexpr rlim_t kServerDescriptors = 1024;
constexpr rlim_t kServerFileBytes = rlim_t{1} << 30;
constexpr rlim_t kServerDataBytes = rlim_t{4} << 30;  // of private memory; address space alone costs nothing

bool limit(int what, rlim_t value) {
  const rlimit bound{value, value};
  return ::setrlimit(static_cast<__rlimit_resource>(what), &bound) == 0;
}

struct Child {
  pid_t pid = -1;
  Fd pidfd;
  std::optional<steady_clock::time_point> kill_at;  // being stopped
};

class Spawner {
 public:
  Spawner(Fd socket, const std::vector<policy::McpServer>& servers, std::string work)
      : socket_(std::move(socket)), servers_(servers), work_(std::move(work)) {}

  Result<void> read_secrets(const std::string& source);
  void run();

 private:
  void take(const SpawnRequest& request);
  int start(uint32_t index, Fd (&ours)[kServerStreams]);  // an errno
  [[noreturn]] void become(const policy::McpServer& server, const std::string& program, const std::string& folder,
                           const Fd (&ends)[kServerStreams], int status_pipe);
  void stop(Child& child, int signal);
  void reap(uint32_t index);
  void end_all();
  void reply(const SpawnReply& reply, const Fd* streams = nullptr);

  Fd socket_;
  const std::vector<policy::McpServer>& servers_;
  const std::string work_;
  std::map<std::string, SecretBytes> secrets_;
  std::map<uint32_t, Child> children_;
};

Result<void> Spawner::read_secrets(const std::string& source) {
  auto given = read_given_secrets(source);
  if (!given) return failed(given, "what servers are given");
  secrets_ = std::move(*given);
  return {};
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (const char* folder : kProgramFolders) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

void Spawner::become(const policy::McpServer& server, const std::string& program, const std::string& folder,
                     const Fd (&ends)[kServerStreams], int status_pipe) {
  std::vector<std::string> environment = {kPath, "LANG=C.UTF-8", "HOME=" + folder, "TMPDIR=" + folder};
  for (const auto& name : server.secrets) {
    environment.push_back(fmt::format("{}={}", name, secrets_.at(name).view()));
  }
  std::vector<char*> argv, envp;
  for (const auto& word : server.command) argv.push_back(const_cast<char*>(word.c_str()));
  for (auto& entry : environment) envp.push_back(entry.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);  // KILL and STOP refuse
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  bool fine = ::setpgid(0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  fine = fine && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  fine = fine && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, kServerDescriptors);
  fine = fine && limit(RLIMIT_FSIZE, kServerFileBytes) && limit(RLIMIT_DATA, kServerDataBytes);
  fine = fine && ::chdir((server.directory.empty() ? folder : server.directory).c_str()) == 0;
  for (int i = 0; i < static_cast<int>(kServerStreams); ++i) fine = fine && ::dup2(ends[i].get(), i) == i;
  ::umask(077);
  ::close_range(kServerStreams, ~0U, CLOSE_RANGE_CLOEXEC);
  if (fine && server.sandbox) {
    if (const int why = enter_sandbox(*server.sandbox, program, folder); why != 0) {
      (void)!::write(status_pipe, &why, sizeof why);
      ::_exit(127);
    }
  }
  if (fine) ::execve(program.c_str(), argv.data(), envp.data());
  const int error = errno;
  (void)!::write(status_pipe, &error, sizeof error);
  ::_exit(127);
}

int Spawner::start(uint32_t index, Fd (&ours)[kServerStreams]) {
  const auto& server = servers_[index];
  const std::string program = find_program(server.command.front());
  if (program.empty()) return ENOENT;
  for (const auto& name : server.secrets) {
    if (!secrets_.contains(name)) return ENOKEY;
  }
  const std::string folder = fmt::format("{}/{}", work_, server.name);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return errno;
  Fd ends[kServerStreams];
  for (size_t i = 0; i < kServerStreams; ++i) {
    auto pair = make_socket_pair();
    if (!pair) return EMFILE;
    ours[i] = std::move(pair->first);
    // Above the standard ones, so that none is overwritten before it is in its place.
    ends[i] = Fd(::fcntl(pair->second.get(), F_DUPFD_CLOEXEC, 10));
    if (!ends[i]) return errno;
  }
  auto status = make_pipe();
  if (!status) return EMFILE;
  Fd status_pipe(::fcntl(status->write.get(), F_DUPFD_CLOEXEC, 10));
  status->write.reset();
  const pid_t pid = ::fork();
  if (pid < 0) return errno;
  if (pid == 0) become(server, program, folder, ends, status_pipe.get());
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  status_pipe.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(status->read.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == 0 && pidfd) {
    children_.emplace(index, Child{pid, std::move(pidfd), std::nullopt});
    return 0;
  }
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return error == 0 ? EAGAIN : error;
}

void Spawner::stop(Child& child, int signal) {
  ::kill(-child.pid, signal);
  child.kill_at = steady_clock::now() + kStopGrace;
}

// Its group goes with it, before its number can be anybody else's.
void Spawner::reap(uint32_t index) {
  const auto at = children_.find(index);
  ::kill(-at->second.pid, SIGKILL);
  int status = 0;
  while (::waitpid(at->second.pid, &status, 0) < 0 && errno == EINTR) {
  }
  children_.erase(at);
  reply({SpawnReply::What::ended, index, status});
}

void Spawner::reply(const SpawnReply& said, const Fd* streams) {
  iovec bytes{const_cast<SpawnReply*>(&said), sizeof said};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kServerStreams)] = {};
  if (streams != nullptr) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * kServerStreams);
    int numbers[kServerStreams];
    for (size_t i = 0; i < kServerStreams; ++i) numbers[i] = streams[i].get();
    std::memcpy(CMSG_DATA(header), numbers, sizeof numbers);
  }
  (void)!::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);  // who is not there any more is noticed by reading
}

void Spawner::take(const SpawnRequest& request) {
  if (request.server >= servers_.size() || servers_[request.server].endpoint) return;
  const auto running = children_.find(request.server);
  if (request.what == SpawnRequest::What::stop) {
    if (running != children_.end() && !running->second.kill_at) stop(running->second, SIGTERM);
    return;
  }
  if (request.what != SpawnRequest::What::start || running != children_.end()) return;
  Fd ours[kServerStreams];
  const int error = start(request.server, ours);
  if (error != 0) return reply({SpawnReply::What::failed, request.server, error});
  reply({SpawnReply::What::started, request.server, children_.at(request.server).pid}, ours);
}

void Spawner::end_all() {
  for (auto& [index, child] : children_) stop(child, SIGTERM);
  const auto until = steady_clock::now() + kStopGrace;
  while (!children_.empty() && steady_clock::now() < until) {
    pollfd first{children_.begin()->second.pidfd.get(), POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now()).count();
    if (::poll(&first, 1, static_cast<int>(std::max<int64_t>(left, 0))) > 0) reap(children_.begin()->first);
  }
  while (!children_.empty()) reap(children_.begin()->first);  // which kills
}

void Spawner::run() {
  for (;;) {
    std::vector<pollfd> watched = {{socket_.get(), POLLIN, 0}};
    std::vector<uint32_t> indices;
    int wait = -1;
    const auto now = steady_clock::now();
    for (auto& [index, child] : children_) {
      watched.push_back({child.pidfd.get(), POLLIN, 0});
      indices.push_back(index);
      if (!child.kill_at) continue;
      if (*child.kill_at <= now) {
        stop(child, SIGKILL);
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*child.kill_at - now).count() + 1;
      if (wait < 0 || left < wait) wait = static_cast<int>(left);
    }
    if (::poll(watched.data(), watched.size(), wait) < 0 && errno != EINTR) return end_all();
    for (size_t i = 0; i < indices.size(); ++i) {
      if (watched[i + 1].revents != 0) reap(indices[i]);
    }
    if (watched[0].revents == 0) continue;
    SpawnRequest request;
    const ssize_t got = ::recv(socket_.get(), &request, sizeof request, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return end_all();
    if (got == static_cast<ssize_t>(sizeof request)) take(request);
  }
}

[[noreturn]] void run_spawner(int socket, const std::vector<policy::McpServer>& servers, const std::string& secrets,
                              const std::string& work) {
  // The terminal's ^C and the supervisor's SIGTERM are the gateway's business; we end when it does.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(number, SIG_IGN);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_NAME, "mcp-spawner", 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  limit(RLIMIT_CORE, 0);
  // Of what the gateway holds, this and no more.
  constexpr int kKept = 200;
  const int kept = ::fcntl(socket, F_DUPFD_CLOEXEC, kKept);
  std::string source = secrets;
  int last = kept;
  if (secrets.starts_with(kInherited)) {
    last = ::fcntl(std::atoi(secrets.c_str() + kInherited.size()), F_DUPFD_CLOEXEC, kept + 1);
    source = fmt::format("{}{}", kInherited, last);
  }
  if (kept < 0 || last < 0) ::_exit(1);
  ::close_range(STDERR_FILENO + 1, static_cast<unsigned>(kept) - 1, 0);
  ::close_range(static_cast<unsigned>(last) + 1, ~0U, 0);
  Spawner spawner{Fd(kept), servers, work};
  if (auto ok = spawner.read_secrets(source); !ok) {
    log::error("secrets of servers: {}", ok.error().message());
    ::_exit(1);
  }
  spawner.run();
  ::_exit(0);
}

}  // namespace

Result<Fd> start_spawner(const std::vector<policy::McpServer>& servers, const std::string& secrets,
                         const std::string& work) {
  if (::mkdir(work.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("{}", work);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("a socket for servers");
  Fd ours(ends[0]);
  Fd its(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("cannot start the process that starts servers");
  if (pid == 0) {
    ours.reset();
    run_spawner(its.release(), servers, secrets, work);
  }
  // Read by it alone.
  if (secrets.starts_with(kInherited)) Fd(std::atoi(secrets.c_str() + kInherited.size())).reset();
  return ours;
}

}  // namespace gatehouse::mcp
