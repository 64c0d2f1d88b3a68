// gatehouse policy check [FILES]; gatehouse policy test [FILES]; gatehouse policy explain [--policy FILE] [QUESTION];
// gatehouse policy reload [--session NAME]
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "common/approval/protocol.h"
#include "common/base/log.h"
#include "common/base/options.h"
#include "common/policy/policy.h"
#include "launcher/command.h"
#include "launcher/control_client.h"
#include "launcher/paths.h"
#include "launcher/scanner_rules.h"

namespace gatehouse::launcher {

namespace {

using policy::FindingRule;
using policy::Policy;
using policy::TestOutcome;

struct PolicyOptions {
  std::vector<std::string> files;
  std::string question;
  std::vector<std::string> headers;
  std::string session;
};

// Each file is a session's policy of its own, over the machine-wide ones. No file means those alone.
std::vector<std::vector<std::string>> policies_of(const std::vector<std::string>& files) {
  if (files.empty()) return {{}};
  std::vector<std::vector<std::string>> policies;
  for (const auto& file : files) policies.push_back({file});
  return policies;
}

// An error of a policy on stderr as it is, without a log line's stamp, so that editors find "file:line:column".
int refuse(const Error& error) {
  fmt::print(stderr, "{}\n", error.message());
  return kExitUsage;
}

struct LoadedPolicy {
  Policy policy;
  std::vector<FindingRule> rules;  // the scanner's; empty when built-in ones suffice
};

// The policy and the scanner's rules if it or the question names any, each of which must be there.
Result<LoadedPolicy> load(const std::vector<std::string>& files, const std::string& question = {}) {
  auto policy = Policy::load(files);
  if (!policy) return failed(policy);
  LoadedPolicy loaded{std::move(*policy), {}};
  if (loaded.policy.check_finding_rules({}) && !question.starts_with("dlp ")) return loaded;
  auto rules = scanner_rules();
  if (!rules) return failed(rules);
  loaded.rules = std::move(*rules);
  if (auto checked = loaded.policy.check_finding_rules(loaded.rules); !checked) return failed(checked);
  return loaded;
}

int check(const PolicyOptions& options) {
  int code = kExitOk;
  for (const auto& files : policies_of(options.files)) {
    const auto loaded = load(files);
    if (loaded) {
      fmt::print("{}: fine\n", files.empty() ? "machine-wide policies" : files.front());
    } else {
      code = refuse(loaded.error());
    }
  }
  return code;
}

void print_outcomes(const std::vector<TestOutcome>& outcomes) {
  size_t width = 0;
  for (const auto& outcome : outcomes) width = std::max(width, outcome.test.size());
  for (const auto& outcome : outcomes) {
    fmt::print("{:6}  {:{}}  {}\n", outcome.passed ? "ok" : "FAILED", outcome.test, width, outcome.verdict);
  }
}

// Tests of machine-wide layers are run, and counted, once for each of FILES, since each is another whole.
int test(const PolicyOptions& options) {
  size_t total = 0;
  std::vector<TestOutcome> failures;
  for (const auto& files : policies_of(options.files)) {
    const auto loaded = load(files);
    if (!loaded) return refuse(loaded.error());
    const auto outcomes = loaded->policy.run_tests(loaded->rules);
    fmt::print("{}\n", loaded->policy.files());
    print_outcomes(outcomes);
    total += outcomes.size();
    std::copy_if(outcomes.begin(), outcomes.end(), std::back_inserter(failures),
                 [](const auto& o) { return !o.passed; });
  }
  fmt::print("\n{} tests, {} failed\n", total, failures.size());
  for (const auto& failure : failures) {
    fmt::print("{}:{}: {}: expected {}, not {}: {}\n", failure.source, failure.line, failure.test, failure.expected,
               failure.verdict, failure.reason);
  }
  return failures.empty() ? kExitOk : kExitNo;
}

int explain(const PolicyOptions& options) {
  const auto loaded = load(options.files, options.question);
  if (!loaded) return refuse(loaded.error());
  if (options.question.empty()) {
    fmt::print("{}", loaded->policy.describe());
    return kExitOk;
  }
  const auto text = loaded->policy.explain(options.question, loaded->rules, options.headers);
  if (!text) return refuse(text.error());
  fmt::print("{}", *text);
  return kExitOk;
}

// The gates judge by the files as they are now, or all of them go on as before.
int reload(const PolicyOptions& options) {
  const auto outcome = [&]() -> Result<std::string> {
    const auto session = running_session(options.session);
    if (!session) return failed(session);
    const auto frame = ask_session(*session, kApprovalsSocket, approval::encode_reload());
    if (!frame) return failed(frame);
    const auto reply = approval::parse_reply(frame->payload);
    if (!reply) return failed(reply);
    if (!reply->done) return fail("{}", reply->message);
    return reply->message;
  }();
  if (!outcome) {
    fmt::print(stderr, "gatehouse: {}\n", outcome.error().message());
    return kExitFailed;
  }
  fmt::print("{}\n", log::printable(*outcome));
  return kExitOk;
}

}  // namespace

void add_policy_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("policy", "check, test and explain policies");
  command->require_subcommand(1);
  const auto options = std::make_shared<PolicyOptions>();

  auto* check_command = command->add_subcommand("check", "read policies and say what is wrong; 2 if anything is");
  check_command->add_option("FILES", options->files, "policy files, each taken alone");
  check_command->callback([options, &run] { run = [options] { return check(*options); }; });

  auto* test_command = command->add_subcommand("test", "run the tests that policies carry; 3 if one fails");
  test_command->add_option("FILES", options->files, "policy files, each taken alone");
  test_command->callback([options, &run] { run = [options] { return test(*options); }; });

  auto* reload_command =
      command->add_subcommand("reload", "have a running session judge by its policy files as they are now");
  reload_command->add_option("--session", options->session, "name of the session (default: the latest)")
      ->type_name("NAME");
  reload_command->callback([options, &run] { run = [options] { return reload(*options); }; });

  auto* explain_command =
      command->add_subcommand("explain", "show the rules in force, or which of them decide a question");
  explain_command->add_option("--policy", options->files, "policy file; repeatable, each is a layer of its own")
      ->type_name("FILE")
      ->allow_extra_args(false);
  explain_command->add_option("QUESTION", options->question,
                              "\"GET https://host/path\", \"git push https://host/path branch\", \"mcp server tool "
                              "{...}\", \"resource server uri\", \"prompt server name\", \"dns A name\" or \"dlp rule host\"");
  explain_command->add_option("--header", options->headers, "header field of the request; repeatable")
      ->type_name("NAME:VALUE")
      ->allow_extra_args(false);
  explain_command->callback([options, &run] { run = [options] { return explain(*options); }; });
}

}  // namespace gatehouse::launcher
