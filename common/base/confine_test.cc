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
#include "common/base/test_confined.h"
#include "common/base/uuid.h"

namespace gatehouse {
namespace {

using test::confined;
using test::landlock_is_here;
using test::outcome;
using test::try_connect;
using test::try_open;
using testing::HasSubstr;

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
