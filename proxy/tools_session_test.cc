// The MCP gateway's connections to servers of tools, as transcripts.
#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kTrace = "0192f0c1-0000-7000-8000-00000000abcd";

class ToolsSessionTest : public SessionTest {
 protected:
  ToolsSessionTest() {
    policy_ = *policy::Policy::parse({{"test.json", R"({"version": 1, "name": "test", "mcp": {"servers": {
      "web": {"url": "https://tools.example/mcp"},
      "safe": {"url": "https://safe.example/mcp", "oauth": {"authorization_servers": ["https://auth.example:8443"]}}}},
      "http": [{"id": "no-admin", "action": "deny", "hosts": ["auth.example"], "ports": [8443], "paths": ["/admin/**"]}]})"}});
  }
  static std::string post(const std::string& more = "", const std::string& path = "/mcp") {
    return "POST " + path + " HTTP/1.1\r\nHost: tools.example\r\n" + more + "Content-Length: 2\r\n\r\n{}";
  }
};

TEST_F(ToolsSessionTest, GoOnOverTlsWithTheCallsTraceInTheirRows) {
  start(GuestSession::Entry::tools);
  session_->on_bytes(post("Gatehouse-Trace: " + kTrace + "\r\nMcp-Session-Id: s\r\nMcp-Param-A: b\r\n"));
  ASSERT_EQ(world_->rows.size(), 1u);
  EXPECT_EQ(world_->rows[0].decision.rule_id, "mcp.server");
  EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::allow);
  EXPECT_EQ(world_->rows[0].trace_id, kTrace);
  EXPECT_NE(world_->rows[0].event_id, kTrace);
  EXPECT_EQ(world_->rows[0].channel, "https");
  EXPECT_FALSE(world_->opened);
  world_->answer_commit();
  EXPECT_EQ(world_->log.back(), "open tools.example:443");
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, HasSubstr("Mcp-Session-Id: s\r\nMcp-Param-A: b\r\n"));
  EXPECT_THAT(wire_.sent, Not(HasSubstr("Gatehouse")));
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nGatehouse-Rule: x\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_THAT(world_->to_guest, Not(HasSubstr("Gatehouse")));
  ASSERT_EQ(world_->results.size(), 1u);
  EXPECT_EQ(world_->results[0].trace_id, kTrace);
}

TEST_F(ToolsSessionTest, WaitForAsLongAsTheGatewayDoes) {
  start(GuestSession::Entry::tools);
  session_->on_bytes(post());
  world_->answer_commit();
  world_->answer_open(wire_);
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: one\n");
  EXPECT_EQ(world_->deadline, kToolsIdleTime);
}

TEST_F(ToolsSessionTest, TakeNoTraceThatIsNone) {
  for (const std::string trace :
       {"x", "0192F0C1-0000-7000-8000-00000000ABCD", "0192f0c1-0000-7000-8000-00000000abcde"}) {
    restart();
    start(GuestSession::Entry::tools);
    session_->on_bytes(post("Gatehouse-Trace: " + trace + "\r\n"));
    ASSERT_EQ(world_->rows.size(), 1u);
    EXPECT_EQ(world_->rows[0].trace_id, world_->rows[0].event_id) << trace;
  }
}

TEST_F(ToolsSessionTest, AreRefusedElsewhereBeforeAnythingIsResolved) {
  start(GuestSession::Entry::tools);
  session_->on_bytes(post("", "/other"));
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 403 "));
  EXPECT_THAT(world_->to_guest, HasSubstr("Gatehouse-Rule: mcp.server\r\n"));
  EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::deny);
  EXPECT_FALSE(world_->opened);
}

TEST_F(ToolsSessionTest, GoToThoseWhoMayIssueTokensWhenTheySaySo) {
  const std::tuple<std::string, std::string, std::string, bool, std::string> cases[] = {
      {"POST", "auth.example:8443", "/token", true, "mcp.authorization"},
      {"GET", "auth.example:8443", "/.well-known/x", true, "mcp.authorization"},
      {"GET", "safe.example", "/.well-known/oauth-protected-resource", true, "mcp.authorization"},
      {"DELETE", "auth.example:8443", "/token", false, "mcp.authorization"},
      {"GET", "auth.example", "/", false, "mcp.authorization"},
      {"GET", "tools.example", "/", false, "mcp.authorization"},  // of a server without "oauth"
      {"GET", "evil.example", "/", false, "mcp.authorization"},
      {"POST", "auth.example:8443", "/admin/x", false, "no-admin"},
  };
  for (const auto& [method, host, path, allowed, rule] : cases) {
    restart();
    start(GuestSession::Entry::tools);
    const std::string rest = " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n";
    session_->on_bytes(method + rest + "Gatehouse-Purpose: authorization\r\nContent-Length: 2\r\n\r\n{}");
    ASSERT_EQ(world_->rows.size(), 1u) << host << path;
    EXPECT_EQ(world_->rows[0].decision.rule_id, rule) << host << path;
    EXPECT_EQ(world_->rows[0].decision.allowed(), allowed) << host << path;
    restart();
    start(GuestSession::Entry::tools);
    session_->on_bytes(method + rest + "\r\n");
    EXPECT_EQ(world_->rows[0].decision.rule_id, "mcp.server") << "without saying so";
    EXPECT_FALSE(world_->rows[0].decision.allowed());
  }
}

TEST_F(ToolsSessionTest, CarryAnAccessTokenThatNoRowHasInPlaceOfAnyOther) {
  start(GuestSession::Entry::tools);
  session_->on_bytes(post("Gatehouse-Bearer: made-up-token\r\nAuthorization: Bearer other\r\n"));
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, HasSubstr("Authorization: Bearer made-up-token\r\n"));
  EXPECT_THAT(wire_.sent, Not(HasSubstr("other")));
  ASSERT_EQ(world_->rows.size(), 1u);
  EXPECT_THAT(world_->rows[0].path + world_->rows[0].decision.reason, Not(HasSubstr("made-up-token")));
  EXPECT_THAT(wire_.sent, Not(HasSubstr("Gatehouse")));
}

// What is for an issuer is the gateway's own; what is for a server is the guest's, but for the token that goes along.
TEST_F(ToolsSessionTest, ShowTheScannerAllButTheTokensAndWhatIsForAnIssuer) {
  world_->with_scanner = true;
  start(GuestSession::Entry::tools);
  session_->on_bytes(
      "POST /token HTTP/1.1\r\nHost: auth.example:8443\r\nGatehouse-Purpose: authorization\r\n"
      "Authorization: Basic made-up\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_TRUE(world_->scanner.streams.empty());
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, HasSubstr("Authorization: Basic made-up\r\n"));
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_TRUE(world_->scanner.streams.empty());
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 200"));

  restart();
  world_->with_scanner = true;
  start(GuestSession::Entry::tools);
  session_->on_bytes(post("Gatehouse-Bearer: made-up-token\r\nX-Other: y\r\n"));
  ASSERT_FALSE(world_->scanner.streams.empty());
  std::string shown;
  for (const auto& part : world_->scanner.last().parts) shown += part.info.location + "=" + part.bytes + "\n";
  EXPECT_THAT(shown, HasSubstr("x-other"));
  EXPECT_THAT(shown, Not(HasSubstr("made-up-token")));
}

TEST_F(ToolsSessionTest, SpeakPlainHttp1) {
  for (const std::string& bytes :
       {std::string("\x16\x03\x01\x02"), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        std::string("CONNECT tools.example:443 HTTP/1.1\r\nHost: tools.example:443\r\n\r\n")}) {
    restart();
    start(GuestSession::Entry::tools);
    session_->on_bytes(bytes);
    ASSERT_EQ(world_->rows.size(), 1u) << bytes;
    EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::deny) << bytes;
    EXPECT_FALSE(world_->opened);
  }
}

TEST_F(SessionTest, AGuestSetsNoPurposeAndNoBearer) {
  dial();
  session_->on_bytes(
      "GET /x HTTP/1.1\r\nHost: api.test.example\r\nGatehouse-Purpose: authorization\r\nGatehouse-Bearer: x\r\n\r\n");
  world_->answer_commit();
  EXPECT_NE(world_->rows[0].decision.rule_id, "mcp.authorization");
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, Not(HasSubstr("Authorization")));
}

TEST_F(SessionTest, AGuestSetsNoTrace) {
  dial();
  session_->on_bytes("GET /x HTTP/1.1\r\nHost: api.test.example\r\nGatehouse-Trace: " + kTrace + "\r\n\r\n");
  ASSERT_EQ(world_->rows.size(), 1u);
  EXPECT_EQ(world_->rows[0].trace_id, world_->rows[0].event_id);
}

}  // namespace
}  // namespace gatehouse::proxy
