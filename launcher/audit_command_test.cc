#include "launcher/command.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/audit/log.h"
#include "common/audit/reader.h"
#include "common/base/fd.h"
#include "common/base/options.h"
#include "common/base/uuid.h"

namespace gatehouse::launcher {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class AuditCommand : public testing::Test {
 protected:
  AuditCommand() {
    ::setenv("TZ", "UTC", 1);
    std::filesystem::create_directory(folder_);
    log_ = std::move(*audit::AuditLog::open({path_, "s1", "proxy"}));
  }
  ~AuditCommand() override {
    log_.reset();
    std::filesystem::remove_all(folder_);
  }

  void add(const std::string& host, const Decision& decision) {
    audit::NetEvent event;
    event.decision = decision;
    event.channel = "https";
    event.host = host;
    event.port = 443;
    event.method = "GET";
    event.path = "/x";
    ASSERT_TRUE(log_->append_and_wait(event));
  }

  static launcher::Run choose(std::vector<std::string> arguments) {
    CLI::App app;
    launcher::Run chosen;
    add_audit_command(app, chosen);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    app.parse(arguments);
    return chosen;
  }

  // The exit code; what it prints is in output_.
  int run(const std::vector<std::string>& arguments) {
    const launcher::Run chosen = choose(arguments);
    testing::internal::CaptureStdout();
    const int code = chosen();
    output_ = testing::internal::GetCapturedStdout();
    return code;
  }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("gatehouse-audit-" + make_uuid());
  std::string path_ = folder_ / "audit.db";
  std::unique_ptr<audit::AuditLog> log_;
  std::string output_;
};

TEST_F(AuditCommand, PrintsAnAlignedTableWithoutColorIntoAPipe) {
  add("a.example", {Verdict::allow, "npm", "listed"});
  add("long-name.example", {Verdict::deny, "default-deny", "no rule allows this"});
  EXPECT_EQ(run({"audit", path_}), kExitOk);
  const std::string time = "....-..-.. ..:..:..\\....  ";
  EXPECT_THAT(
      output_,
      MatchesRegex("TIME                     CHANNEL  WHAT                         VERDICT  RULE          REASON\n" +
                   time + "https    GET a.example:443/x          allow    npm           listed\n" + time +
                   "https    GET long-name.example:443/x  deny     default-deny  no rule allows this\n"));
}

TEST_F(AuditCommand, PrintsDenialsOnlyOnRequest) {
  add("good.example", {Verdict::allow, "npm", "listed"});
  add("bad.example", {Verdict::deny, "default-deny", "no rule allows this"});
  EXPECT_EQ(run({"audit", path_, "--blocked"}), kExitOk);
  EXPECT_THAT(output_, Not(HasSubstr("good.example")));
  EXPECT_THAT(output_, HasSubstr("bad.example"));
}

TEST_F(AuditCommand, PrintsFindingsWithWhatBecameOfThem) {
  audit::DlpFinding finding;
  finding.channel = "https";
  finding.direction = "out";
  finding.host = "a.example";
  finding.rule = "github-pat";
  finding.location = "body";
  finding.decode_path = "gzip>json";
  finding.prefix = "ghp_";
  for (const auto action : {FindingAction::redact, FindingAction::warn}) {
    finding.action = to_string(action);
    finding.decision = {Verdict::allow, "dlp.github-pat", "a GitHub token in the body"};
    ASSERT_TRUE(log_->append_and_wait(finding));
  }
  EXPECT_EQ(run({"audit", path_, "--blocked"}), kExitOk);
  const std::string row =
      "....-..-.. ..:..:..\\....  dlp      a.example: github-pat in body via gzip>json \\(ghp_\\.\\.\\.\\)  ";
  EXPECT_THAT(output_, MatchesRegex("TIME [^\n]*\n" + row + "redact   dlp.github-pat  a GitHub token in the body\n"));
  EXPECT_EQ(run({"audit", path_}), kExitOk);
  EXPECT_THAT(output_, HasSubstr("  warn     dlp.github-pat  a GitHub token in the body\n"));
}

TEST_F(AuditCommand, PrintsOneJsonObjectALine) {
  add("a.example", {Verdict::allow, "npm", "listed"});
  EXPECT_EQ(run({"audit", "--json", path_}), kExitOk);
  EXPECT_THAT(output_, MatchesRegex("\\{\"table\":\"net_events\",[^\n]*\"host\":\"a.example\"[^\n]*\\}\n"));
}

// Reads the command's output as it comes: a first row, a row committed meanwhile, then SIGINT.
TEST_F(AuditCommand, FollowsUntilInterrupted) {
  add("before.example", {Verdict::allow, "npm", "listed"});
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);  // for this test's threads: only the command may take it
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const Fd real_stdout(::dup(STDOUT_FILENO));
  ::dup2(pipe->write.get(), STDOUT_FILENO);
  const pthread_t main_thread = pthread_self();
  std::string seen;
  std::thread person([&] {
    const auto read_until = [&](const std::string& word) {
      char buffer[4096];
      while (seen.find(word) == std::string::npos) {
        const ssize_t got = ::read(pipe->read.get(), buffer, sizeof buffer);
        if (got <= 0) break;
        seen.append(buffer, static_cast<size_t>(got));
      }
    };
    read_until("before.example");
    add("after.example", {Verdict::deny, "default-deny", "no rule allows this"});
    read_until("after.example");
    pthread_kill(main_thread, SIGINT);
  });
  const int code = choose({"audit", "--follow", path_})();
  ::dup2(real_stdout.get(), STDOUT_FILENO);
  person.join();
  EXPECT_EQ(code, kExitOk);
  EXPECT_THAT(seen, HasSubstr("after.example"));
}

TEST_F(AuditCommand, VerifiesWithThreeAnswers) {
  add("a.example", {Verdict::allow, "npm", "listed"});
  EXPECT_EQ(run({"audit", "verify", path_}), kExitOk);
  EXPECT_EQ(output_, "1 rows, 1 writers, intact\n");
  EXPECT_EQ(run({"audit", "verify", (folder_ / "none.db").string()}), kExitUsage);
  log_.reset();
  std::filesystem::copy_file(path_, folder_ / "doctored.db");
  {
    // A doctored host name, as somebody with an editor would leave it.
    std::fstream file(folder_ / "doctored.db", std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    file.seekp(static_cast<std::streamoff>(bytes.find("a.example")));
    file << "b";
  }
  EXPECT_EQ(run({"audit", "verify", (folder_ / "doctored.db").string()}), kExitNo);
  EXPECT_EQ(output_,
            "proxy row 1 in net_events: edited: its contents do not give its hash after that of row 0\n"
            "1 rows, 1 writers, 1 faults\n");
}

}  // namespace
}  // namespace gatehouse::launcher
