#include "common/policy/policy.h"

#include <gmock/gmock.h>

namespace gatehouse::policy {
namespace {

using ::testing::HasSubstr;

// A session's policy with these members beside "version" and "name".
Source session(std::string_view members, std::string name = "demo") {
  return {name + ".json", fmt::format(R"({{"version": 1, "name": "{}", {}}})", name, members), false};
}
Source machine(std::string_view members, std::string name = "corp") {
  Source source = session(members, std::move(name));
  source.machine_wide = true;
  return source;
}

Policy policy_of(const std::vector<Source>& layers) {
  auto policy = Policy::parse(layers);
  if (!policy) ADD_FAILURE() << policy.error().message();
  return std::move(policy.value());
}

HttpRequest get(std::string_view host, std::string_view path) { return {"https", host, 443, "GET", path}; }

struct HttpCase {
  HttpRequest request;
  Verdict verdict;
  std::string_view rule;
};
void expect_all(const Policy& policy, const std::vector<HttpCase>& cases) {
  for (const auto& [request, verdict, rule] : cases) {
    const Decision decision = policy.judge(request);
    EXPECT_EQ(decision.verdict, verdict) << request.method << " " << request.host << request.path << ": "
                                         << decision.reason;
    EXPECT_EQ(decision.rule_id, rule) << request.method << " " << request.host << request.path << ": "
                                      << decision.reason;
  }
}

TEST(Policy, DeniesWhatNoRuleMatches) {
  const Policy policy = policy_of({session(R"("http": [])")});
  const Decision decision = policy.judge(get("api.example.com", "/x?secret=1"));
  EXPECT_EQ(decision.verdict, Verdict::deny);
  EXPECT_EQ(decision.rule_id, "default-deny");
  EXPECT_EQ(decision.reason, "no rule of policy 'demo' allows GET https://api.example.com/x; no rule names this host");
}

TEST(Policy, TakesTheStrictestRuleInAnyOrder) {
  const std::string rules[] = {
      R"({"id": "all", "action": "allow", "hosts": ["api.example.com"]})",
      R"({"id": "posts", "action": "ask", "hosts": ["*.example.com"], "methods": ["POST"]})",
      R"({"id": "admin", "action": "deny", "hosts": ["**.example.com"], "paths": ["/admin/**"]})",
  };
  const std::vector<std::array<int, 3>> orders{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
  for (const auto& order : orders) {
    const Policy policy =
        policy_of({session(fmt::format(R"("http": [{}, {}, {}])", rules[static_cast<size_t>(order[0])],
                                       rules[static_cast<size_t>(order[1])], rules[static_cast<size_t>(order[2])]))});
    expect_all(policy, {{get("api.example.com", "/x"), Verdict::allow, "all"},
                        {{"https", "api.example.com", 443, "POST", "/x"}, Verdict::ask, "posts"},
                        {{"https", "api.example.com", 443, "POST", "/admin/x"}, Verdict::deny, "admin"},
                        {get("api.example.com", "/admin"), Verdict::deny, "admin"}});
  }
}

TEST(Policy, MatchesHostPatternsLabelByLabel) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "exact", "action": "allow", "hosts": ["A.Example.com"]},
      {"id": "one", "action": "allow", "hosts": ["*.one.example.com"]},
      {"id": "deep", "action": "allow", "hosts": ["**.deep.example.com"]}])")});
  expect_all(policy, {{get("a.example.com", "/"), Verdict::allow, "exact"},
                      {get("b.a.example.com", "/"), Verdict::deny, "default-deny"},
                      {get("xa.example.com", "/"), Verdict::deny, "default-deny"},
                      {get("a.example.com.evil.net", "/"), Verdict::deny, "default-deny"},
                      {get("x.one.example.com", "/"), Verdict::allow, "one"},
                      {get("one.example.com", "/"), Verdict::deny, "default-deny"},
                      {get("y.x.one.example.com", "/"), Verdict::deny, "default-deny"},
                      {get("xone.example.com", "/"), Verdict::deny, "default-deny"},
                      {get("x.deep.example.com", "/"), Verdict::allow, "deep"},
                      {get("z.y.x.deep.example.com", "/"), Verdict::allow, "deep"},
                      {get("deep.example.com", "/"), Verdict::deny, "default-deny"}});
}

TEST(Policy, NamesTheKeyThatMissedInADefaultDenial) {
  const Policy policy = policy_of({session(R"("http": [{"id": "r", "action": "allow", "hosts": ["a.example.com"],
      "methods": ["GET", "HEAD"], "paths": ["/v1/**"]}])")});
  const std::string start = "no rule of policy 'demo' allows ";
  const std::string only = "; rule 'r' names this host, but only for ";
  const std::pair<HttpRequest, std::string> cases[] = {
      {{"http", "a.example.com", 80, "GET", "/v1/x"}, start + "GET http://a.example.com/v1/x" + only + "https"},
      {{"https", "a.example.com", 8443, "GET", "/v1/x"},
       start + "GET https://a.example.com:8443/v1/x" + only + "port 443"},
      {{"https", "a.example.com", 443, "POST", "/v1/x"},
       start + "POST https://a.example.com/v1/x" + only + "method GET, HEAD"},
      {{"https", "a.example.com", 443, "get", "/v1/x"},
       start + "get https://a.example.com/v1/x" + only + "method GET, HEAD"},
      {{"https", "a.example.com", 443, "GET", "/v2"}, start + "GET https://a.example.com/v2" + only + "path /v1/**"},
  };
  for (const auto& [request, reason] : cases) EXPECT_EQ(policy.judge(request).reason, reason);
}

TEST(Policy, TakesTheSchemesOwnPortUnlessOneIsNamed) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "both", "action": "allow", "hosts": ["a.example.com"], "schemes": ["http", "https"]},
      {"id": "odd", "action": "allow", "hosts": ["b.example.com"], "ports": [8443]}])")});
  expect_all(policy, {{{"http", "a.example.com", 80, "GET", "/"}, Verdict::allow, "both"},
                      {{"https", "a.example.com", 443, "GET", "/"}, Verdict::allow, "both"},
                      {{"http", "a.example.com", 443, "GET", "/"}, Verdict::deny, "default-deny"},
                      {{"https", "a.example.com", 80, "GET", "/"}, Verdict::deny, "default-deny"},
                      {{"ftp", "a.example.com", 80, "GET", "/"}, Verdict::deny, "default-deny"},
                      {{"https", "b.example.com", 8443, "GET", "/"}, Verdict::allow, "odd"},
                      {{"https", "b.example.com", 443, "GET", "/"}, Verdict::deny, "default-deny"}});
}

TEST(Policy, OpensAWebSocketOnlyWhereARuleSaysSo) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "api", "action": "allow", "hosts": ["a.example.com"]},
      {"id": "live", "action": "allow", "hosts": ["a.example.com"], "schemes": ["wss"], "paths": ["/live/**"]},
      {"id": "clear", "action": "allow", "hosts": ["b.example.com"], "schemes": ["ws"]},
      {"id": "no", "action": "deny", "hosts": ["a.example.com"], "paths": ["/live/keys"]}])")});
  expect_all(policy, {{{"wss", "a.example.com", 443, "GET", "/live/x"}, Verdict::allow, "live"},
                      {{"wss", "a.example.com", 8443, "GET", "/live/x"}, Verdict::deny, "default-deny"},
                      {{"wss", "a.example.com", 443, "GET", "/other"}, Verdict::deny, "default-deny"},
                      {{"ws", "a.example.com", 80, "GET", "/live/x"}, Verdict::deny, "default-deny"},
                      {{"ws", "b.example.com", 80, "GET", "/"}, Verdict::allow, "clear"},
                      {{"http", "b.example.com", 80, "GET", "/"}, Verdict::deny, "default-deny"},
                      {{"wss", "a.example.com", 443, "GET", "/live/keys"}, Verdict::deny, "no"}});
  EXPECT_EQ(
      policy.judge(HttpRequest{"https", "b.example.com", 443, "GET", "/"}).reason,
      "no rule of policy 'demo' allows GET https://b.example.com/; rule 'clear' names this host, but only for ws");
}

TEST(Policy, DeniesOnEverySchemeAndPortUnlessTheRuleSaysWhich) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "all", "action": "allow", "hosts": ["a.example.com"], "schemes": ["http", "https"], "ports": [80, 443, 8443]},
      {"id": "keys", "action": "deny", "hosts": ["a.example.com"], "paths": ["/keys/**"]},
      {"id": "odd", "action": "deny", "hosts": ["a.example.com"], "ports": [8443], "paths": ["/odd"]}])")});
  expect_all(policy, {{{"http", "a.example.com", 80, "GET", "/keys/1"}, Verdict::deny, "keys"},
                      {{"https", "a.example.com", 443, "GET", "/keys/1"}, Verdict::deny, "keys"},
                      {{"https", "a.example.com", 8443, "GET", "/keys/1"}, Verdict::deny, "keys"},
                      {{"https", "a.example.com", 8443, "GET", "/odd"}, Verdict::deny, "odd"},
                      {{"https", "a.example.com", 443, "GET", "/odd"}, Verdict::allow, "all"}});
}

TEST(Policy, DeniesAPathInWhateverLettersButAllowsItAsWrittenOnly) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "api", "action": "allow", "hosts": ["a.example.com"], "paths": ["/v1/**"]},
      {"id": "keys", "action": "deny", "hosts": ["a.example.com"], "paths": ["/v1/*/Keys/**"]}])")});
  expect_all(policy, {{get("a.example.com", "/v1/x"), Verdict::allow, "api"},
                      {get("a.example.com", "/V1/x"), Verdict::deny, "default-deny"},
                      {get("a.example.com", "/v1/x/Keys/1"), Verdict::deny, "keys"},
                      {get("a.example.com", "/V1/x/kEYS/1"), Verdict::deny, "keys"},
                      {get("a.example.com", "/v1/x/%6Beys"), Verdict::deny, "keys"}});
}

TEST(Policy, MatchesNothingWithAnEmptyList) {
  for (const auto* key : {"hosts", "schemes", "ports", "methods", "paths"}) {
    const std::string hosts = std::string_view(key) == "hosts" ? "" : R"("hosts": ["a.example.com"], )";
    const Policy policy =
        policy_of({session(fmt::format(R"("http": [{{"id": "r", "action": "allow", {}"{}": []}}])", hosts, key))});
    EXPECT_EQ(policy.judge(get("a.example.com", "/")).rule_id, "default-deny") << key;
  }
}

TEST(Policy, RefusesHostsThatAreNoNames) {
  const Policy policy = policy_of({session(R"("http": [{"id": "r", "action": "allow", "hosts": ["a.example.com"]}])")});
  expect_all(policy, {{get("127.0.0.1", "/"), Verdict::deny, "host.address"},
                      {get("0x7f.1", "/"), Verdict::deny, "host.address"},
                      {get("2130706433", "/"), Verdict::deny, "host.address"},
                      {get("[::1]", "/"), Verdict::deny, "host.address"},
                      {get("::1", "/"), Verdict::deny, "host.address"},
                      {get("", "/"), Verdict::deny, "host.invalid"},
                      {get("a.example.com.", "/"), Verdict::deny, "host.invalid"},
                      {get("A.example.com", "/"), Verdict::deny, "host.invalid"},
                      {get("a..example.com", "/"), Verdict::deny, "host.invalid"},
                      {get("a.example.com/x", "/"), Verdict::deny, "host.invalid"},
                      {get("a.example.com%00", "/"), Verdict::deny, "host.invalid"},
                      {get(std::string_view("a.example.com\0", 14), "/"), Verdict::deny, "host.invalid"},
                      {get("*.example.com", "/"), Verdict::deny, "host.invalid"}});
}

TEST(Policy, DeniesPathsThatServersReadInDifferentWays) {
  const Policy policy = policy_of({session(R"("http": [{"id": "r", "action": "allow", "hosts": ["a.example.com"]}])")});
  for (const std::string_view path : {"",
                                      "*",
                                      "x",
                                      "/a/../b",
                                      "/..",
                                      "/./a",
                                      "/a/.",
                                      "/a/%2e%2e/b",
                                      "/a/.%2e/b",
                                      "/%2e",
                                      "/a/%252e%252e/b",
                                      "/a\\b",
                                      "/a%5cb",
                                      "/a%5Cb",
                                      "/a%00",
                                      "/a%0d%0ab",
                                      "/a%",
                                      "/a%2",
                                      "/a%zz",
                                      "/a%25zz",
                                      "/a b",
                                      "/a\tb",
                                      "/a#b",
                                      "/..;x/b",
                                      "/a/..%3bx",
                                      "/%c0%ae%c0%ae/",
                                      "/%ff",
                                      "/\xc3\xa9",
                                      "/%25252525252e"}) {
    EXPECT_EQ(policy.judge(get("a.example.com", path)).rule_id, "path.ambiguous") << path;
  }
  for (const std::string_view path : {"/", "/a..b", "/...", "/.well-known/x", "/a%20b", "/a//b", "/a;v=1/b", "/%c3%a9",
                                      "/@a%2fb", "/a?x=../..%zz", "/a.", "/..a/..."}) {
    EXPECT_EQ(policy.judge(get("a.example.com", path)).rule_id, "r") << path;
  }
  EXPECT_EQ(policy.judge(get("a.example.com", "/a/%2e%2e/b")).reason,
            "the path has a dot segment, so servers may read it in different ways");
}

TEST(Policy, AllowsAPathOnlyIfEveryReadingIsAllowed) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "repo", "action": "allow", "hosts": ["a.example.com"], "paths": ["/repos/*", "/g/a%2Fb", "/g/a/b"]}])")});
  expect_all(policy, {{get("a.example.com", "/repos/x"), Verdict::allow, "repo"},
                      {get("a.example.com", "/repos/a%20b"), Verdict::allow, "repo"},
                      {get("a.example.com", "/repos/x%2fy"), Verdict::deny, "default-deny"},
                      {get("a.example.com", "/repos/x%252fy"), Verdict::deny, "default-deny"},
                      {get("a.example.com", "//repos/x"), Verdict::deny, "default-deny"},
                      {get("a.example.com", "/repos//x"), Verdict::deny, "default-deny"},
                      {get("a.example.com", "/rep%6fs/x"), Verdict::deny, "default-deny"},
                      {get("a.example.com", "/g/a%2Fb"), Verdict::allow, "repo"}});
}

TEST(Policy, DeniesAPathIfAnyReadingIsDenied) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "all", "action": "allow", "hosts": ["a.example.com"]},
      {"id": "admin", "action": "deny", "hosts": ["a.example.com"], "paths": ["/admin/**"]}])")});
  for (const std::string_view path :
       {"/admin", "/admin/", "/admin/x", "//admin/x", "/%61dmin/x", "/%2561dmin", "/%2fadmin/x", "/admin;x",
        "/admin;x/y", "/admin%3fx", "/admin%23x", "/admin%2fx", "/admin?x"}) {
    EXPECT_EQ(policy.judge(get("a.example.com", path)).rule_id, "admin") << path;
  }
  for (const std::string_view path : {"/", "/administrator", "/x/admin", "/x?/admin"}) {
    EXPECT_EQ(policy.judge(get("a.example.com", path)).rule_id, "all") << path;
  }
}

TEST(Policy, LetsALayerNarrowAnotherAndNeverWiden) {
  const Policy policy = policy_of({
      machine(
          R"("http": [{"id": "corp", "action": "allow", "hosts": ["a.example.com", "b.example.com"], "methods": ["GET"]}])"),
      session(R"("http": [{"id": "mine", "action": "allow", "hosts": ["a.example.com", "c.example.com"]},
                          {"id": "ask-b", "action": "ask", "hosts": ["b.example.com"]}])"),
  });
  expect_all(policy, {{get("a.example.com", "/"), Verdict::allow, "corp"},
                      {{"https", "a.example.com", 443, "POST", "/"}, Verdict::deny, "default-deny"},
                      {get("b.example.com", "/"), Verdict::ask, "ask-b"},
                      {get("c.example.com", "/"), Verdict::deny, "default-deny"}});
  EXPECT_THAT(policy.judge(get("c.example.com", "/")).reason, HasSubstr("no rule of policy 'corp' allows"));
}

TEST(Policy, LetsAMachineWideLayerHaveNoOpinion) {
  const Source floor =
      machine(R"("unmatched": "pass", "http": [{"id": "floor", "action": "deny", "hosts": ["**.bad.example.com"]}])");
  const Policy policy =
      policy_of({floor, session(R"("http": [{"id": "mine", "action": "allow", "hosts": ["**.example.com"]}])")});
  expect_all(policy, {{get("a.example.com", "/"), Verdict::allow, "mine"},
                      {get("x.bad.example.com", "/"), Verdict::deny, "floor"},
                      {get("example.net", "/"), Verdict::deny, "default-deny"}});
  expect_all(policy_of({floor}), {{get("a.example.com", "/"), Verdict::deny, "default-deny"}});
}

TEST(Policy, PrefersADenialWithARuleToADefaultDenial) {
  const Policy policy = policy_of(
      {machine(R"("http": [])"),
       session(R"("http": [{"id": "why", "action": "deny", "hosts": ["a.example.com"], "reason": "it leaks"}])")});
  const Decision decision = policy.judge(get("a.example.com", "/"));
  EXPECT_EQ(decision.rule_id, "why");
  EXPECT_EQ(decision.reason, "it leaks (rule 'why' of policy 'demo')");
}

TEST(Policy, ResolvesNamesThatHttpRulesReachAndExplicitOnes) {
  const Policy policy = policy_of({session(R"("http": [
        {"id": "a", "action": "allow", "hosts": ["a.example.com"], "paths": ["/x"]},
        {"id": "b", "action": "ask", "hosts": ["*.b.example.com"]},
        {"id": "c", "action": "deny", "hosts": ["c.example.com"]},
        {"id": "e", "action": "allow", "hosts": ["e.example.com"]}],
      "dns": [
        {"id": "d", "action": "allow", "names": ["d.example.com"], "types": ["TXT", "HTTPS"]},
        {"id": "no-e", "action": "deny", "names": ["**.example.com"], "types": ["MX"]},
        {"id": "never-e", "action": "deny", "names": ["e.example.com"]}])")});
  struct Case {
    DnsQuestion question;
    Verdict verdict;
    std::string_view rule;
  };
  const Case cases[] = {
      {{"a.example.com", "A"}, Verdict::allow, "a"},
      {{"x.b.example.com", "AAAA"}, Verdict::allow, "b"},
      {{"b.example.com", "A"}, Verdict::deny, "default-deny"},
      {{"c.example.com", "A"}, Verdict::deny, "default-deny"},
      {{"d.example.com", "TXT"}, Verdict::allow, "d"},
      {{"d.example.com", "TYPE65"}, Verdict::allow, "d"},
      {{"d.example.com", "A"}, Verdict::deny, "default-deny"},
      {{"a.example.com", "MX"}, Verdict::deny, "no-e"},
      {{"e.example.com", "A"}, Verdict::deny, "never-e"},
      {{"other.example.net", "A"}, Verdict::deny, "default-deny"},
      {{"127.0.0.1", "A"}, Verdict::deny, "host.address"},
      {{"a..example.com", "A"}, Verdict::deny, "host.invalid"},
      {{"A.example.com", "A"}, Verdict::deny, "host.invalid"},
  };
  for (const auto& [question, verdict, rule] : cases) {
    const Decision decision = policy.judge(question);
    EXPECT_EQ(decision.verdict, verdict) << question.name << " " << question.type;
    EXPECT_EQ(decision.rule_id, rule) << question.name << " " << question.type;
  }
  EXPECT_EQ(policy.judge(DnsQuestion{"other.example.net", "A"}).reason,
            "no rule of policy 'demo' names other.example.net");
}

TEST(Policy, ResolvesLocalNamesOnlyWhenNamedExactly) {
  const Policy policy = policy_of({session(R"("http": [
      {"id": "r", "action": "allow", "hosts": ["nexus", "git.corp.internal", "api.demo.test", "*.demo.test"]}],
      "resolve": {"db.local": "10.0.0.5"}, "dns": [{"id": "d", "action": "allow", "names": ["db.local"]}])")});
  for (const auto* name : {"nexus", "git.corp.internal", "api.demo.test", "other.demo.test", "db.local"}) {
    EXPECT_EQ(policy.judge(DnsQuestion{name, "A"}).verdict, Verdict::allow) << name;
  }
  for (const auto* name : {"localhost", "other", "x.localhost", "printer.local", "x.corp.internal", "x.home.arpa",
                           "x.onion", "x.invalid", "router.lan"}) {
    EXPECT_EQ(policy.judge(DnsQuestion{name, "A"}).rule_id, "name.local") << name;
  }
}

TEST(Policy, KnowsHostsThatAreDeliberatelyLocal) {
  const Policy policy = policy_of({session(R"("resolve": {"Api.demo.test": "127.0.0.1:8443", "b.demo.test": "::1",
      "c.demo.test": "[fd00::1]:8443"})")});
  EXPECT_EQ(policy.resolve_override("api.demo.test")->address.to_string(), "127.0.0.1");
  EXPECT_EQ(policy.resolve_override("api.demo.test")->port, 8443);
  EXPECT_EQ(policy.resolve_override("b.demo.test")->address.to_string(), "::1");
  EXPECT_EQ(policy.resolve_override("b.demo.test")->port, 0);
  EXPECT_EQ(policy.resolve_override("c.demo.test")->port, 8443);
  EXPECT_FALSE(policy.resolve_override("d.demo.test"));
}

TEST(Policy, DialsPrivateAddressesOnlyInNetworksThatEveryLayerLists) {
  const auto address = [](const char* text) { return IpAddress::parse(text).value(); };
  const Source lists = session(R"("networks": ["10.0.0.0/8", "169.254.0.0/16"])");

  const Policy alone = policy_of({lists});
  EXPECT_EQ(alone.judge_address(address("8.8.8.8")).rule_id, "address.public");
  EXPECT_EQ(alone.judge_address(address("10.1.2.3")).rule_id, "networks");
  EXPECT_TRUE(alone.judge_address(address("10.1.2.3")).allowed());
  EXPECT_EQ(alone.judge_address(address("192.168.0.1")).rule_id, "address.private");
  EXPECT_EQ(alone.judge_address(address("169.254.169.254")).rule_id, "address.cloud-metadata");
  EXPECT_EQ(alone.judge_address(address("100.64.0.1")).rule_id, "address.carrier-grade-nat");
  EXPECT_EQ(alone.judge_address(address("192.168.0.1")).reason,
            "the name leads to 192.168.0.1, a private address that no policy lists in 'networks'");

  EXPECT_FALSE(policy_of({machine(R"("http": [])"), lists}).judge_address(address("10.1.2.3")).allowed());
  EXPECT_FALSE(policy_of({machine(R"("unmatched": "pass", "networks": [])"), lists})
                   .judge_address(address("10.1.2.3"))
                   .allowed());
  EXPECT_TRUE(policy_of({machine(R"("unmatched": "pass")"), lists}).judge_address(address("10.1.2.3")).allowed());
  EXPECT_FALSE(policy_of({machine(R"("unmatched": "pass")")}).judge_address(address("10.1.2.3")).allowed());
}

TEST(Policy, ReachesARegistryByItsOwnSchemeAndPort) {
  const Policy policy =
      policy_of({session(R"("registries": {"@npm": ["http://nexus:8081/repository/npm/", "npm.example.com"]},
      "http": [{"id": "npm", "action": "allow", "hosts": ["@npm"], "methods": ["GET"]}],
      "tests": [{"http": "GET https://@npm/x", "expect": "allow"}, {"http": "PUT https://@npm/x", "expect": "deny"}])")});
  expect_all(policy, {{{"http", "nexus", 8081, "GET", "/x"}, Verdict::allow, "npm"},
                      {{"https", "nexus", 443, "GET", "/x"}, Verdict::deny, "default-deny"},
                      {{"https", "npm.example.com", 443, "GET", "/x"}, Verdict::allow, "npm"}});
  EXPECT_TRUE(policy.judge(DnsQuestion{"nexus", "A"}).allowed());
  for (const auto& outcome : policy.run_tests()) EXPECT_TRUE(outcome.passed) << outcome.test;
}

TEST(Policy, JoinsTheRulesOfWhatItExtendsIntoItsLayer) {
  const Policy policy = policy_of({session(R"("extends": ["baseline"], "http": [
      {"id": "all", "action": "allow", "hosts": ["webhook.site", "a.example.com"]}])")});
  expect_all(policy, {{get("a.example.com", "/"), Verdict::allow, "all"},
                      {get("webhook.site", "/"), Verdict::deny, "no-request-catchers"}});
  EXPECT_THAT(policy.files(), HasSubstr("demo.json\n"));
  EXPECT_THAT(policy.files(), HasSubstr("/baseline.json"));
}

TEST(Policy, ExtendsAShippedPolicyOfItsOwnFilesName) {
  const Policy policy = policy_of({session(R"("extends": ["baseline"])", "baseline")});
  EXPECT_EQ(policy.judge(get("webhook.site", "/")).rule_id, "no-request-catchers");
}

TEST(Policy, SaysWhichOfItsTestsFail) {
  const Policy policy = policy_of({{"t.json", R"({"version": 1, "name": "t",
    "http": [{"id": "r", "action": "allow", "hosts": ["a.example.com"]}],
    "tests": [
      {"http": "GET https://a.example.com/", "expect": "allow", "rule": "r"},
      {"http": "GET https://a.example.com/", "expect": "allow", "rule": "other"},
      {"dns": "A b.example.com", "expect": "allow"}]})"}});
  const auto outcomes = policy.run_tests();
  ASSERT_EQ(outcomes.size(), 3U);
  EXPECT_TRUE(outcomes[0].passed);
  EXPECT_FALSE(outcomes[1].passed);
  EXPECT_EQ(outcomes[1].expected, "allow by other");
  EXPECT_EQ(outcomes[1].verdict, "allow by r");
  EXPECT_FALSE(outcomes[2].passed);
  EXPECT_EQ(outcomes[2].test, "dns A b.example.com");
  EXPECT_EQ(outcomes[2].source, "t.json");
  EXPECT_EQ(outcomes[2].line, 6);
}

TEST(Policy, ExplainsWhichRulesSpeakOfARequest) {
  const Policy policy = policy_of({{"t.json", R"({"version": 1, "name": "t", "http": [
  {"id": "read", "action": "allow", "hosts": ["a.example.com"]},
  {"id": "no-post", "action": "deny", "hosts": ["a.example.com"], "methods": ["POST"]}]})"}});
  EXPECT_EQ(policy.explain("GET https://a.example.com/x").value(),
            "GET https://a.example.com/x\n"
            "allow by read: rule 'read' of policy 't' allows this\n"
            "policy 't' (t.json)\n"
            "  allow  read                  matches  [t.json:2]\n"
            "  deny   no-post               not this method  [t.json:3]\n");
  EXPECT_EQ(policy.explain("dns A b.example.com").value(),
            "dns A b.example.com\n"
            "deny by default-deny: no rule of policy 't' names b.example.com\n"
            "policy 't' (t.json)\n"
            "  no rule names this host\n");
  EXPECT_EQ(policy.explain("hello").error().message(),
            "cannot read 'hello'; expected \"GET https://host/path\", \"git push https://host/path branch\", \"tls "
            "host\", \"mcp server tool {...}\", \"resource server uri\", \"prompt server name\", \"dns A "
            "name\" or \"dlp rule host\"");
}

TEST(Policy, DescribesItsRules) {
  const Policy policy =
      policy_of({{"t.json", R"({"version": 1, "name": "t", "registries": {"@npm": ["npm.example.com"]},
  "http": [{"id": "npm", "action": "allow", "hosts": ["@npm"], "methods": ["GET"], "paths": ["/a/**"]}],
  "dns": [{"id": "txt", "action": "deny", "names": ["**.example.com"], "types": ["TXT"], "reason": "tunnels"}],
  "resolve": {"x.test": "127.0.0.1:1"}, "networks": ["10.0.0.0/8"]})"}});
  EXPECT_EQ(
      policy.describe(),
      "policy 't' (t.json)\n"
      "  http  allow  npm                   @npm (npm.example.com); method GET; path /a/**\n"
      "  dns   deny   txt                   **.example.com; type TXT; \"tunnels\"\n"
      "  x.test is at 127.0.0.1, port 1\n"
      "  private networks: 10.0.0.0/8\n"
      "  all else is denied\n"
      "limits of the scanner: request body 32 MiB, decoded 256 MiB, 8 encodings deep, 10000 ms a request\n"
      "an approval is waited for 300 s\n"
      "an upstream has 20000 ms to connect, 300000 ms to answer, 120000 ms between bytes, 600000 ms between "
      "messages of a WebSocket; a guest 30000 ms for TLS, 30000 ms for a request's head, 600000 ms for its body\n");
}

TEST(Policy, HasADigestOfAllItsSources) {
  const std::string one = policy_of({session(R"("http": [])")}).sha256();
  EXPECT_EQ(one.size(), 64U);
  EXPECT_EQ(one, policy_of({session(R"("http": [])")}).sha256());
  EXPECT_NE(one, policy_of({session(R"("http": [ ])")}).sha256());
}

}  // namespace
}  // namespace gatehouse::policy
