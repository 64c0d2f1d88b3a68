// The supervisor with real children: small programs of /bin/sh.
#include "launcher/supervisor.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "common/net/endpoint.h"

namespace gatehouse::launcher {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

constexpr auto kPatience = std::chrono::seconds(20);

// True while `pid` is a process that has not ended (a zombie has).
bool alive(pid_t pid) {
  const auto stat = read_file(fmt::format("/proc/{}/stat", pid), 4096);
  if (!stat) return false;
  const size_t state = stat->rfind(')');
  return state != std::string::npos && stat->at(state + 2) != 'Z';
}

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gatehouse-supervisor-XXXXXX";
    root_ = ::mkdtemp(name);
    log_ = Fd(::open((root_ + "/log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  ProcessSpec shell(const std::string& script) {
    ProcessSpec spec;
    spec.program = "/bin/sh";
    spec.arguments = {"-c", script};
    spec.output = log_.get();
    return spec;
  }

  Supervisor::Service service(const std::string& name, Supervisor::OnDeath on_death, const std::string& script) {
    return {name, on_death, [this, script]() -> Result<ProcessSpec> { return shell(script); }};
  }

  std::string log_text() { return read_file(root_ + "/log", 1 << 20).value_or(""); }

  // Runs the loop until the condition holds.
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    bool late = false;
    Timer look(loop_, [&] {
      late = std::chrono::steady_clock::now() > deadline;
      if (late || condition()) loop_.stop();
    });
    look.repeat(milliseconds(2));
    loop_.run();
    return !late;
  }

  Supervisor::Callbacks callbacks() {
    return {[this](audit::ProcessEvent event) {
              events_.push_back(fmt::format("{} {} {}", event.process, event.phase, event.detail));
            },
            [this](Error error) { fatal_ = error.message(); }};
  }

  Loop loop_;
  std::string root_;
  Fd log_;
  std::vector<std::string> events_;
  std::string fatal_;
};

TEST_F(SupervisorTest, SocketsArePassedByTheSystemdProtocol) {
  const auto first = open_socket(*parse_endpoint("unix:" + root_ + "/first"));
  const auto second = open_socket(*parse_endpoint("unix:" + root_ + "/second"));
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start(
      {"gate", Supervisor::OnDeath::end_session, [&]() -> Result<ProcessSpec> {
         auto spec =
             shell("echo $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID - $$)); stat -L -c %F /proc/$$/fd/3 /proc/$$/fd/4");
         spec.sockets = {{first->get(), "vhost"}, {second->get(), "host"}};
         return spec;
       }}));
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  EXPECT_EQ(log_text(), "2 vhost:host 0\nsocket\nsocket\n");
}

TEST_F(SupervisorTest, AnInheritedDescriptorFollowsTheSockets) {
  const auto socket = open_socket(*parse_endpoint("unix:" + root_ + "/socket"));
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start({"gate", Supervisor::OnDeath::end_session, [&]() -> Result<ProcessSpec> {
                                  auto pipe = make_pipe();
                                  if (!pipe) return failed(pipe);
                                  if (auto ok = write_all(pipe->write.get(), "the key"); !ok) return failed(ok);
                                  auto spec = shell("cat <&4");
                                  spec.sockets = {{socket->get(), "one"}};
                                  EXPECT_EQ(inherited_number(spec, 0), 4);
                                  spec.inherited.push_back(std::move(pipe->read));
                                  return spec;
                                }}));
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  EXPECT_EQ(log_text(), "the key");
}

TEST_F(SupervisorTest, NothingOfTheHostsEnvironmentReachesAChild) {
  ::setenv("GATEHOUSE_TEST_SECRET", "sesame", 1);
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start({"gate", Supervisor::OnDeath::end_session, [&]() -> Result<ProcessSpec> {
                                  auto spec = shell("");
                                  spec.program = "/usr/bin/env";
                                  spec.arguments.clear();
                                  return spec;
                                }}));
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  EXPECT_EQ(log_text(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\n");
  ::unsetenv("GATEHOUSE_TEST_SECRET");
}

TEST_F(SupervisorTest, AChildHasNoDescriptorBesidesItsOwn) {
  const Fd leaky(::open("/dev/null", O_RDONLY));  // not close-on-exec
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start(service("gate", Supervisor::OnDeath::end_session,
                                       "for n in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/$$/fd/$n ] && echo $n; done")));
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  EXPECT_EQ(log_text(), "");
  EXPECT_LE(leaky.get(), 12);
}

TEST_F(SupervisorTest, AChildIsInAGroupOfItsOwnWithoutCoreDumpsOrPrivileges) {
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start(
      service("gate", Supervisor::OnDeath::end_session,
              "ulimit -c; grep -E 'NoNewPrivs|CapEff' /proc/$$/status; cut -d' ' -f5 /proc/$$/stat; echo $$")));
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  std::string pid;
  std::string group;
  std::istringstream lines(log_text());
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(line, "0");
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(line, "CapEff:\t0000000000000000");
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(line, "NoNewPrivs:\t1");
  ASSERT_TRUE(std::getline(lines, group) && std::getline(lines, pid));
  EXPECT_EQ(group, pid);
}

TEST_F(SupervisorTest, AProgramThatIsMissingIsAnErrorOfTheStart) {
  Supervisor supervisor(loop_, callbacks());
  const auto started = supervisor.start({"gate", Supervisor::OnDeath::restart, [&]() -> Result<ProcessSpec> {
                                           auto spec = shell("");
                                           spec.program = "/nowhere/gatehouse-gate";
                                           return spec;
                                         }});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message(), "gate: cannot start /nowhere/gatehouse-gate: No such file or directory");
}

TEST_F(SupervisorTest, ACrashedGateIsStartedAgainAndItsSocketNeverCloses) {
  const auto socket = open_socket(*parse_endpoint("unix:" + root_ + "/gate"));
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start({"gate", Supervisor::OnDeath::restart, [&]() -> Result<ProcessSpec> {
                                  auto spec = shell("exec sleep 1000");
                                  spec.sockets = {{socket->get(), "gate"}};
                                  return spec;
                                }}));
  const pid_t first = supervisor.pid("gate");
  ::kill(first, SIGKILL);

  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (root_ + "/gate").copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

  ASSERT_TRUE(until([&] { return supervisor.pid("gate") > 0 && supervisor.pid("gate") != first; }));
  EXPECT_THAT(events_, ElementsAre("gate start ", "gate crash was killed by signal 9 (Killed)", "gate restart "));
  EXPECT_EQ(fatal_, "");
}

TEST_F(SupervisorTest, AGateThatKeepsCrashingEndsTheSession) {
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start(service("gate", Supervisor::OnDeath::restart, "exit 1")));
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  EXPECT_EQ(fatal_, "gate exited with code 1, once too often");
  EXPECT_EQ(events_.size(), 2 * (RestartBackoff::kMostCrashes + 1));
}

TEST_F(SupervisorTest, AGateThatRefusesItsConfigurationIsNotTriedAgain) {
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start(service("gate", Supervisor::OnDeath::restart, "exit 2")));
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  EXPECT_EQ(fatal_, "gate exited with code 2: it refuses its configuration");
  EXPECT_THAT(events_, ElementsAre("gate start ", "gate crash exited with code 2"));
}

TEST_F(SupervisorTest, WithoutTheBridgeTheSessionEnds) {
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start(service("bridge", Supervisor::OnDeath::end_session, "exec sleep 1000")));
  ::kill(supervisor.pid("bridge"), SIGSEGV);
  ASSERT_TRUE(until([&] { return !fatal_.empty(); }));
  EXPECT_EQ(fatal_, "bridge was killed by signal 11 (Segmentation fault): the session cannot go on without it");
}

TEST_F(SupervisorTest, StopEndsTheLastStartedFirstAndInsistsOnAStubbornOne) {
  Supervisor supervisor(loop_, callbacks());
  ASSERT_TRUE(supervisor.start(
      service("stubborn", Supervisor::OnDeath::restart, "trap '' TERM; echo deaf; while :; do sleep 1000; done")));
  ASSERT_TRUE(supervisor.start(service("meek", Supervisor::OnDeath::restart, "exec sleep 1000")));
  ASSERT_TRUE(until([&] { return log_text() == "deaf\n"; }));
  const pid_t stubborn = supervisor.pid("stubborn");
  supervisor.stop();
  EXPECT_FALSE(alive(stubborn));
  EXPECT_THAT(events_, ElementsAre("stubborn start ", "meek start ", "meek exit was killed by signal 15 (Terminated)",
                                   "stubborn exit was killed by signal 9 (Killed)"));
  EXPECT_EQ(fatal_, "");
}

TEST_F(SupervisorTest, SigkillOfTheSupervisorLeavesNoChild) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const pid_t supervisor_pid = ::fork();
  ASSERT_GE(supervisor_pid, 0);
  if (supervisor_pid == 0) {
    Loop loop;
    Supervisor supervisor(loop, {[](audit::ProcessEvent) {}, [](Error) {}});
    for (const char* name : {"dns", "proxy", "bridge"}) {
      if (!supervisor.start(
              service(name, Supervisor::OnDeath::restart, "trap '' TERM HUP; while :; do sleep 1000; done")))
        ::_exit(1);
      const pid_t child = supervisor.pid(name);
      (void)!::write(pipe->write.get(), &child, sizeof child);
    }
    loop.run();
    ::_exit(0);
  }
  pid_t children[3];
  for (auto& child : children)
    ASSERT_EQ(::read(pipe->read.get(), &child, sizeof child), static_cast<ssize_t>(sizeof child));
  for (const pid_t child : children) ASSERT_TRUE(alive(child));

  ::kill(supervisor_pid, SIGKILL);
  ASSERT_EQ(::waitpid(supervisor_pid, nullptr, 0), supervisor_pid);
  for (const pid_t child : children) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (alive(child) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_FALSE(alive(child)) << child;
  }
}

}  // namespace
}  // namespace gatehouse::launcher
