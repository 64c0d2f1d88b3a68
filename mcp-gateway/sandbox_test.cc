#include "mcp-gateway/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "common/base/test_confined.h"
#include "common/base/uuid.h"

namespace gatehouse::mcp {
namespace {

class SandboxTest : public testing::Test {
 protected:
  SandboxTest() {
    for (const auto* folder : {"read", "write", "own", "other"}) {
      std::filesystem::create_directories(root_ + "/" + folder);
      std::ofstream(file(folder)) << "x";
    }
  }
  ~SandboxTest() override { std::filesystem::remove_all(root_); }
  std::string file(const std::string& folder) const { return root_ + "/" + folder + "/file"; }

  // The names of what `attempts` say can be done in a sandbox, by a process of its own.
  std::string done_in(const policy::McpSandbox& sandbox,
                      const std::vector<std::pair<std::string, std::function<bool()>>>& attempts) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      std::string done = std::to_string(enter_sandbox(sandbox, "/bin/true", root_ + "/own"));
      for (const auto& [name, attempt] : attempts) {
        if (attempt()) done += " " + name;
      }
      (void)!::write(ends[1], done.data(), done.size());
      ::_exit(0);
    }
    ::close(ends[1]);
    std::string told(4096, '\0');
    const ssize_t got = ::read(ends[0], told.data(), told.size());
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    told.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return told;
  }
  std::vector<std::pair<std::string, std::function<bool()>>> attempts() const {
    const auto opens = [](const std::string& path, int flags) {
      return [path, flags] { return ::open(path.c_str(), flags, 0600) >= 0; };
    };
    const auto has_socket = [](int family) { return [family] { return ::socket(family, SOCK_STREAM, 0) >= 0; }; };
    std::vector<std::pair<std::string, std::function<bool()>>> all;
    for (const auto* folder : {"read", "write", "own", "other"}) {
      all.emplace_back(std::string("reads-") + folder, opens(file(folder), O_RDONLY));
      all.emplace_back(std::string("writes-") + folder, opens(file(folder), O_WRONLY));
      all.emplace_back(std::string("makes-") + folder, opens(file(folder) + ".new", O_WRONLY | O_CREAT));
    }
    all.emplace_back("passwd", opens("/etc/passwd", O_RDONLY));
    all.emplace_back("parent", opens("/proc/" + std::to_string(::getpid()) + "/environ", O_RDONLY));
    all.emplace_back("inet", has_socket(AF_INET));
    all.emplace_back("unix", has_socket(AF_UNIX));
    all.emplace_back("vsock", has_socket(AF_VSOCK));
    all.emplace_back("unix-by-half-a-register",
                     [] { return ::syscall(SYS_socket, (1UL << 32) | AF_UNIX, SOCK_STREAM, 0) >= 0; });
    all.emplace_back("datagram-pair", [] {
      int ends[2];
      return ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0;
    });
    all.emplace_back("pair", [] {
      int ends[2];
      return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
    });
    return all;
  }

  const std::string root_ = testing::TempDir() + "sandbox." + make_uuid();
};

TEST_F(SandboxTest, LeavesAServerItsOwnFolderAndWhatThePolicyNames) {
  if (!test::landlock_is_here()) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(done_in({{root_ + "/read"}, {root_ + "/write"}, false}, attempts()),
            "0 reads-read reads-write writes-write makes-write reads-own writes-own makes-own pair");
  EXPECT_EQ(done_in({{}, {}, true}, attempts()), "0 reads-own writes-own makes-own inet pair");
}

TEST_F(SandboxTest, IsNoneWhereAFolderToWriteIsMissing) {
  if (!test::landlock_is_here()) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(done_in({{}, {root_ + "/missing"}, false}, {}), std::to_string(ENOENT));
}

}  // namespace
}  // namespace gatehouse::mcp
