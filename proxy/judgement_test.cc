#include "proxy/judgement.h"

#include <gtest/gtest.h>

#include "proxy/request_reader.h"

namespace gatehouse::proxy {
namespace {

constexpr std::string_view kPolicy = R"({"version": 1, "name": "test", "http": [
  {"id": "read", "action": "allow", "hosts": ["api.test.example"], "methods": ["GET", "POST"], "paths": ["/v1/**"]}]})";

Decision judge(const std::string& fields, std::string_view rules = kPolicy) {
  RequestReader reader(Scheme::https);
  const auto read = reader.feed("POST /v1/a?b=c HTTP/1.1\r\nHost: api.test.example\r\n" + fields + "\r\n");
  EXPECT_TRUE(read && read->kind == ReadEvent::Kind::head);
  Origin origin;
  origin.port = 443;
  origin.name = origin.sni = "api.test.example";
  origin.tls = true;
  const auto policy = policy::Policy::parse({{"p.json", std::string(rules), false}});
  return judge_request(*policy, origin, reader.head());
}

TEST(Judgement, RefusesAFieldThatAsksForAnotherMethodOrPath) {
  const std::pair<const char*, const char*> cases[] = {
      {"X-HTTP-Method-Override: DELETE\r\n", "method"}, {"x-http-method: DELETE\r\n", "method"},
      {"X-Method-Override: PUT\r\n", "method"},         {"X_HTTP_Method_Override: DELETE\r\n", "method"},
      {"X-Original-URL: /admin\r\n", "path"},           {"X-Rewrite-Url: /admin\r\n", "path"},
      {"X-HTTP-Method-Override:\r\n", "method"},        {"X-Original-URL: /v1/a\r\nX-Original-URL: /x\r\n", "path"},
  };
  for (const auto& [fields, what] : cases) {
    const auto decision = judge(fields);
    EXPECT_EQ(decision.verdict, Verdict::deny) << fields;
    EXPECT_EQ(decision.rule_id, "http.override") << fields;
    EXPECT_NE(decision.reason.find(std::string("another ") + what), std::string::npos) << decision.reason;
  }
}

TEST(Judgement, LetsAFieldPassThatSaysWhatTheRequestLineSays) {
  for (const char* fields :
       {"X-HTTP-Method-Override: post\r\n", "X-Original-URL: /v1/a?b=c\r\n", "X-Method: DELETE\r\n"}) {
    EXPECT_EQ(judge(fields).rule_id, "read") << fields;
  }
}

TEST(Judgement, JudgesTheHeaderFieldsThatWouldBeForwarded) {
  constexpr std::string_view kRules = R"({"version": 1, "name": "test", "http": [
      {"id": "json", "action": "allow", "hosts": ["api.test.example"], "headers": {"X-Mode": "safe"}}]})";
  EXPECT_EQ(judge("X-Mode: safe\r\n", kRules).rule_id, "json");
  EXPECT_EQ(judge("X-Mode: other\r\n", kRules).rule_id, "default-deny");
  EXPECT_EQ(judge("X-Mode: safe\r\nX-Mode: safe\r\n", kRules).rule_id, "default-deny");
  EXPECT_EQ(judge("X-Mode: safe\r\nConnection: X-Mode\r\n", kRules).rule_id, "default-deny");
}

// The MCP gateway's own way.
constexpr std::string_view kTools = R"({"version": 1, "name": "test",
  "mcp": {"servers": {"web": {"url": "https://tools.example/mcp?team=a"}, "far": {"url": "https://tools.example:8443/mcp"},
                      "run": {"command": ["x"]}}},
  "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"]},
           {"id": "never", "action": "deny", "hosts": ["tools.example"], "paths": ["/closed"]}]})";

Decision judge_tools(const std::string& request, std::string_view rules = kTools) {
  RequestReader reader(Scheme::https);
  const auto read = reader.feed(request + "\r\n");
  EXPECT_TRUE(read && read->kind == ReadEvent::Kind::head) << request;
  Origin origin;
  origin.way = Origin::Way::tools;
  origin.tls = true;
  return judge_request(*policy::Policy::parse({{"p.json", std::string(rules), false}}), origin, reader.head());
}

TEST(Judgement, LetsTheMcpGatewayGoToServersOfToolsAndNowhereElse) {
  const std::pair<std::string, Verdict> cases[] = {
      {"POST /mcp?team=a HTTP/1.1\r\nHost: tools.example\r\n", Verdict::allow},
      {"GET /mcp?team=a HTTP/1.1\r\nHost: tools.example\r\n", Verdict::allow},
      {"DELETE /mcp?team=a HTTP/1.1\r\nHost: tools.example:443\r\n", Verdict::allow},
      {"POST /mcp HTTP/1.1\r\nHost: tools.example:8443\r\n", Verdict::allow},
      {"PUT /mcp?team=a HTTP/1.1\r\nHost: tools.example\r\n", Verdict::deny},
      {"POST /mcp?team=b HTTP/1.1\r\nHost: tools.example\r\n", Verdict::deny},
      {"POST /mcp HTTP/1.1\r\nHost: tools.example\r\n", Verdict::deny},
      {"POST /mcp/?team=a HTTP/1.1\r\nHost: tools.example\r\n", Verdict::deny},
      {"POST /mcp?team=a HTTP/1.1\r\nHost: tools.example:8443\r\n", Verdict::deny},
      {"POST /mcp?team=a HTTP/1.1\r\nHost: other.example\r\n", Verdict::deny},
      {"POST /x HTTP/1.1\r\nHost: api.test.example\r\n", Verdict::deny},  // that the guest may
  };
  for (const auto& [request, verdict] : cases) {
    const auto decision = judge_tools(request);
    EXPECT_EQ(decision.verdict, verdict) << request;
    EXPECT_EQ(decision.rule_id, "mcp.server") << request;
  }
  EXPECT_EQ(judge_tools("CONNECT tools.example:443 HTTP/1.1\r\nHost: tools.example:443\r\n").rule_id,
            "protocol.connect");
}

TEST(Judgement, KeepsTheMcpGatewayFromWhatARuleDenies) {
  std::string rules(kTools);
  rules.replace(rules.find("/closed"), 7, "/mcp");
  EXPECT_EQ(judge_tools("POST /mcp?team=a HTTP/1.1\r\nHost: tools.example\r\n", rules).rule_id, "never");
}

TEST(Judgement, LetsNobodyElseGoToServersOfTools) {
  EXPECT_EQ(judge("", kTools).rule_id, "all");
  RequestReader reader(Scheme::https);
  (void)reader.feed("POST /mcp?team=a HTTP/1.1\r\nHost: tools.example\r\n\r\n");
  Origin origin;
  origin.port = 443;
  origin.name = origin.sni = "tools.example";
  origin.tls = true;
  EXPECT_EQ(
      judge_request(*policy::Policy::parse({{"p.json", std::string(kTools), false}}), origin, reader.head()).rule_id,
      "default-deny");
}

}  // namespace
}  // namespace gatehouse::proxy
