// Every test confines a child process of its own, since nothing undoes it.
#include "common/base/confine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "common/base/fd.h"
#include "common/base/landlock.h"
#include "common/base/uuid.h"

namespace gatehouse {
namespace {

using testing::HasSubstr;

// confine() says why sanitizer builds stop short.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_WHEN_SANITIZED() GTEST_SKIP() << "sanitizer build"
#else
#define SKIP_WHEN_SANITIZED() static_cast<void>(0)
#endif

// What `act` answers in a child that has called confine(), or how the child ended instead.
std::string confined(const Confinement& confinement, const std::function<std::string()>& act) {
  auto pipe = make_pipe();
  if (!pipe) return pipe.error().message();
  const pid_t child = ::fork();
  if (child == 0) {
    auto done = confine(confinement);
    (void)write_all(pipe->write.get(), done ? act() : done.error().message());
    ::_exit(0);
  }
  pipe->write.reset();
  auto answer = read_all(pipe->read.get(), 64 * 1024);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("killed by {}", ::sigabbrev_np(WTERMSIG(status)));
  return answer ? *answer : answer.error().message();
}

// "ok" or the name of errno.
std::string outcome(bool fine) { return fine ? "ok" : ::strerrorname_np(errno); }

std::string try_open(const std::string& path, int flags) {
  const Fd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return outcome(static_cast<bool>(file));
}

std::string try_connect(int family) {
  const Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::string("socket: ") + ::strerrorname_np(errno);
  sockaddr_in loopback{};
  loopback.sin_family = AF_INET;
  loopback.sin_port = htons(1);
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return outcome(::connect(socket.get(), reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0);
}

bool landlock_is_here() {
  return confined({}, [] { return try_open("/", O_RDONLY); }) == "EACCES";
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("gatehouse-confine-" + make_uuid())) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(Confine, OpensNoFileThatWasNotNamed) {
  SKIP_WHEN_SANITIZED();
  if (!landlock_is_here()) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(confined({}, [] { return try_open("/etc/passwd", O_RDONLY); }), "EACCES");
  EXPECT_EQ(confined({.read_paths = {"/etc"}}, [] { return try_open("/etc/passwd", O_RDONLY); }), "ok");
  EXPECT_EQ(confined({.read_paths = {"/etc/passwd"}}, [] { return try_open("/etc/group", O_RDONLY); }), "EACCES");
}

TEST(Confine, WritesOnlyWhereItMay) {
  SKIP_WHEN_SANITIZED();
  if (!landlock_is_here()) GTEST_SKIP() << "this kernel has no Landlock";
  const Folder folder;
  const std::string file = folder.path() + "/file";
  const auto create = [&] { return try_open(file, O_RDWR | O_CREAT | O_TRUNC); };
  EXPECT_EQ(confined({.read_paths = {folder.path()}}, create), "EACCES");
  EXPECT_EQ(confined({.write_paths = {folder.path()}}, create), "ok");
  EXPECT_EQ(confined({.write_paths = {folder.path()}}, [&] { return outcome(::unlink(file.c_str()) == 0); }), "ok");
  EXPECT_THAT(confined({.write_paths = {folder.path() + "/none"}}, create), HasSubstr("cannot allow"));
}

TEST(Confine, ReachesOutAsFarAsItMay) {
  SKIP_WHEN_SANITIZED();
  const struct {
    Outbound outbound;
    int family;
    std::string answer;
  } cases[] = {
      {Outbound::none, AF_INET, "socket: EPERM"},
      {Outbound::none, AF_INET6, "socket: EPERM"},
      {Outbound::none, AF_UNIX, "socket: EPERM"},
      {Outbound::unix_sockets, AF_INET, "socket: EPERM"},
      {Outbound::unix_sockets, AF_UNIX, "EINVAL"},  // an IPv4 address on a Unix socket: connect() itself was let
                                                    // through
      {Outbound::network, AF_INET, "ECONNREFUSED"},
      {Outbound::network, AF_PACKET, "socket: EPERM"},
      {Outbound::network, AF_VSOCK, "socket: EPERM"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(confined({.outbound = c.outbound}, [&] { return try_connect(c.family); }), c.answer) << c.family;
  }
}

TEST(Confine, ConnectsNoInheritedSocket) {
  SKIP_WHEN_SANITIZED();
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(confined({.outbound = Outbound::none},
                     [&] {
                       const sockaddr nobody{};
                       return outcome(::connect(socket.get(), &nobody, sizeof nobody) == 0);
                     }),
            "EPERM");
}

TEST(Confine, DiesOfWhatNothingOfOursDoes) {
  SKIP_WHEN_SANITIZED();
  const struct {
    const char* name;
    std::function<bool()> act;
  } cases[] = {
      {"execve", [] { return ::execl("/bin/true", "true", nullptr) == 0; }},
      {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; }},
      {"mount", [] { return ::mount("none", "/tmp", "tmpfs", 0, nullptr) == 0; }},
      {"unshare", [] { return ::unshare(CLONE_NEWUSER) == 0; }},
  };
  for (const auto& c : cases) {
    for (const auto outbound : {Outbound::none, Outbound::network}) {
      EXPECT_EQ(confined({.outbound = outbound, .read_paths = {"/"}}, [&] { return outcome(c.act()); }),
                "killed by SYS")
          << c.name;
    }
  }
}

TEST(Confine, RefusesProcessesAndNewCode) {
  SKIP_WHEN_SANITIZED();
  EXPECT_EQ(confined({}, [] { return outcome(::fork() >= 0); }), "EPERM");
  EXPECT_EQ(confined({},
                     [] {
                       return outcome(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                             0) != MAP_FAILED);
                     }),
            "EPERM");
  EXPECT_EQ(confined({}, [] { return outcome(::kill(::getppid(), SIGTERM) == 0); }), "EPERM");
}

TEST(Confine, ServesConnectionsOnASocketItHas) {
  const Folder folder;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder.path() + "/s").c_str(), sizeof address.sun_path - 1);
  const Fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listening.get(), 1), 0);
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_TRUE(write_all(client.get(), "?"));
  EXPECT_EQ(confined({},
                     [&]() -> std::string {
                       const Fd accepted(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
                       char question = 0;
                       if (::read(accepted.get(), &question, 1) != 1) return "nothing read";
                       auto written = write_all(accepted.get(), "!");
                       return written ? std::string(1, question) : written.error().message();
                     }),
            "?");
  char answer = 0;
  EXPECT_EQ(::read(client.get(), &answer, 1), 1);
  EXPECT_EQ(answer, '!');
}

TEST(Confine, StartsThreads) {
  EXPECT_EQ(confined({},
                     [] {
                       std::string said;
                       std::thread([&] { said = "hello"; }).join();
                       return said;
                     }),
            "hello");
}

TEST(Confine, ConfinesThreadsStartedLater) {
  SKIP_WHEN_SANITIZED();
  EXPECT_EQ(confined({},
                     [] {
                       std::string answer;
                       std::thread([&] { answer = try_connect(AF_INET); }).join();
                       return answer;
                     }),
            "socket: EPERM");
}

TEST(Confine, ResolvesNamesWithTheResolverPaths) {
  SKIP_WHEN_SANITIZED();
  EXPECT_EQ(confined({.outbound = Outbound::network, .read_paths = system_resolver_paths()},
                     []() -> std::string {
                       addrinfo* found = nullptr;
                       const int code = ::getaddrinfo("localhost", "443", nullptr, &found);
                       if (code != 0) return ::gai_strerror(code);
                       ::freeaddrinfo(found);
                       return "found";
                     }),
            "found");
}

TEST(Confine, LimitsOpenFilesAndForbidsCoreDumps) {
  EXPECT_EQ(confined({.max_open_files = 16},
                     [] {
                       rlimit files{};
                       rlimit core{};
                       ::getrlimit(RLIMIT_NOFILE, &files);
                       ::getrlimit(RLIMIT_CORE, &core);
                       return fmt::format("{} {} {} {}", files.rlim_cur, files.rlim_max, core.rlim_cur, core.rlim_max);
                     }),
            "16 16 0 0");
}

TEST(Confine, RefusesToBeginWithThreadsRunning) {
  SKIP_WHEN_SANITIZED();
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const pid_t child = ::fork();
  if (child == 0) {
    std::thread([&] { ::pause(); }).detach();
    auto done = confine({});
    (void)write_all(pipe->write.get(), done ? "confined" : done.error().message());
    ::_exit(0);
  }
  pipe->write.reset();
  EXPECT_EQ(read_all(pipe->read.get(), 1000).value_or(""), "confinement: 2 threads run already");
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace gatehouse
