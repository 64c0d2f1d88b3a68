// What becomes of findings, and what else a policy tells the scanner.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

using enum FindingAction;

Source layer(std::string_view name, std::string_view members, bool machine_wide) {
  return {fmt::format("{}.json", name), fmt::format(R"({{"version": 1, "name": "{}", {}}})", name, members),
          machine_wide};
}
Source session(std::string_view members) { return layer("demo", members, false); }
Source machine(std::string_view members) { return layer("corp", members, true); }

Policy policy_of(const std::vector<Source>& layers) {
  auto policy = Policy::parse(layers);
  if (!policy) ADD_FAILURE() << policy.error().message();
  return std::move(policy.value());
}

constexpr std::string_view kPat = R"("dlp": {"exempt": [{"id": "mirror", "rule": "github-pat",
    "hosts": ["git.example.com", "*.mirror.example.com"], "reason": "our own forge"}]})";

struct Case {
  std::string_view name;
  std::vector<Source> layers;
  FindingQuestion question;
  FindingAction action;
  std::string_view cause;
  std::string_view exemption = "";
};

FindingQuestion pat(FindingAction severity, std::string_view host = "a.example.com") {
  return {"github-pat", "credentials", severity, host};
}

constexpr std::string_view kOwnDeny = "the rule itself asks to deny and no policy says otherwise";
constexpr std::string_view kOwnWarn = "the rule itself asks to warn and no policy says otherwise";

TEST(PolicyFindings, FollowsTheStrictestLayer) {
  const std::string empty = R"("http": [])";
  const std::string denies = R"("dlp": {"deny": ["credentials"]})";
  const std::string redacts = R"("dlp": {"redact": ["github-pat"]})";
  const std::string warns = R"("dlp": {"warn": ["credentials"]})";
  const std::string mixed = R"("dlp": {"deny": ["credentials"], "warn": ["github-pat"]})";
  const std::string exempts(kPat);
  const std::string denies_but = R"("dlp": {"deny": ["credentials"], "exempt": [{"id": "mirror",
      "rule": "github-pat", "hosts": ["git.example.com"]}]})";
  const std::string forge = "our own forge (exemption 'mirror' of policy 'demo')";
  const Case cases[] = {
      {"nobody speaks", {session(empty)}, pat(deny), deny, kOwnDeny},
      {"nobody speaks of a warning", {machine(empty), session(empty)}, pat(warn), warn, kOwnWarn},
      {"machine-wide alone and silent", {machine(empty)}, pat(warn), warn, kOwnWarn},
      {"a list is stricter than the rule",
       {session(denies)},
       pat(warn),
       deny,
       "policy 'demo' lists 'credentials' in \"deny\""},
      {"a list is milder than the rule",
       {session(warns)},
       pat(deny),
       warn,
       "policy 'demo' lists 'credentials' in \"warn\""},
      {"a rule by its id", {session(redacts)}, pat(deny), redact, "policy 'demo' lists 'github-pat' in \"redact\""},
      {"the strictest of rule and category",
       {session(mixed)},
       pat(warn),
       deny,
       "policy 'demo' lists 'credentials' in \"deny\""},
      {"another rule", {session(redacts)}, {"aws-key", "credentials", deny, "a.example.com"}, deny, kOwnDeny},
      {"a silent machine-wide layer leaves it to the session",
       {machine(empty), session(warns)},
       pat(deny),
       warn,
       "policy 'demo' lists 'credentials' in \"warn\""},
      {"a machine-wide denial holds",
       {machine(denies), session(warns)},
       pat(warn),
       deny,
       "policy 'corp' lists 'credentials' in \"deny\""},
      {"a session narrows what the machine lets go",
       {machine(warns), session(denies)},
       pat(warn),
       deny,
       "policy 'demo' lists 'credentials' in \"deny\""},
      {"a silent session keeps the rule's severity", {machine(warns), session(empty)}, pat(deny), deny, kOwnDeny},
      {"an exempt host", {session(exempts)}, pat(deny, "git.example.com"), exempt, forge, "mirror"},
      {"an exempt wildcard", {session(exempts)}, pat(deny, "x.mirror.example.com"), exempt, forge, "mirror"},
      {"another host", {session(exempts)}, pat(deny, "git.example.com.evil.net"), deny, kOwnDeny},
      {"another rule at the exempt host",
       {session(exempts)},
       {"aws-key", "credentials", deny, "git.example.com"},
       deny,
       kOwnDeny},
      {"an exemption stands above the lists of its own layer",
       {session(denies_but)},
       pat(deny, "git.example.com"),
       exempt,
       "exemption 'mirror' of policy 'demo'",
       "mirror"},
      {"a user's exemption does not open a machine-wide denial",
       {machine(denies), session(exempts)},
       pat(warn, "git.example.com"),
       deny,
       "policy 'corp' lists 'credentials' in \"deny\""},
      {"a machine-wide exemption does not open a session's denial",
       {machine(exempts), session(denies)},
       pat(warn, "git.example.com"),
       deny,
       "policy 'demo' lists 'credentials' in \"deny\""},
      {"a user's exemption where the machine is silent",
       {machine(empty), session(exempts)},
       pat(deny, "git.example.com"),
       exempt,
       forge,
       "mirror"},
      {"another session file that is silent",
       {session(empty), session(exempts)},
       pat(deny, "git.example.com"),
       deny,
       kOwnDeny},
  };
  for (const auto& [name, layers, question, action, cause, exemption] : cases) {
    const FindingDecision decision = policy_of(layers).judge(question);
    EXPECT_EQ(to_string(decision.action), to_string(action)) << name;
    EXPECT_EQ(decision.cause, cause) << name;
    EXPECT_EQ(decision.exemption, exemption) << name;
  }
}

TEST(PolicyFindings, ExemptsNoCanaryAndNothingThatWasNotScanned) {
  // Rules of files, whose categories the policy learns only with the finding.
  const Policy policy = policy_of({session(R"("dlp": {"warn": ["archive-too-deep"], "exempt": [
      {"id": "a", "rule": "archive-too-deep", "hosts": ["a.example.com"]},
      {"id": "b", "rule": "decoy", "hosts": ["a.example.com"]}]})")});
  EXPECT_EQ(policy.judge(FindingQuestion{"archive-too-deep", "limits", deny, "a.example.com"}).action, deny);
  EXPECT_EQ(policy.judge(FindingQuestion{"decoy", "canaries", deny, "a.example.com"}).action, deny);
  EXPECT_EQ(policy.judge(FindingQuestion{"decoy", "credentials", deny, "a.example.com"}).action, exempt);
}

TEST(PolicyFindings, AddsListsAndExemptionsToThoseExtended) {
  std::string folder = ::testing::TempDir() + "policies-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/extended.json") << R"({"version": 1, "name": "extended",
      "limits": {"request_body": "1MiB", "decode_depth": 20}, "secrets": {"A": {"from": "env:A"}},
      "dlp": {"deny": ["credentials"], "exempt": [{"id": "x", "rule": "iban", "hosts": ["a.example.com"]}]}})";
  ASSERT_EQ(::setenv("GATEHOUSE_POLICIES", folder.c_str(), 1), 0);
  const Policy policy = policy_of({session(R"("extends": ["extended"], "dlp": {"warn": ["credentials", "iban"]},
      "limits": {"request_body": "2MiB", "decode_depth": 4}, "secrets": {"B": {"from": "env:B"}})")});
  EXPECT_EQ(policy.judge(pat(warn)).action, deny);
  EXPECT_EQ(policy.judge(FindingQuestion{"iban", "personal-data", deny, "a.example.com"}).exemption, "x");
  EXPECT_EQ(policy.judge(FindingQuestion{"iban", "personal-data", deny, "b.example.com"}).action, warn);
  EXPECT_EQ(policy.limits().request_body_bytes, 1U << 20);
  EXPECT_EQ(policy.limits().decode_depth, 4);
  ASSERT_EQ(policy.secrets().size(), 2U);
  EXPECT_EQ(policy.secrets()[0].name + policy.secrets()[1].name, "AB");
  ::unsetenv("GATEHOUSE_POLICIES");
  std::filesystem::remove_all(folder);
}

TEST(PolicyFindings, RefusesARuleTheScannerDoesNotHave) {
  const std::vector<FindingRule> rules = {{"github-pat", "credentials", deny}, {"iban", "personal-data", warn}};
  const std::pair<std::string, std::string> cases[] = {
      {R"("dlp": {"deny": ["github-pat", "credentials", "known-secret", "canary"], "warn": ["iban"]})", "no error"},
      {R"("dlp": {"deny": ["iban", "github-pta"]})",
       "demo.json:1:57: the scanner has no rule 'github-pta'; did you mean 'github-pat'?"},
      {R"("dlp": {"warn": ["credential"]})",
       "demo.json:1:49: the scanner has no rule 'credential'; did you mean 'credentials'?"},
      {R"("dlp": {"warn": ["zzzzzzzzzzzzzzzzzz"]})", "demo.json:1:49: the scanner has no rule 'zzzzzzzzzzzzzzzzzz'"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "ibam", "hosts": ["a.example.com"]}]})",
       "demo.json:1:71: the scanner has no rule 'ibam'; did you mean 'iban'?"},
      {R"("tests": [{"dlp": "ibam a.example.com", "expect": "deny"}])",
       "demo.json:1:42: the scanner has no rule 'ibam'; did you mean 'iban'?"},
  };
  for (const auto& [members, message] : cases) {
    const auto checked = policy_of({session(members)}).check_finding_rules(rules);
    const std::string error = checked ? "no error" : checked.error().message();
    EXPECT_EQ(error.substr(0, error.find('\n')), message) << members;
  }
}

TEST(PolicyFindings, ListsItsSelectorsWithTheirPlaces) {
  const Policy policy = policy_of({machine(R"("dlp": {"deny": ["canaries"]})"),
                                   session("\"dlp\": {\n\"warn\": [\"iban\"]}, \"tests\": [\n"
                                           "{\"dlp\": \"github-pat a.example.com\", \"expect\": \"deny\"}]")});
  std::vector<std::string> seen;
  for (const auto& [name, is_category, place] : policy.finding_selectors()) {
    seen.push_back(fmt::format("{}{} {}", name, is_category ? " (category)" : "", place.to_string()));
  }
  EXPECT_THAT(seen,
              ::testing::ElementsAre("canaries (category) corp.json:1", "iban demo.json:2", "github-pat demo.json:3"));
}

TEST(PolicyFindings, RunsTestsWithWhatIsKnownOfARule) {
  const Policy policy = policy_of({session(std::string(kPat).substr(0, kPat.size() - 1) +
                                           R"(, "redact": ["personal-data"], "warn": ["known-secrets"]}, "tests": [
      {"dlp": "github-pat git.example.com", "expect": "exempt", "rule": "mirror"},
      {"dlp": "github-pat git.example.com", "expect": "exempt", "rule": "other"},
      {"dlp": "github-pat a.example.com", "expect": "deny"},
      {"dlp": "iban A.Example.com.", "expect": "redact"},
      {"dlp": "known-secret a.example.com", "expect": "warn"},
      {"dlp": "decode-budget a.example.com", "expect": "warn"}])")});
  const std::vector<FindingRule> rules = {{"github-pat", "credentials", deny}, {"iban", "personal-data", warn}};
  std::vector<std::string> seen;
  for (const auto& outcome : policy.run_tests(rules)) {
    seen.push_back(fmt::format("{} {}: {} for {}", outcome.passed ? "ok" : "FAILED", outcome.test, outcome.verdict,
                               outcome.expected));
  }
  EXPECT_THAT(seen,
              ::testing::ElementsAre("ok dlp github-pat git.example.com: exempt by mirror for exempt by mirror",
                                     "FAILED dlp github-pat git.example.com: exempt by mirror for exempt by other",
                                     "ok dlp github-pat a.example.com: deny for deny",
                                     "ok dlp iban A.Example.com.: redact for redact",
                                     "ok dlp known-secret a.example.com: warn for warn",
                                     "FAILED dlp decode-budget a.example.com: deny for warn"));
  EXPECT_EQ(policy.run_tests()[3].verdict, "deny");  // without the rules, nobody knows that an IBAN is personal data
}

TEST(PolicyFindings, ExplainsWhichListsSpeakOfARule) {
  const Policy policy = policy_of({machine(R"("http": [])"),
                                   {"t.json", R"({"version": 1, "name": "t", "dlp": {
  "deny": ["credentials"],
  "warn": ["github-pat", "iban"],
  "exempt": [
    {"id": "mirror", "rule": "github-pat", "hosts": ["git.example.com"]},
    {"id": "docs", "rule": "github-pat", "hosts": ["docs.example.com"]}]}})",
                                    false}});
  const std::vector<FindingRule> rules = {{"github-pat", "credentials", warn}};
  EXPECT_EQ(policy.explain("dlp github-pat git.example.com", rules).value(),
            "dlp github-pat git.example.com\n"
            "exempt by mirror: exemption 'mirror' of policy 't'\n"
            "policy 'corp' (corp.json)\n"
            "  says nothing of this rule\n"
            "policy 't' (t.json)\n"
            "  deny   credentials           names its category  [t.json:2]\n"
            "  warn   github-pat            names the rule  [t.json:3]\n"
            "  exempt mirror                names the rule and this host  [t.json:5]\n"
            "  exempt docs                  not this host  [t.json:6]\n");
  EXPECT_EQ(policy.explain("dlp github-pta a.example.com", rules).error().message(),
            "the scanner has no rule 'github-pta'; did you mean 'github-pat'?");
  EXPECT_THAT(policy.explain("dlp github-pat a.example.com", rules).value(),
              ::testing::HasSubstr("\ndeny: policy 't' lists 'credentials' in \"deny\"\n"));
}

TEST(PolicyFindings, DescribesWhatTheScannerIsTold) {
  const Policy policy = policy_of({{"t.json", R"({"version": 1, "name": "t", "dlp": {
      "deny": ["credentials", "known-secrets"], "warn": ["entropy"],
      "exempt": [{"id": "docs", "rule": "iban", "hosts": ["docs.example.com", "*.a.example.com"], "reason": "samples"}]},
      "limits": {"request_body": "512KiB", "decoded_bytes": 1000001, "decode_depth": 3, "scan_time": "2s"},
      "secrets": {"A": {"from": "env:B"}, "C": {"from": "file:/run/c"}, "D": {"from": ["pass", "hunter2"]}}})"}});
  EXPECT_EQ(
      policy.describe(),
      "policy 't' (t.json)\n"
      "  dlp   deny   credentials known-secrets\n"
      "  dlp   warn   entropy\n"
      "  dlp   exempt docs                  iban at docs.example.com *.a.example.com; \"samples\"\n"
      "  the value of A from the environment variable B is stopped\n"
      "  the value of C from the file /run/c is stopped\n"
      "  the value of D from the command pass is stopped\n"
      "  all else is denied\n"
      "limits of the scanner: request body 512 KiB, decoded 1000001 bytes, 3 encodings deep, 2000 ms a request\n"
      "an approval is waited for 300 s\n"
      "an upstream has 20000 ms to connect, 300000 ms to answer, 120000 ms between bytes, 600000 ms between "
      "messages of a WebSocket; a guest 30000 ms for TLS, 30000 ms for a request's head, 600000 ms for its body\n");
}

TEST(PolicyLimits, AreThoseOfTheNarrowestLayer) {
  const auto said = [](std::string_view limits) { return fmt::format(R"("limits": {{{}}})", limits); };
  const std::string body = R"("request_body": "64MiB")";
  const std::string small =
      R"("request_body": 4096, "scan_time": "500ms", "head_time": "2s", "websocket_idle_time": "1h")";
  const std::string rest =
      R"("decoded_bytes": "1GiB", "decode_depth": 32, "scan_time": "1s", "head_time": "3s", "handshake_time": "4s")";
  const Limits none = policy_of({session(said(""))}).limits();
  EXPECT_EQ(none.request_body_bytes, 32U << 20);
  EXPECT_EQ(none.decoded_bytes, 256U << 20);
  EXPECT_EQ(none.decode_depth, 8);
  EXPECT_EQ(none.scan_time, std::chrono::seconds(10));
  EXPECT_EQ(none.head_time, std::chrono::seconds(30));
  EXPECT_EQ(none.websocket_idle_time, std::chrono::minutes(10));
  EXPECT_EQ(policy_of({session(said(body))}).limits().request_body_bytes, 64U << 20);
  for (const auto& layers : {std::vector{machine(said(body)), session(said(small)), session(said(rest))},
                             std::vector{machine(said(rest)), session(said(small)), session(said(body))}}) {
    const Limits limits = policy_of(layers).limits();
    EXPECT_EQ(limits.request_body_bytes, 4096U);
    EXPECT_EQ(limits.decoded_bytes, 1U << 30);
    EXPECT_EQ(limits.decode_depth, 32);
    EXPECT_EQ(limits.scan_time, std::chrono::milliseconds(500));
    EXPECT_EQ(limits.head_time, std::chrono::seconds(2));
    EXPECT_EQ(limits.handshake_time, std::chrono::seconds(4));
    EXPECT_EQ(limits.websocket_idle_time, std::chrono::hours(1));
  }
}

TEST(PolicySecrets, AreThoseOfAllLayersEachOnce) {
  const Policy policy =
      policy_of({machine(R"("secrets": {"A": {"from": "env:A"}, "F": {"from": "file:/run/f"}})"),
                 session(R"("secrets": {"C": {"from": ["pass", "show", "c"]}, "A": {"from": "env:A"}})")});
  const std::vector<SecretSource> expected = {{"A", SecretSource::From::environment, "A", {}},
                                              {"F", SecretSource::From::file, "/run/f", {}},
                                              {"C", SecretSource::From::command, "", {"pass", "show", "c"}}};
  EXPECT_EQ(policy.secrets(), expected);
}

}  // namespace
}  // namespace gatehouse::policy
