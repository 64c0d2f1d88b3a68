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
      "web": {"url": "https://tools.example/mcp"}}}})"}});
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

TEST_F(SessionTest, AGuestSetsNoTrace) {
  dial();
  session_->on_bytes("GET /x HTTP/1.1\r\nHost: api.test.example\r\nGatehouse-Trace: " + kTrace + "\r\n\r\n");
  ASSERT_EQ(world_->rows.size(), 1u);
  EXPECT_EQ(world_->rows[0].trace_id, world_->rows[0].event_id);
}

}  // namespace
}  // namespace gatehouse::proxy
