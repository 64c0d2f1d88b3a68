// Real processes: writers that are killed, writers side by side.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "common/audit/reader.h"
#include "common/audit/test_log.h"
#include "common/base/fd.h"

namespace gatehouse::audit {
namespace {

// Executor that runs completions where they are posted: on the writer thread.
class InlineExecutor final : public Executor {
 public:
  void post(std::function<void()> task) override { task(); }
};

// Runs `body` in a child process, which ends with _exit(0) after it.
pid_t in_child(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  body();
  ::_exit(0);
}

int wait_status(pid_t pid) {
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid ? status : -1;
}

// Appends rows until killed and writes the id of each into the pipe once its callback has said that it is committed.
void write_until_killed(const std::string& path, int acknowledged) {
  InlineExecutor executor;
  auto log = open_log(path);
  for (;;) {
    const NetEvent event = net_event("h", Verdict::allow);
    log->append(event, executor, [id = event.event_id, acknowledged](const Result<void>& result) {
      if (result) (void)write_all(acknowledged, id + "\n");
    });
  }
}

// Kills the child once it has acknowledged `rows`; returns all ids it acknowledged.
std::string kill_after(pid_t child, int acknowledged, size_t rows) {
  constexpr size_t kLineBytes = 37;
  std::string ids;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(acknowledged, buffer, sizeof buffer);
    if (got <= 0) break;
    const bool before = ids.size() < rows * kLineBytes;
    ids.append(buffer, static_cast<size_t>(got));
    if (before && ids.size() >= rows * kLineBytes) ::kill(child, SIGKILL);
  }
  ids.resize(ids.size() / kLineBytes * kLineBytes);  // the pipe may end in the middle of a line
  return ids;
}

std::string faults_of(const std::string& path) {
  auto report = verify(path);
  if (!report) return report.error().message();
  std::string text;
  for (const auto& fault : report->faults) text += fmt::format("{} {}: {}\n", fault.writer, fault.seq, fault.what);
  return text;
}

TEST(AuditProcesses, LoseNoAcknowledgedRowWhenKilledTenTimesUnderLoad) {
  const TempFolder folder;
  const std::string path = folder.file("audit.db");
  std::string acknowledged;
  for (int round = 0; round < 10; ++round) {
    auto pipe = make_pipe();
    ASSERT_TRUE(pipe);
    const pid_t child = in_child([&] { write_until_killed(path, pipe->write.get()); });
    pipe->write.reset();
    acknowledged += kill_after(child, pipe->read.get(), 300);
    const int status = wait_status(child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  EXPECT_EQ(faults_of(path), "");

  auto database = Database::open(path, Database::Mode::read_only);
  ASSERT_TRUE(database);
  auto find = database->prepare("SELECT 1 FROM net_events WHERE event_id = ?1");
  ASSERT_TRUE(find);
  size_t found = 0;
  std::istringstream lines(acknowledged);
  for (std::string id; std::getline(lines, id); ++found) {
    const Value key = id;
    find->bind(1, key);
    auto row = find->step();
    ASSERT_TRUE(row && *row) << id << " was acknowledged and is not there";
    find->reset();
  }
  EXPECT_GE(found, 3000U);
}

TEST(AuditProcesses, LetTheNextOneTakeTheNameOfAKilledOneAtOnce) {
  const TempFolder folder;
  const std::string path = folder.file("audit.db");
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const pid_t child = in_child([&] { write_until_killed(path, pipe->write.get()); });
  pipe->write.reset();
  char byte = 0;
  ASSERT_EQ(::read(pipe->read.get(), &byte, 1), 1);
  auto meanwhile = AuditLog::open({path, "s1", "proxy"});
  ASSERT_FALSE(meanwhile);
  EXPECT_THAT(meanwhile.error().message(), testing::HasSubstr("a live process already writes as \"proxy\""));
  ::kill(child, SIGKILL);
  wait_status(child);
  EXPECT_TRUE(AuditLog::open({path, "s1", "proxy"}));
}

TEST(AuditProcesses, WriteSideBySideIntoOneFile) {
  constexpr int kWriters = 3;
  constexpr int kRowsEach = 400;
  const TempFolder folder;
  const std::string path = folder.file("audit.db");
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    children.push_back(in_child([&] {
      auto log = open_log(path, fmt::format("writer-{}", writer));
      for (int i = 0; i < kRowsEach; ++i) {
        if (!log->append_and_wait(net_event("h"))) ::_exit(1);
      }
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(wait_status(child), 0);
  EXPECT_EQ(faults_of(path), "");
  EXPECT_EQ(
      query_text(path,
                 "SELECT group_concat(writer || ' ' || seq, ', ') FROM (SELECT * FROM chain_heads ORDER BY writer)"),
      "writer-0 400, writer-1 400, writer-2 400");
  EXPECT_EQ(query_text(path, "SELECT min(position) || ' ' || max(position) FROM net_events"), "1 1200");
}

}  // namespace
}  // namespace gatehouse::audit
