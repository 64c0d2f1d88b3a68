#include <gmock/gmock.h>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

using testing::HasSubstr;

Source source(const std::string& members, bool machine_wide = false) {
  return {machine_wide ? "m.json" : "t.json",
          fmt::format(R"({{"version": 1, "name": "{}", {}}})", machine_wide ? "corp" : "mine", members), machine_wide};
}

const std::string kPinned =
    R"("http": [{"id": "pinned", "action": "allow", "hosts": ["pin.example.com"], "tls": "passthrough"},
                {"id": "web", "action": "allow", "hosts": ["*.example.com"]}])";

std::string verdict(const std::vector<Source>& layers, std::string_view host = "pin.example.com", uint16_t port = 443) {
  const auto policy = Policy::parse(layers);
  if (!policy) return policy.error().message();
  const auto decision = policy->judge(TlsQuestion{host, port});
  return decision.allowed() ? "allow by " + decision.rule_id : decision.rule_id;
}

TEST(Passthrough, IsForTheHostAndPortThatARuleNames) {
  EXPECT_EQ(verdict({source(kPinned)}), "allow by pinned");
  EXPECT_EQ(verdict({source(kPinned)}, "pin.example.com", 8443), "tls.intercepted");
  EXPECT_EQ(verdict({source(kPinned)}, "other.example.com"), "web");
  EXPECT_EQ(verdict({source(kPinned)}, "x.pin.example.com"), "tls.intercepted");
  const std::string ports =
      R"("http": [{"id": "p", "action": "allow", "hosts": ["pin.example.com"], "ports": [8443], "tls": "passthrough"}])";
  EXPECT_EQ(verdict({source(ports)}), "tls.intercepted");
  EXPECT_EQ(verdict({source(ports)}, "pin.example.com", 8443), "allow by p");
}

TEST(Passthrough, YieldsToWhateverElseIsSaidOfTheHost) {
  const auto also = [](std::string_view rule) {
    return source(
        R"("http": [{"id": "pinned", "action": "allow", "hosts": ["pin.example.com"], "tls": "passthrough"},)" +
        std::string(rule) + "]");
  };
  EXPECT_EQ(verdict({also(R"({"id": "no", "action": "deny", "hosts": ["**.example.com"], "paths": ["/x"]})")}), "no");
  EXPECT_EQ(verdict({also(R"({"id": "ask", "action": "ask", "hosts": ["pin.example.com"]})")}), "ask");
  EXPECT_EQ(verdict({also(R"({"id": "no", "action": "deny", "hosts": ["pin.example.com"], "ports": [8443]})")}),
            "allow by pinned");
  EXPECT_EQ(verdict({also(R"({"id": "no", "action": "deny", "hosts": ["pin.example.com"], "schemes": ["http"]})")}),
            "allow by pinned");
}

// A push could be in it, which nobody would look through.
TEST(Passthrough, YieldsToAGitRuleForTheHost) {
  const auto also = [](std::string_view remote, std::string_view action = "allow") {
    return source(
        fmt::format(R"("git": [{{"id": "app", "action": "{}", "remotes": ["{}"]}}], {})", action, remote, kPinned));
  };
  EXPECT_EQ(verdict({also("https://pin.example.com/acme/app.git")}), "app");
  EXPECT_EQ(verdict({also("https://*.example.com/**")}), "app");
  EXPECT_EQ(verdict({also("https://pin.example.com/acme/app.git", "deny")}), "app");
  EXPECT_EQ(verdict({also("https://git.example.com/acme/app.git")}), "allow by pinned");
  EXPECT_EQ(verdict({also("https://pin.example.com:8443/acme/app.git")}), "allow by pinned");
  EXPECT_EQ(verdict({source(R"("unmatched": "pass", "git": [{"id": "corp-git", "action": "deny",
                                "remotes": ["https://pin.example.com/**"]}])",
                            true),
                     source(kPinned)}),
            "corp-git");
}

TEST(Passthrough, NeedsEveryLayerThatHasASay) {
  const struct {
    const char* name;
    std::string machine_wide;
    const char* verdict;
  } cases[] = {
      {"says nothing", R"("unmatched": "pass", "http": [])", "allow by pinned"},
      {"denies another host", R"("unmatched": "pass", "http": [{"id": "no", "action": "deny", "hosts": ["x.test"]}])",
       "allow by pinned"},
      {"denies the host",
       R"("unmatched": "pass", "http": [{"id": "no", "action": "deny", "hosts": ["*.example.com"]}])", "no"},
      {"denies a path of it",
       R"("unmatched": "pass", "http": [{"id": "no", "action": "deny", "hosts": ["*.example.com"], "paths": ["/x"]}])",
       "no"},
      {"allows it when inspected",
       R"("unmatched": "pass", "http": [{"id": "yes", "action": "allow", "hosts": ["pin.example.com"]}])", "yes"},
      {"has what leaves looked through", R"("unmatched": "pass", "dlp": {"deny": ["credentials"]})", "tls.intercepted"},
      {"denies what it does not name", R"("http": [])", "tls.intercepted"},
      {"lets it through as well", kPinned, "allow by pinned"},
      {"lets it through and has all else looked through", R"("dlp": {"deny": ["credentials"]}, )" + kPinned,
       "allow by pinned"},
  };
  for (const auto& [name, machine_wide, expected] : cases) {
    EXPECT_EQ(verdict({source(machine_wide, true), source(kPinned)}), expected) << name;
  }
  EXPECT_EQ(verdict({source(kPinned, true), source(R"("http": [])")}), "tls.intercepted") << "a user may narrow";
}

TEST(Passthrough, MakesTheNameResolvableAndAllowsNoRequest) {
  const auto policy = Policy::parse(
      {source(R"("http": [{"id": "pinned", "action": "allow", "hosts": ["pin.example.com"], "tls": "passthrough"}])")});
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->has_passthrough());
  EXPECT_TRUE(policy->judge(DnsQuestion{"pin.example.com", "A"}).allowed());
  const auto decision = policy->judge(HttpRequest{"https", "pin.example.com", 443, "GET", "/", {}});
  EXPECT_EQ(decision.rule_id, "default-deny");
  EXPECT_THAT(decision.reason, HasSubstr("'pinned' names this host, but only for TLS that is not intercepted"));
}

TEST(Passthrough, IsCountedLikeARequest) {
  const auto policy = Policy::parse({source(
      R"("http": [{"id": "pinned", "action": "allow", "hosts": ["pin.example.com"], "tls": "passthrough",
                   "budget": {"bytes_out": "1MiB"}}], "limits": {"session": {"requests": 3}})")});
  ASSERT_TRUE(policy) << policy.error().message();
  std::vector<std::string> counters;
  for (const auto& quota : policy->judge(TlsQuestion{"pin.example.com", 443}).terms.quotas)
    counters.push_back(quota.counter);
  EXPECT_THAT(counters, testing::ElementsAre("rule mine/pinned", "session"));
}

TEST(Passthrough, IsExplainedAndTested) {
  const auto policy =
      Policy::parse({source(kPinned + R"(, "tests": [{"tls": "pin.example.com", "expect": "allow", "rule": "pinned"},
                               {"tls": "www.example.com:443", "expect": "deny"},
                               {"tls": "pin.example.com", "expect": "deny"}])")});
  ASSERT_TRUE(policy) << policy.error().message();
  std::vector<bool> passed;
  for (const auto& outcome : policy->run_tests()) passed.push_back(outcome.passed);
  EXPECT_THAT(passed, testing::ElementsAre(true, true, false));
  const auto text = policy->explain("tls PIN.example.com.");
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("tls pin.example.com\nallow by pinned: rule 'pinned' of policy 'mine' allows this"));
  EXPECT_THAT(*text, HasSubstr("web                   speaks of requests, which takes interception"));
  EXPECT_THAT(policy->describe(), HasSubstr("pin.example.com; TLS that is not intercepted"));
  for (const char* unreadable : {"tls ", "tls a b", "tls a:0", "tls a:70000", "tls a:x"}) {
    EXPECT_FALSE(policy->explain(unreadable)) << unreadable;
  }
}

TEST(Passthrough, IsRefusedWhereItWouldOpenMoreThanItSays) {
  const auto rule = [](std::string_view members) {
    return fmt::format(R"("http": [{{"id": "p", {}, "tls": "passthrough"}}])", members);
  };
  const std::string host = R"("hosts": ["pin.example.com"])";
  const std::pair<std::string, std::string> cases[] = {
      {rule(R"("action": "allow", "hosts": ["*.example.com"])"), "name each host whose TLS is not intercepted"},
      {rule(R"("action": "allow", "hosts": ["@npm"])"), "name each host whose TLS is not intercepted"},
      {rule(R"("action": "deny", )" + host), "goes with \"action\": \"allow\""},
      {rule(R"("action": "ask", )" + host), "goes with \"action\": \"allow\""},
      {rule(R"("action": "allow", "methods": ["GET"], )" + host), "'methods' cannot be seen"},
      {rule(R"("action": "allow", "paths": ["/x"], )" + host), "'paths' cannot be seen"},
      {rule(R"("action": "allow", "request_body": "1MiB", )" + host), "'request_body' cannot be seen"},
      {R"("http": [{"id": "p", "action": "allow", "hosts": [], "tls": "pass"}])", "passthrough"},
      {kPinned + R"(, "secrets": {"T": {"from": "env:T", "hosts": ["*.example.com"], "as": "bearer"}})",
       "'pin.example.com' is to have the secret 'T' in its requests"},
      {kPinned + R"(, "secrets": {"C": {"from": "env:C"}},
                     "tls": {"client_certificates": [{"hosts": ["pin.example.com"], "certificate": "C"}]})",
       "'pin.example.com' is to have the client certificate 'C'"},
  };
  for (const auto& [members, words] : cases) {
    const auto policy = Policy::parse({source(members)});
    ASSERT_FALSE(policy) << members;
    EXPECT_THAT(policy.error().message(), HasSubstr(words));
    EXPECT_THAT(policy.error().message(), testing::StartsWith("t.json:1:"));
  }
}

}  // namespace
}  // namespace gatehouse::policy
