// "resources" and "prompts" of the "mcp" section, and what servers are shown as and may ask for.
#include <gmock/gmock.h>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kPolicy = R"({"version": 1, "name": "p", "mcp": {
  "servers": {"files": {"command": ["x"], "asks": ["elicitation", "roots"], "budget": {"requests": 9}}, "notes": {"command": ["y"]}},
  "resources": [
   {"id": "docs", "action": "allow", "server": "files", "uris": ["file:///srv/docs/**", "file:///srv/*.md"], "result_size": "64KiB",
    "budget": {"bytes_in": "1MiB"}},
   {"id": "no-keys", "action": "deny", "server": "*", "uris": ["file:///srv/docs/keys/**", "**/secret"], "reason": "keys stay here"},
   {"id": "big", "action": "ask", "server": "files", "uris": ["file:///srv/docs/big/*"], "result_size": "1MiB"},
   {"id": "spent", "action": "allow", "server": "notes", "uris": ["note://a/*"], "budget": {"requests": 0}}],
  "prompts": [
   {"id": "greet", "action": "allow", "server": "notes", "prompts": ["greet*"], "budget": {"requests_per_minute": 3}},
   {"id": "ask-sum", "action": "ask", "server": "notes", "prompts": ["sum"]},
   {"id": "no-x", "action": "deny", "server": "*", "prompts": ["*-X"]}]}})";

Policy policy_of(std::string_view text) {
  auto parsed = Policy::parse({{"p.json", std::string(text)}});
  EXPECT_TRUE(parsed) << parsed.error().message();
  return std::move(*parsed);
}

TEST(McpResources, AreJudgedByServerAndUri) {
  const Policy p = policy_of(kPolicy);
  const std::tuple<std::string, std::string, Verdict, std::string> cases[] = {
      {"files", "file:///srv/docs/a/b.txt", Verdict::allow, "docs"},
      {"files", "file:///srv/readme.md", Verdict::allow, "docs"},
      {"files", "file:///srv/a/readme.md", Verdict::deny, "default-deny"},
      {"files", "file:///srv/docs/a%41", Verdict::allow, "docs"},
      {"files", "FILE:///srv/docs/a", Verdict::deny, "default-deny"},
      {"files", "file:///etc/passwd", Verdict::deny, "default-deny"},
      {"files", "file:///srv/docs/../../etc/passwd", Verdict::deny, "mcp.uri"},
      {"files", "file:///srv/docs/%2e%2e/x", Verdict::deny, "mcp.uri"},
      {"files", "file:///srv/docs/..%2fx", Verdict::deny, "mcp.uri"},
      {"files", "/srv/docs/x", Verdict::deny, "mcp.uri"},
      {"files", "file:///srv/docs/keys/a", Verdict::deny, "no-keys"},
      {"files", "file:///srv/docs/keys", Verdict::deny, "no-keys"},
      {"files", "file:///srv/docs/KEYS/a", Verdict::deny, "no-keys"},
      {"files", "file:///srv/docs/%6beys/a", Verdict::deny, "no-keys"},
      {"files", "file:///srv/docs//keys/a", Verdict::deny, "no-keys"},
      {"files", "file:///srv/docs/x/secret?v=1", Verdict::deny, "no-keys"},
      {"files", "file:///srv/docs/big/a", Verdict::ask, "big"},
      {"files", "file:///srv/docs/big/a?b", Verdict::deny, "big"},
      {"files", "file:///srv/docs/BIG/a", Verdict::deny, "big"},
      {"other", "file:///srv/docs/a", Verdict::deny, "default-deny"},
      {"Files", "file:///srv/docs/a", Verdict::deny, "default-deny"},
  };
  for (const auto& [server, uri, verdict, rule] : cases) {
    const auto decision = p.judge(McpRead{server, uri});
    EXPECT_EQ(decision.verdict, verdict) << uri << ": " << decision.reason;
    EXPECT_EQ(decision.rule_id, rule) << uri << ": " << decision.reason;
    // What is listed is what some read of it could come to.
    EXPECT_EQ(p.may_read(server, uri), verdict != Verdict::deny) << uri;
  }
  const auto why = [&](std::string_view uri) { return p.judge(McpRead{"files", uri}).reason; };
  EXPECT_EQ(
      why("file:///srv/docs/../x"),
      "the URI 'file:///srv/docs/../x' of a resource has a dot segment; write it plainly, as the server lists it");
  EXPECT_EQ(
      why("file:///etc/passwd"),
      "no rule of policy 'p' allows resource 'file:///etc/passwd' of server 'files'; rule 'docs' names the server, "
      "but only for file:///srv/docs/**, file:///srv/*.md");
  EXPECT_EQ(why("file:///srv/docs/keys/a"), "keys stay here (rule 'no-keys' of policy 'p')");
  EXPECT_EQ(why("file:///srv/docs/BIG/a"),
            "rule 'big' of policy 'p' may or may not match: servers may take this URI in different ways");
  EXPECT_EQ(p.judge(McpRead{"none", "a:b"}).reason,
            "no rule of policy 'p' allows resource 'a:b' of server 'none'; no mcp rule names it");
}

TEST(McpResources, AreBoundByTheNarrowestAndCounted) {
  const Policy p = policy_of(kPolicy);
  const auto big = p.judge(McpRead{"files", "file:///srv/docs/big/a"});
  EXPECT_EQ(big.result_bytes, 64u << 10);
  EXPECT_EQ(big.result_rule, "docs");
  std::vector<std::string> counters;
  for (const auto& quota : big.quotas) counters.push_back(quota.counter + ", " + quota.rule);
  EXPECT_THAT(counters, ElementsAre("mcp rule p/docs, docs", "mcp server files, limit.server"));
  EXPECT_FALSE(p.may_read("notes", "note://a/b"));  // nothing is left to read
  EXPECT_FALSE(p.may_read_some("notes"));
  EXPECT_TRUE(p.may_read_some("files"));
  EXPECT_FALSE(p.may_read_some("other"));
}

TEST(McpPrompts, AreJudgedByServerAndName) {
  const Policy p = policy_of(kPolicy);
  const std::tuple<std::string, std::string, Verdict, std::string> cases[] = {
      {"notes", "greet", Verdict::allow, "greet"},       {"notes", "greet-more", Verdict::allow, "greet"},
      {"notes", "Greet", Verdict::deny, "default-deny"}, {"notes", "sum", Verdict::ask, "ask-sum"},
      {"notes", "greet-x", Verdict::deny, "no-x"},       {"files", "greet", Verdict::deny, "default-deny"},
      {"notes", "", Verdict::deny, "default-deny"},
  };
  for (const auto& [server, prompt, verdict, rule] : cases) {
    const auto decision = p.judge(McpPrompt{server, prompt});
    EXPECT_EQ(decision.verdict, verdict) << prompt << ": " << decision.reason;
    EXPECT_EQ(decision.rule_id, rule) << prompt << ": " << decision.reason;
    EXPECT_EQ(p.may_prompt(server, prompt), verdict != Verdict::deny) << prompt;
  }
  EXPECT_EQ(p.judge(McpPrompt{"notes", "greet"}).quotas[0].allowance.requests_per_minute, 3u);
  // Rules of one kind say nothing of another.
  EXPECT_FALSE(p.may_call("notes", "greet"));
  EXPECT_FALSE(p.may_prompt("files", "file:///srv/docs/a"));
}

TEST(McpResources, AreJudgedByTheStrictestOfAllLayers) {
  const std::string floor = R"({"version": 1, "name": "floor", "unmatched": "pass", "mcp": {
    "resources": [{"id": "f", "action": "deny", "server": "*", "uris": ["file:///srv/docs/hr/**"]}],
    "prompts": [{"id": "g", "action": "ask", "server": "*", "prompts": ["*"]}]}})";
  const auto both = Policy::parse({{"floor.json", floor, true}, {"p.json", std::string(kPolicy)}});
  ASSERT_TRUE(both) << both.error().message();
  EXPECT_EQ(both->judge(McpRead{"files", "file:///srv/docs/hr/a"}).rule_id, "f");
  EXPECT_EQ(both->judge(McpRead{"files", "file:///srv/docs/a"}).verdict, Verdict::allow);
  EXPECT_EQ(both->judge(McpPrompt{"notes", "greet"}).verdict, Verdict::ask);
  EXPECT_EQ(both->judge(McpPrompt{"notes", "other"}).rule_id, "default-deny");
  EXPECT_FALSE(both->may_prompt("notes", "other"));
  EXPECT_TRUE(both->may_read_some("files"));
  const std::string all = R"({"version": 1, "unmatched": "pass", "mcp": {
    "resources": [{"id": "f", "action": "deny", "server": "f*", "uris": ["**"]}]}})";
  const auto none = Policy::parse({{"floor.json", all, true}, {"p.json", std::string(kPolicy)}});
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_FALSE(none->may_read_some("files"));
  const auto closed =
      Policy::parse({{"c.json", R"({"version": 1, "name": "c"})", true}, {"p.json", std::string(kPolicy)}});
  ASSERT_TRUE(closed) << closed.error().message();
  EXPECT_EQ(closed->judge(McpRead{"files", "file:///srv/docs/a"}).reason,
            "no rule of policy 'c' allows resource 'file:///srv/docs/a' of server 'files'; no mcp rule names it");
}

TEST(McpServers, SayWhatTheyAskForAndAreShownAs) {
  const Policy p = policy_of(kPolicy);
  EXPECT_THAT(p.mcp_servers()[0].asks, ElementsAre(McpAsk::elicitation, McpAsk::roots));
  EXPECT_TRUE(p.mcp_servers()[1].asks.empty());
  EXPECT_FALSE(p.mcp_servers()[0].own_names);
  const Policy own = policy_of(R"({"version": 1, "mcp": {"servers": {"s": {"command": ["x"], "names": "own"}}}})");
  EXPECT_TRUE(own.mcp_servers()[0].own_names);
  EXPECT_THAT(own.describe(), HasSubstr("server s runs x; under its own names\n"));
  const auto joined =
      Policy::parse({{"a.json", R"({"version": 1, "mcp": {"servers": {"s": {"command": ["x"], "names": "own"}}}})"},
                     {"b.json", R"({"version": 1, "mcp": {"servers": {"t": {"command": ["x"]}}}})"}});
  ASSERT_FALSE(joined);
  EXPECT_THAT(
      joined.error().message(),
      testing::StartsWith("a.json:1:69: 's' can only keep its own names while it is the only server, and 't' is "
                          "another (b.json:1); leave \"names\" out, or take the other away"));
}

TEST(McpResources, RunAsTestsAndAreExplained) {
  std::string text(kPolicy);
  text.insert(text.size() - 1, R"(, "tests": [
    {"resource": "files file:///srv/docs/x", "expect": "allow", "rule": "docs"},
    {"resource": "files file:///srv/docs/../x", "expect": "deny", "rule": "mcp.uri"},
    {"prompt": "notes greet", "expect": "allow", "rule": "greet"},
    {"prompt": "notes other", "expect": "allow"}])");
  const Policy p = policy_of(text);
  const auto outcomes = p.run_tests();
  ASSERT_EQ(outcomes.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(outcomes[i].passed, i != 3) << outcomes[i].reason;
  EXPECT_EQ(outcomes[0].test, "resource files file:///srv/docs/x");
  EXPECT_EQ(outcomes[3].test, "prompt notes other");
  EXPECT_EQ(outcomes[3].verdict, "deny by default-deny");

  const auto explained = [&](std::string_view question) { return p.explain(question).value(); };
  EXPECT_EQ(explained("resource files file:///srv/docs/big/a?b"),
            "resource files file:///srv/docs/big/a?b\n"
            "deny by big: rule 'big' of policy 'p' may or may not match: servers may take this URI in different ways\n"
            "policy 'p' (p.json)\n"
            "  allow  docs                  matches  [p.json:4]\n"
            "  deny   no-keys               not this resource  [p.json:6]\n"
            "  deny   big                   servers may differ  [p.json:7]\n"
            "  allow  spent                 not this resource  [p.json:8]\n");
  EXPECT_EQ(explained("prompt notes greet"),
            "prompt notes greet\n"
            "allow by greet: rule 'greet' of policy 'p' allows this\n"
            "  counted against rule 'greet' of policy 'p'\n"
            "policy 'p' (p.json)\n"
            "  allow  greet                 matches  [p.json:10]\n"
            "  ask    ask-sum               not this prompt  [p.json:11]\n"
            "  deny   no-x                  not this prompt  [p.json:12]\n");
  EXPECT_EQ(explained("resource files x y"),
            "resource files x y\n"
            "deny by mcp.uri: the URI 'x y' of a resource has a space; write it plainly, as the server lists it\n"
            "policy 'p' (p.json)\n");
  EXPECT_THAT(explained("mcp files read_file"), HasSubstr("  has no mcp rule for tools\n"));
  EXPECT_THAT(p.describe(), HasSubstr("server files runs x; at most 9 requests; may ask for elicitation, roots\n"));
  EXPECT_THAT(
      p.describe(),
      HasSubstr("docs                  files: resource file:///srv/docs/** file:///srv/*.md; result up to 64 KiB"));
  EXPECT_THAT(p.describe(), HasSubstr("ask-sum               notes: prompt sum\n"));
  for (const std::string question : {"resource files", "prompt x", "resource", "resource  x"}) {
    EXPECT_THAT(p.explain(question).error().message(), HasSubstr("cannot read")) << question;
  }
}

TEST(McpSection, SaysWhatIsWrongWithResourcesPromptsAndNames) {
  const std::string servers = R"({"servers": {"s": {"command": ["x"]}}, )";
  const std::string resource = servers + R"("resources": [{"id": "r", "action": "allow", "server": "s")";
  const std::string prompt = servers + R"("prompts": [{"id": "r", "action": "allow", "server": "s")";
  const std::string denial = servers + R"("resources": [{"id": "r", "action": "deny", "server": "s", "uris": [])";
  const std::pair<std::string, std::string> cases[] = {
      {servers + R"("resource": []})", "1:62: unknown key 'resource'; did you mean 'resources'?"},
      {servers + R"("resources": {}})", "1:75: 'resources' must be a list of objects, not an object"},
      {servers + R"("resources": ["x"]})", "1:76: 'resources' must be a list of objects, not a string"},
      {resource + "}]}", "1:76: 'uris' is missing"},
      {resource + R"(, "tools": []}]})", "1:122: unknown key 'tools'"},
      {resource + R"(, "arguments": {}}]})", "1:122: unknown key 'arguments'"},
      {resource + R"(, "uris": "x"}]})", "1:130: 'uris' must be a list of strings, not a string"},
      {resource + R"(, "uris": [1]}]})", "1:131: 'uris' must be a list of strings, not of a number"},
      {resource + R"(, "uris": ["/srv/**"]}]})",
       "1:131: URI '/srv/**' must name its scheme, such as file: or https:, without *, or begin with **/"},
      {resource + R"(, "uris": ["a:b", "https://**/x"]}]})",
       "1:138: URI 'https://**/x' has ** in its host; there * stands for any characters up to the next slash"},
      {resource + R"(, "uris": ["file:///a/../b"]}]})",
       "1:131: URI 'file:///a/../b' has a dot segment, and such are always denied"},
      {resource + R"(, "uris": [], "result_size": "1B"}]})", "1:149: 'result_size'"},
      {resource + R"(, "uris": [], "budget": {"calls": 1}}]})", "1:145: unknown key 'calls'"},
      {denial + R"(, "result_size": "1MiB"}]})", "1:148: 'result_size' is of no use in a rule that denies"},
      {denial + R"(, "budget": {}}]})", "1:143: 'budget' bounds what a rule lets through; this one denies"},
      {servers + R"("resources": [{"id": "r", "action": "allow", "server": "t", "uris": []}]})",
       "1:117: no server 't' is declared in \"servers\""},
      {prompt + "}]}", "1:74: 'prompts' is missing"},
      {prompt + R"(, "prompts": [true]}]})", "1:132: 'prompts' must be a list of strings, not of a boolean"},
      {prompt + R"(, "uris": []}]})", "1:120: unknown key 'uris'"},
      {prompt + R"(, "prompts": []}, {"id": "r", "action": "deny", "server": "s", "prompts": []}]})",
       "1:136: duplicate rule id 'r', first at p.json:1"},
      {R"({"servers": {"s": {"command": ["x"], "names": "short"}}})",
       "1:69: unknown names 'short'; expected prefixed, own"},
      {R"({"servers": {"s": {"command": ["x"], "names": true}}})", "1:69: 'names' must be a string, not a boolean"},
      {R"({"servers": {"s": {"command": ["x"], "asks": "roots"}}})",
       "1:68: 'asks' must be a list of strings, not a string"},
      {R"({"servers": {"s": {"command": ["x"], "asks": ["root"]}}})",
       "1:69: unknown asks 'root'; did you mean 'roots'?"},
      {R"({"servers": {"s": {"command": ["x"], "names": "own"}, "t": {"command": ["x"]}}})",
       "1:69: 's' can only keep its own names while it is the only server, and 't' is another (p.json:1); leave "
       "\"names\" "
       "out, or take the other away"},
      {R"({"servers": {"a_b": {"command": ["x"]}, "A-b": {"command": ["x"]}}})",
       "1:63: resources of 'A-b' could not be told from those of 'a_b' (p.json:1): letters of either case, '_' and '-' "
       "are the same there; give it another name"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = Policy::parse({{"p.json", R"({"version": 1, "mcp": )" + text + "}"}});
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message(), testing::StartsWith("p.json:" + why)) << text;
  }
  const std::pair<std::string, std::string> tests[] = {
      {R"({"resource": "s", "expect": "deny"})", "1:25: cannot read 's'; expected"},
      {R"({"prompt": "s x", "resource": "s a:b", "expect": "deny"})", "1:25: a test asks one question, not several"},
      {R"({"prompt": "s x", "arguments": {}, "expect": "deny"})", "1:56: 'arguments' go with an mcp question"},
      {R"({"expect": "deny"})",
       "1:25: a test needs one of 'http', 'git', 'tls', 'mcp', 'resource', 'prompt', 'dns' and 'dlp'"},
  };
  for (const auto& [text, why] : tests) {
    const auto parsed = Policy::parse({{"p.json", R"({"version": 1,"tests": [)" + text + "]}"}});
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message(), testing::StartsWith("p.json:" + why)) << text;
  }
}

}  // namespace
}  // namespace gatehouse::policy
