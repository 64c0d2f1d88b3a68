#include <gmock/gmock.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/base/options.h"
#include "common/base/uuid.h"
#include "launcher/command.h"

namespace gatehouse::launcher {
namespace {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Runs "gatehouse <arguments>" with the policy subcommands alone.
Outcome gatehouse(std::vector<std::string> arguments) {
  CLI::App app;
  Run run;
  add_policy_command(app, run);
  std::reverse(arguments.begin(), arguments.end());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  try {
    app.parse(arguments);
    outcome.code = run();
  } catch (const CLI::ParseError& error) {
    outcome.code = kExitUsage;
  }
  std::fflush(stdout);
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

std::string file_with(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + "/" + name;
  std::ofstream(path) << text;
  return path;
}

constexpr const char* kGood = R"({"version": 1, "name": "good",
  "http": [{"id": "r", "action": "allow", "hosts": ["a.example.com"]}],
  "tests": [{"http": "GET https://a.example.com/", "expect": "allow"}]})";
constexpr const char* kFailing = R"({"version": 1, "name": "failing",
  "tests": [{"http": "GET https://a.example.com/", "expect": "allow"},
            {"dns": "A b.example.com", "expect": "deny"}]})";

TEST(PolicyCommand, ChecksEachFileAndNamesThePlaceOfAnError) {
  const std::string good = file_with("good.json", kGood);
  const std::string bad = file_with("bad.json", "{\"version\": 1, \"htp\": []}");
  EXPECT_EQ(gatehouse({"policy", "check", good}).code, kExitOk);
  const Outcome outcome = gatehouse({"policy", "check", bad, good});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr(bad + ":1:16: unknown key 'htp'; did you mean 'http'?\n"));
  EXPECT_EQ(outcome.out, good + ": fine\n");
}

TEST(PolicyCommand, PrintsATableOfTestsAndWhereTheFailingOnesStand) {
  const std::string good = file_with("good.json", kGood);
  const std::string failing = file_with("failing.json", kFailing);
  EXPECT_EQ(gatehouse({"policy", "test", good}).code, kExitOk);
  const Outcome outcome = gatehouse({"policy", "test", good, failing});
  EXPECT_EQ(outcome.code, kExitNo);
  EXPECT_EQ(outcome.out,
            good +
                "\n"
                "ok      GET https://a.example.com/  allow by r\n" +
                failing +
                "\n"
                "FAILED  GET https://a.example.com/  deny by default-deny\n"
                "ok      dns A b.example.com         deny by default-deny\n"
                "\n"
                "3 tests, 1 failed\n" +
                failing +
                ":2: GET https://a.example.com/: expected allow, not deny by default-deny: no rule of policy 'failing' "
                "allows GET https://a.example.com/; no rule names this host\n");
}

// A scanner with the one rule "sample-key" of category credentials, which warns.
class PolicyCommandWithRules : public testing::Test {
 protected:
  PolicyCommandWithRules() {
    std::filesystem::create_directory(directory_);
    std::ofstream(directory_ / "sample.json") << R"({"rules": [{"id": "sample-key", "title": "sample key",
        "category": "credentials", "pattern": "sample_[a-z]{20}", "keywords": ["sample_"], "severity": "warn",
        "examples": ["sample_abcdefghijklmnopqrst"]}]})";
    ::setenv("GATEHOUSE_RULES", directory_.c_str(), 1);
  }
  ~PolicyCommandWithRules() override {
    ::unsetenv("GATEHOUSE_RULES");
    std::filesystem::remove_all(directory_);
  }

  std::filesystem::path directory_ = std::filesystem::temp_directory_path() / ("gatehouse-rules-" + make_uuid());
};

TEST_F(PolicyCommandWithRules, RefusesARuleTheScannerDoesNotHave) {
  const std::string file = file_with("rules.json", R"({"version": 1, "dlp": {"deny": ["sampel-key"]}})");
  for (const std::string command : {"check", "test"}) {
    const Outcome outcome = gatehouse({"policy", command, file});
    EXPECT_EQ(outcome.code, kExitUsage);
    EXPECT_EQ(outcome.err, file +
                               ":1:33: the scanner has no rule 'sampel-key'; did you mean 'sample-key'?\n"
                               "{\"version\": 1, \"dlp\": {\"deny\": [\"sampel-key\"]}}\n"
                               "                                ^\n");
  }
}

TEST_F(PolicyCommandWithRules, TestsAndExplainsWhatBecomesOfAFinding) {
  const std::string file = file_with("rules.json", R"({"version": 1, "name": "r", "dlp": {"deny": ["credentials"],
    "exempt": [{"id": "docs", "rule": "sample-key", "hosts": ["docs.example.com"]}]},
  "tests": [{"dlp": "sample-key a.example.com", "expect": "deny"},
            {"dlp": "sample-key docs.example.com", "expect": "exempt", "rule": "docs"},
            {"dlp": "known-secret docs.example.com", "expect": "warn"}]})");
  const Outcome tested = gatehouse({"policy", "test", file});
  EXPECT_EQ(tested.code, kExitNo);
  EXPECT_EQ(tested.out, file +
                            "\n"
                            "ok      dlp sample-key a.example.com       deny\n"
                            "ok      dlp sample-key docs.example.com    exempt by docs\n"
                            "FAILED  dlp known-secret docs.example.com  deny\n"
                            "\n"
                            "3 tests, 1 failed\n" +
                            file +
                            ":5: dlp known-secret docs.example.com: expected warn, not deny: the rule itself asks to "
                            "deny and no policy says otherwise\n");
  EXPECT_THAT(
      gatehouse({"policy", "explain", "--policy", file, "dlp sample-key a.example.com"}).out,
      ::testing::StartsWith("dlp sample-key a.example.com\ndeny: policy 'r' lists 'credentials' in \"deny\"\n"));
  EXPECT_EQ(gatehouse({"policy", "explain", "--policy", file, "dlp simple-key a.example.com"}).err,
            "the scanner has no rule 'simple-key'; did you mean 'sample-key'?\n");
}

TEST(PolicyCommand, ExplainsAQuestionOrTheRulesInForce) {
  const std::string good = file_with("good.json", kGood);
  EXPECT_THAT(gatehouse({"policy", "explain", "--policy", good}).out, ::testing::HasSubstr("all else is denied"));
  const Outcome outcome = gatehouse({"policy", "explain", "--policy", good, "POST https://a.example.com/x"});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_THAT(outcome.out, ::testing::StartsWith(
                               "POST https://a.example.com/x\nallow by r: rule 'r' of policy 'good' allows this\n"));
  const Outcome unreadable = gatehouse({"policy", "explain", "--policy", good, "what?"});
  EXPECT_EQ(unreadable.code, kExitUsage);
  EXPECT_THAT(
      unreadable.err,
      ::testing::HasSubstr(
          "cannot read 'what?'; expected \"GET https://host/path\", \"git push "
          "https://host/path branch\", \"tls host\", \"mcp server tool {...}\", \"resource server uri\", \"prompt server name\", \"dns A name\" or \"dlp rule host\""));
}

}  // namespace
}  // namespace gatehouse::launcher
