// The "mcp" section: which servers are started, and which calls of their tools pass.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "common/policy/policy.h"
#include "common/policy/question.h"

namespace gatehouse::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kPolicy = R"({"version": 1, "name": "p",
 "secrets": {"DOCS_TOKEN": {"from": "env:DOCS_TOKEN"}},
 "mcp": {
  "servers": {"files": {"command": ["mcp-files", "/srv/docs"], "cwd": "/srv", "env": ["DOCS_TOKEN"], "call_time": "5s"},
              "web": {"command": ["mcp-web"], "sandbox": {"read": ["/srv"], "write": ["/var/x"]}, "new_tools": "approve", "shares_names_with": ["files"]}},
  "tools": [
   {"id": "read", "action": "allow", "server": "files", "tools": ["read_*", "list"], "result_size": "64KiB",
    "arguments": {"/path": {"path": ["/srv/docs/**"]}, "/head": {"minimum": 1, "maximum": 100}, "*": false}},
   {"id": "stat", "action": "allow", "server": "files", "tools": ["stat"]},
   {"id": "write", "action": "ask", "server": "files", "tools": ["write_file"], "arguments": {"/path": "/srv/docs/*"}},
   {"id": "no-force", "action": "deny", "server": "*", "tools": ["*"], "arguments": {"/force": {"const": true}},
    "reason": "nothing is forced"},
   {"id": "no-secret", "action": "deny", "server": "*", "tools": ["*"],
    "arguments": {"/path": {"path": ["/srv/docs/secret/**"]}}},
   {"id": "fetch", "action": "allow", "server": "web", "tools": ["fetch"],
    "arguments": {"/url": {"url": "allowed"}, "/note": {"maxLength": 4}}},
   {"id": "many", "action": "allow", "server": "web", "tools": ["many"],
    "arguments": {"/items/*/kind": {"enum": ["a", 1, null]}, "/deep": false}},
   {"id": "not-many", "action": "deny", "server": "web", "tools": ["many"], "arguments": {"/items/*/name": "bad*"}}]},
 "http": [{"id": "api", "action": "allow", "hosts": ["api.example.com"], "paths": ["/v1/**"]}]})";

Policy policy_of(std::string_view text) {
  auto parsed = Policy::parse({{"p.json", std::string(text)}});
  EXPECT_TRUE(parsed) << parsed.error().message();
  return std::move(*parsed);
}

McpDecision ask(const Policy& policy, const std::string& text) {
  const auto question = parse_mcp_question(text);
  EXPECT_TRUE(question) << text << question.error().message();
  return policy.judge(question->mcp_call());
}

TEST(McpRules, JudgeCallsByToolAndArguments) {
  const Policy p = policy_of(kPolicy);
  const std::tuple<std::string, Verdict, std::string> cases[] = {
      {R"(files read_file {"path": "/srv/docs/a.txt", "head": 5})", Verdict::allow, "read"},
      {R"(files read_file {"path": "/srv/docs/a.txt", "head": 0})", Verdict::deny, "default-deny"},
      {R"(files read_file {"path": "/srv/docs/a.txt", "head": "5"})", Verdict::deny, "default-deny"},
      {R"(files read_file {"path": "/srv/docs/a.txt"})", Verdict::deny, "default-deny"},
      {R"(files read_file {"path": "/srv/docs/a.txt", "head": 5, "x": 1})", Verdict::deny, "default-deny"},
      {R"(files read_file {"path": "/srv/other", "head": 5})", Verdict::deny, "default-deny"},
      {R"(files Read_file {"path": "/srv/docs/a.txt", "head": 5})", Verdict::deny, "default-deny"},
      {R"(files read_file {"path": "/srv/docs/../a", "head": 5})", Verdict::deny, "no-secret"},
      {R"(files read_file {"path": "/srv/docs/%2e%2e/a", "head": 5})", Verdict::deny, "no-secret"},
      {R"(files read_file {"path": ["/srv/docs/a"], "head": 5})", Verdict::deny, "no-secret"},
      {R"(files read_file {"path": "/srv/docs/Secret/a", "head": 5})", Verdict::deny, "no-secret"},
      {R"(files read_file {"path": "/srv/docs/a", "Path": "/srv/docs/secret/a", "head": 5})", Verdict::deny,
       "no-secret"},
      {"files stat", Verdict::allow, "stat"},
      {R"(files stat {"force": true})", Verdict::deny, "no-force"},
      {R"(files stat {"force": "true"})", Verdict::deny, "no-force"},
      {R"(files stat {"FORCE": true})", Verdict::deny, "no-force"},
      {R"(files stat {"force": false})", Verdict::allow, "stat"},
      {R"(files write_file {"path": "/srv/docs/a"})", Verdict::ask, "write"},
      {R"(files write_file {"path": "/SRV/docs/a"})", Verdict::deny, "write"},
      {R"(files delete_file {"path": "/srv/docs/a"})", Verdict::deny, "default-deny"},
      {R"(other stat)", Verdict::deny, "default-deny"},
      {R"(web fetch {"url": "https://api.example.com/v1/x", "note": "abcd"})", Verdict::allow, "fetch"},
      {R"(web fetch {"url": "https://api.example.com/v1/x", "note": "abcde"})", Verdict::deny, "default-deny"},
      {"web fetch {\"url\": \"https://api.example.com/v1/x\", \"note\": \"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\"}",
       Verdict::allow, "fetch"},
      {R"(web many {"items": [{"kind": "a"}, {"kind": 1}, {"kind": null}]})", Verdict::allow, "many"},
      {R"(web many {"items": []})", Verdict::allow, "many"},
      {R"(web many {})", Verdict::deny, "default-deny"},
      {R"(web many {"items": [{"kind": "a"}, {}]})", Verdict::deny, "default-deny"},
      {R"(web many {"items": [{"kind": "b"}]})", Verdict::deny, "default-deny"},
      {R"(web many {"items": [{"kind": "a"}], "deep": {}})", Verdict::deny, "default-deny"},
      {R"(web many {"items": [{"kind": "a"}, {"kind": 1, "name": "BAD x"}]})", Verdict::deny, "not-many"},
      {R"(web many {"items": [{"kind": "a", "name": "good"}]})", Verdict::allow, "many"},
  };
  for (const auto& [text, verdict, rule] : cases) {
    const auto decision = ask(p, text);
    EXPECT_EQ(decision.verdict, verdict) << text << ": " << decision.reason;
    EXPECT_EQ(decision.rule_id, rule) << text << ": " << decision.reason;
  }
  EXPECT_EQ(ask(p, R"(files read_file {"path": "/srv/docs/a", "head": 5})").result_bytes, 64u << 10);
  EXPECT_EQ(ask(p, "files stat").result_bytes, kDefaultToolResultBytes);
  EXPECT_THAT(ask(p, "files read_file").reason, HasSubstr("rule 'read' names it, but only for /path in /srv/docs/**"));
  EXPECT_THAT(ask(p, R"(files stat {"force": true})").reason, HasSubstr("nothing is forced"));
}

TEST(McpRules, LetNoUrlThroughThatTheHttpRulesDoNot) {
  const Policy p = policy_of(kPolicy);
  for (const std::string url :
       {"https://api.example.com/v2/x", "http://api.example.com/v1/x", "https://evil.example/v1/",
        "https://127.0.0.1/v1/", "https://user@api.example.com/v1/x", "https://api.example.com:8443/v1/x",
        "https://evil.example\\\\@api.example.com/v1/", "https://api.example.com\\t/v1/x",
        "https:/api.example.com/v1/x", "//api.example.com/v1/x", "file:///v1/x", "https://api.example.com/v1/../x",
        "https://api.example.com", "https://%61pi.example.com/v1/x", ""}) {
    const auto decision = ask(p, R"(web fetch {"note": "", "url": ")" + url + "\"}");
    EXPECT_EQ(decision.verdict, Verdict::deny) << url;
  }
  EXPECT_TRUE(ask(p, R"(web fetch {"note": "", "url": "HTTPS://API.example.com/v1/x#y"})").allowed());
}

TEST(McpRules, JudgeValuesByASubsetOfJsonSchema) {
  const Policy p = policy_of(R"({"version": 1, "mcp": {"servers": {"s": {"command": ["x"]}}, "tools": [
    {"id": "sql", "action": "allow", "server": "s", "tools": ["sql"],
     "arguments": {"/query": {"regex": ["(?i)select [a-z, *]+ from [a-z]+", "show tables"]}, "*": false}},
    {"id": "no-drop", "action": "deny", "server": "s", "tools": ["*"], "arguments": {"/query": {"regex": ".*drop table.*"}}},
    {"id": "mail", "action": "allow", "server": "s", "tools": ["mail"], "arguments": {
      "/to": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"regex": "[a-z]+@acme\\.example"}},
      "/opts": {"type": "object", "required": ["kind"], "additionalProperties": false,
                "properties": {"kind": {"enum": ["plain", "html"]}, "size": {"minimum": 1}}},
      "/id": {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 2, "maxLength": 3}]}}}]}})");
  const std::string good = R"({"to": ["a@acme.example"], "opts": {"kind": "html"}, "id": 7})";
  const auto mail = [&](std::string from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return "s mail " + text;
  };
  const std::tuple<std::string, Verdict, std::string> cases[] = {
      {R"(s sql {"query": "SELECT a, b FROM t"})", Verdict::allow, "sql"},
      {R"(s sql {"query": "show tables"})", Verdict::allow, "sql"},
      {R"(s sql {"query": "Show tables"})", Verdict::deny, "default-deny"},
      {R"(s sql {"query": "select a from t; delete from t"})", Verdict::deny, "default-deny"},
      {R"(s sql {"query": "select a from t\nx"})", Verdict::deny, "default-deny"},
      {R"(s sql {"query": ["select a from t"]})", Verdict::deny, "no-drop"},
      {R"(s sql {"query": "a\ndrop table b"})", Verdict::deny, "no-drop"},
      {R"(s sql {"query": "DROP TABLE b"})", Verdict::deny, "no-drop"},
      {"s mail " + good, Verdict::allow, "mail"},
      {mail(R"(["a@acme.example"])", R"(["a@acme.example", "b@acme.example"])"), Verdict::allow, "mail"},
      {mail(R"(["a@acme.example"])", R"(["a@acme.example", "b@evil.example"])"), Verdict::deny, "default-deny"},
      {mail(R"(["a@acme.example"])", "[]"), Verdict::deny, "default-deny"},
      {mail(R"(["a@acme.example"])", R"("a@acme.example")"), Verdict::deny, "default-deny"},
      {mail(R"({"kind": "html"})", R"({"kind": "html", "size": 1})"), Verdict::allow, "mail"},
      {mail(R"({"kind": "html"})", R"({"kind": "html", "size": 0})"), Verdict::deny, "default-deny"},
      {mail(R"({"kind": "html"})", R"({"kind": "html", "Size": 1})"), Verdict::deny, "default-deny"},
      {mail(R"({"kind": "html"})", R"({"size": 1})"), Verdict::deny, "default-deny"},
      {mail(R"({"kind": "html"})", R"({"kind": "html", "bcc": 1})"), Verdict::deny, "default-deny"},
      {mail("7", R"("abc")"), Verdict::allow, "mail"},
      {mail("7", R"("abcd")"), Verdict::deny, "default-deny"},
      {mail("7", R"("a")"), Verdict::deny, "default-deny"},
      {mail("7", "true"), Verdict::deny, "default-deny"},
  };
  for (const auto& [text, verdict, rule] : cases) {
    const auto decision = ask(p, text);
    EXPECT_EQ(decision.verdict, verdict) << text << ": " << decision.reason;
    EXPECT_EQ(decision.rule_id, rule) << text << ": " << decision.reason;
  }
  EXPECT_THAT(ask(p, R"(s sql {"query": ""})").reason,
              HasSubstr("/query matching (?i)select [a-z, *]+ from [a-z]+ or show tables"));
  EXPECT_THAT(ask(p, mail("7", "null")).reason, HasSubstr("only for /id (a integer or a string, 2 to 3 characters)"));
}

TEST(McpRules, CountCallsAgainstRuleToolAndServer) {
  const Policy p = policy_of(R"({"version": 1, "name": "p", "mcp": {
    "servers": {"s": {"command": ["x"], "budget": {"requests": 100, "bytes_in": "1MiB"}}}, "tools": [
    {"id": "a", "action": "allow", "server": "s", "tools": ["*"], "budget": {"requests_per_minute": 10}},
    {"id": "b", "action": "ask", "server": "s", "tools": ["b*"], "tool_budget": {"requests": 3}},
    {"id": "c", "action": "allow", "server": "s", "tools": ["spent"], "budget": {"requests": 0}}]}})");
  const auto counters = [&](const std::string& text) {
    std::vector<std::string> names;
    for (const auto& quota : ask(p, text).quotas) names.push_back(quota.counter + ", " + quota.rule);
    return names;
  };
  EXPECT_THAT(counters("s a"), ElementsAre("mcp rule p/a, a", "mcp server s, limit.server"));
  EXPECT_THAT(counters("s b1"), ElementsAre("mcp rule p/a, a", "mcp rule p/b s b1, b", "mcp server s, limit.server"));
  EXPECT_EQ(ask(p, "s b1").quotas[1].allowance.requests, 3u);
  EXPECT_TRUE(p.may_call("s", "a"));
  EXPECT_FALSE(p.may_call("s", "spent"));
  EXPECT_THAT(p.explain("mcp s a").value(), HasSubstr("counted against rule 'a'"));
  EXPECT_THAT(p.describe(), HasSubstr("server s runs x; "));
}

TEST(McpRules, TellWhichToolsCanNeverBeCalled) {
  const Policy p = policy_of(kPolicy);
  EXPECT_TRUE(p.may_call("files", "read_file"));
  EXPECT_TRUE(p.may_call("files", "write_file"));
  EXPECT_FALSE(p.may_call("files", "delete_file"));
  EXPECT_FALSE(p.may_call("other", "stat"));
  const std::string closed = R"({"version": 1, "unmatched": "pass", "mcp": {"tools": [
    {"id": "c", "action": "deny", "server": "*", "tools": ["WRITE_*"]}]}})";
  const auto both = Policy::parse({{"floor.json", closed, true}, {"p.json", std::string(kPolicy)}});
  ASSERT_TRUE(both) << both.error().message();
  EXPECT_FALSE(both->may_call("files", "write_file"));
  EXPECT_TRUE(both->may_call("files", "stat"));
  EXPECT_EQ(ask(*both, R"(files write_file {"path": "/srv/docs/a"})").rule_id, "c");
  EXPECT_EQ(ask(*both, "files stat").rule_id, "stat");
}

TEST(McpServers, AreReadAndMeanTheSameInEveryLayer) {
  const Policy p = policy_of(kPolicy);
  ASSERT_EQ(p.mcp_servers().size(), 2u);
  const McpServer& files = p.mcp_servers()[0];
  EXPECT_EQ(files.name, "files");
  EXPECT_THAT(files.command, ElementsAre("mcp-files", "/srv/docs"));
  EXPECT_THAT(files.secrets, ElementsAre("DOCS_TOKEN"));
  EXPECT_EQ(files.directory, "/srv");
  EXPECT_EQ(files.call_time.count(), 5000);
  EXPECT_EQ(files.new_tools, NewTools::pin);
  EXPECT_EQ(p.mcp_servers()[1].new_tools, NewTools::approve);
  EXPECT_THAT(p.mcp_servers()[1].shares_names_with, ElementsAre("files"));
  const std::string other = R"({"version": 1, "mcp": {"servers": {"web": {"command": ["evil"]}}}})";
  const auto both = Policy::parse({{"p.json", std::string(kPolicy)}, {"o.json", other}});
  ASSERT_FALSE(both);
  EXPECT_THAT(both.error().message(), HasSubstr("the server 'web' is another one at p.json:5"));
}

TEST(McpServers, MayBeElsewhere) {
  const Policy p = policy_of(R"({"version": 1, "mcp": {"servers": {
    "web": {"url": "https://Tools.example/mcp?key=k", "new_tools": "approve", "call_time": "5s"},
    "bare": {"url": "https://tools.example:8443"}}}})");
  ASSERT_EQ(p.mcp_servers().size(), 2u);
  const McpServer& web = p.mcp_servers()[0];
  EXPECT_EQ(web.endpoint, (McpEndpoint{"tools.example", 443, "/mcp?key=k"}));
  EXPECT_THAT(web.command, ElementsAre());
  EXPECT_EQ(web.new_tools, NewTools::approve);
  EXPECT_EQ(web.call_time.count(), 5000);
  EXPECT_EQ(p.mcp_servers()[1].endpoint, (McpEndpoint{"tools.example", 8443, "/"}));
  EXPECT_THAT(p.describe(), HasSubstr("server web is at https://tools.example/mcp; new tools wait for approval\n"));
  EXPECT_THAT(p.describe(), HasSubstr("server bare is at https://tools.example:8443/\n"));
}

TEST(McpServers, MaySayWhoIssuesTheirTokens) {
  const std::string text = R"({"version": 1, "secrets": {"WEB_CLIENT": {"from": "env:WEB_CLIENT"}}, "mcp": {"servers": {
    "web": {"url": "https://tools.example:8443/mcp", "oauth": {"authorization_servers": ["https://Auth.example", "https://b.example:9"],
      "client_id": "gatehouse", "client_secret": "WEB_CLIENT", "grant": "client_credentials", "scopes": ["read", "a:b"]}},
    "bare": {"url": "https://tools.example/mcp", "oauth": {}}}}})";
  const Policy p = policy_of(text);
  const McpServer& web = p.mcp_servers()[0];
  ASSERT_TRUE(web.oauth);
  EXPECT_EQ(web.oauth->grant, McpGrant::client_credentials);
  EXPECT_EQ(web.oauth->client_id + web.oauth->client_secret, "gatehouseWEB_CLIENT");
  EXPECT_THAT(*web.oauth->scopes, ElementsAre("read", "a:b"));
  EXPECT_TRUE(web.oauth->trusts(*web.endpoint, "auth.example", 443));
  EXPECT_TRUE(web.oauth->trusts(*web.endpoint, "b.example", 9));
  EXPECT_TRUE(web.oauth->trusts(*web.endpoint, "tools.example", 8443));
  EXPECT_FALSE(web.oauth->trusts(*web.endpoint, "tools.example", 443));
  EXPECT_FALSE(web.oauth->trusts(*web.endpoint, "auth.example", 9));
  EXPECT_FALSE(web.oauth->trusts(*web.endpoint, "x.auth.example", 443));
  const McpServer& bare = p.mcp_servers()[1];
  EXPECT_EQ(bare.oauth->grant, McpGrant::authorization_code);
  EXPECT_FALSE(bare.oauth->scopes);
  EXPECT_THAT(p.describe(), HasSubstr("; with tokens (client_credentials, client gatehouse with WEB_CLIENT) of its own "
                                      "origin, https://auth.example, https://b.example:9; scopes read a:b"));
  // A layer of the user's own cannot add an issuer to a server of the machine's.
  const std::string wider = R"({"version": 1, "mcp": {"servers": {"bare": {"url": "https://tools.example/mcp",
    "oauth": {"authorization_servers": ["https://evil.example"]}}}}})";
  EXPECT_THAT(Policy::parse({{"p.json", text}, {"o.json", wider}}).error().message(),
              HasSubstr("the server 'bare' is another one at"));
}

TEST(McpRules, RunAsTestsAndAreExplained) {
  std::string text(kPolicy);
  text.insert(text.size() - 1, R"(, "tests": [
    {"mcp": "files read_file", "arguments": {"path": "/srv/docs/x", "head": 3}, "expect": "allow", "rule": "read"},
    {"mcp": "files read_file {\"path\": \"/etc/passwd\", \"head\": 3}", "expect": "deny", "rule": "default-deny"},
    {"mcp": "files stat", "expect": "deny"}])");
  const Policy p = policy_of(text);
  const auto outcomes = p.run_tests();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_TRUE(outcomes[0].passed) << outcomes[0].reason;
  EXPECT_TRUE(outcomes[1].passed) << outcomes[1].reason;
  EXPECT_FALSE(outcomes[2].passed);
  EXPECT_EQ(outcomes[0].test, R"(mcp files read_file {"head":3,"path":"/srv/docs/x"})");
  const auto explained = p.explain(R"(mcp files read_file {"path": "/etc/passwd", "head": 3})");
  ASSERT_TRUE(explained) << explained.error().message();
  EXPECT_THAT(*explained, HasSubstr("deny by default-deny"));
  EXPECT_THAT(*explained, HasSubstr("not these arguments (/path in /srv/docs/**)  [p.json:7]"));
  EXPECT_THAT(p.describe(), HasSubstr("server files runs mcp-files; is given DOCS_TOKEN\n"));
  EXPECT_THAT(p.describe(),
              HasSubstr("server web runs mcp-web; in a sandbox, reads /srv, writes /var/x, without network; "
                        "new tools wait for approval; shares names with files\n"));
  EXPECT_THAT(p.explain(R"(mcp files stat {"a":1,"a":2})").error().message(), HasSubstr("stands twice"));
}

TEST(McpSection, SaysWhatIsWrongWithIt) {
  const std::string server = R"({"servers": {"s": {"command": ["x"])";
  const std::string oauth = R"({"servers": {"s": {"url": "https://x.example/", "oauth": {)";
  const std::string rule =
      R"({"servers": {"s": {"command": ["x"]}}, "tools": [{"id": "r", "action": "allow", "server": "s", "tools": ["t"])";
  const std::pair<std::string, std::string> cases[] = {
      {R"({"server": {}})", "unknown key 'server'; did you mean 'servers'?"},
      {R"({"servers": {"a__b": {"command": ["x"]}}})", "p.json:1:36: 'a__b' is no name of a server"},
      {R"({"servers": {"s": {}}})", "a server has a \"command\" to start it, or the \"url\" it is at"},
      {R"({"servers": {"s": {"command": []}}})", "the command is empty"},
      {R"({"servers": {"s": {"url": "http://x.example/mcp"}}})", "a server's URL begins with https://"},
      {R"({"servers": {"s": {"url": "https://x.example/#a"}}})", "a server's URL begins with https://"},
      {R"({"servers": {"s": {"url": "https://a@x.example/"}}})", "is no URL: no plain host"},
      {R"({"servers": {"s": {"url": "https://x.example/", "command": ["x"]}}})", "'command' is of no use beside"},
      {R"({"servers": {"s": {"url": "https://x.example/", "env": ["X"]}}})", "'env' is of no use beside"},
      {R"({"servers": {"s": {"url": "https://x.example/", "sandbox": {}}}})", "'sandbox' is of no use beside"},
      {R"({"servers": {"s": {"url": "https://10.0.0.1/"}}})", "not an address"},
      {server + R"(, "oauth": {}}}})", "'oauth' is for servers with a \"url\""},
      {oauth + R"("issuers": []}}}})", "unknown key 'issuers'"},
      {oauth + R"("authorization_servers": ["https://a.example/"]}}}})",
       "p.json:1:107: 'https://a.example/' has more than an origin"},
      {oauth + R"("authorization_servers": ["http://a.example"]}}}})", "it begins with https://"},
      {oauth + R"("authorization_servers": ["https://u@a.example"]}}}})", "is no origin: no plain host"},
      {oauth + R"("authorization_servers": ["https://10.0.0.1"]}}}})", "an address in place of its host's name"},
      {oauth + R"("client_secret": "S"}}}})", "of no use without the \"client_id\""},
      {oauth + R"("client_id": "c", "client_secret": "S"}}}})", "'S' is no secret of this policy"},
      {oauth + R"("client_id": "a\nb"}}}})", "printable ASCII"},
      {oauth + R"("grant": "client_credentials"}}}})", "needs a \"client_id\" and the name of its \"client_secret\""},
      {oauth + R"("grant": "password"}}}})", "unknown grant 'password'"},
      {oauth + R"("scopes": ["a b"]}}}})", "'a b' is no scope"},
      {server + R"(, "cwd": "srv"}}})", "'srv' is no absolute path"},
      {server + R"(, "env": ["NONE"]}}})", "'NONE' is no secret of this policy"},
      {server + R"(, "call_time": "2h"}}})", "out of its range of 1s to 1h"},
      {server + R"(, "sandbox": {"read": ["docs"]}}}})", "'docs' is no absolute path"},
      {server + R"(, "sandbox": {"net": true}}}})", "unknown key 'net'"},
      {server + R"(, "sandbox": {"network": "no"}}}})", "'network' must be true or false"},
      {server + R"(, "new_tools": "trust"}}})", "unknown new_tools 'trust'; expected pin, approve"},
      {server + R"(, "shares_names_with": ["t"]}}})", "no server 't' is declared in \"servers\""},
      {R"({"servers": {"files": {"command": ["x"]}}, "tools": [{"id": "r", "action": "allow", "server": "file", "tools": []}]})",
       "no server 'file' is declared in \"servers\"; did you mean 'files'?"},
      {rule + R"(, "arguments": {"path": true}}]})", "'path' is no JSON pointer"},
      {rule + R"(, "arguments": {"/a~2": true}}]})", "followed by neither 0 nor 1"},
      {rule + R"(, "arguments": {"/a": {}}}]})", "nothing is asked of this argument"},
      {rule + R"(, "arguments": {"/a": {"consst": 1}}}]})", "unknown key 'consst'; did you mean 'const'?"},
      {rule + R"(, "arguments": {"/a": {"const": 1.5}}}]})", "a text, a whole number"},
      {rule + R"(, "arguments": {"/a": {"path": "x"}}}]})", "must begin with '/'"},
      {rule + R"(, "arguments": {"*": "x"}}]})", "'*' must be false"},
      {rule + R"(, "arguments": {"/a": {"url": true}}}]})", "'url' must be \"allowed\""},
      {rule + R"(, "arguments": {"/a": {"regex": "(a)\\1"}}}]})",
       "p.json:1:164: no regular expression that can be used here: Back-references"},
      {rule + R"(, "arguments": {"/a": {"pattern": "a"}}}]})", "unknown key 'pattern'"},
      {rule + R"(, "arguments": {"/a": {"additionalProperties": true}}}]})", "can only be false"},
      {rule + R"(, "arguments": {"/a": {"items": {}}}}]})", "nothing is asked of this argument"},
      {rule + R"(, "arguments": {"/a": {"anyOf": []}}}]})", "'anyOf' of nothing"},
      {rule + R"(, "arguments": {"/a": {"minLength": -1}}}]})", "a number from 0 to 2^32"},
      {rule + R"(, "budget": {"calls": 1}}]})", "unknown key 'calls'"},
      {R"({"servers": {"s": {"command": ["x"]}}, "tools": [{"id": "r", "action": "deny", "server": "s", "tools": ["t"], "tool_budget": {}}]})",
       "'tool_budget' bounds what a rule lets through"},
      {rule + R"(, "result_size": "1GiB"}]})", "out of its range of 1KiB to 16MiB"},
      {rule + R"(}, {"id": "r", "action": "deny", "server": "s", "tools": []}]})", "duplicate rule id 'r'"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = Policy::parse({{"p.json", R"({"version": 1, "mcp": )" + text + "}"}});
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message(), HasSubstr(why));
    EXPECT_TRUE(parsed.error().message().starts_with("p.json:1:")) << parsed.error().message();
  }
}

}  // namespace
}  // namespace gatehouse::policy
