// The log in a process that has confined itself as a gate does.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/audit/reader.h"
#include "common/audit/test_log.h"
#include "common/base/confine.h"

namespace gatehouse::audit {
namespace {

// Ends the child process with 0 when every step worked, else with the number of the one that did not.
int write_confined(const std::string& folder, const std::string& path, bool open_first) {
  std::unique_ptr<AuditLog> log;
  if (open_first) log = open_log(path, "dns");
  if (!confine({.outbound = Outbound::none, .write_paths = {folder}})) return 1;
  if (!open_first) log = open_log(path, "dns");
  // Enough rows for checkpoints, which read, write and fsync the file behind the log.
  for (int i = 0; i < 5000; ++i) log->append(dns_event("a.example", "198.18.0.1"));
  if (!log->append_and_wait(dns_event("b.example", "198.18.0.2"))) return 2;
  if (auto reader = AuditReader::open(path); !reader || !(*reader)->pool_answers()) return 3;
  log.reset();
  return 0;
}

TEST(ConfinedAuditLog, WritesWhetherItWasOpenedBeforeOrAfter) {
  for (const bool open_first : {true, false}) {
    const TempFolder folder;
    const std::string path = folder.file("audit.db");
    const pid_t child = ::fork();
    if (child == 0) ::_exit(write_confined(folder.file(""), path, open_first));
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << "killed by " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    auto report = verify(path);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->rows, 5001);
    EXPECT_TRUE(report->faults.empty());
  }
}

}  // namespace
}  // namespace gatehouse::audit
