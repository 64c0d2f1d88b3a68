// What the policy's terms do to a request that is allowed.
#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;

const std::string kHost = "Host: api.test.example\r\n";
const std::string kChunked = kHost + "Transfer-Encoding: chunked\r\n\r\n";

class TermsTest : public SessionTest {
 protected:
  TermsTest() {
    use(R"("http": [{"id": "small", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"],
                     "request_body": 8, "response_body": 4}])");
  }
  void use(std::string_view members) {
    policy_ = *policy::Policy::parse({{"test.json", fmt::format(R"({{"version": 1, "name": "test", {}}})", members)}});
  }
  ScriptedStream& scan() { return world_->scanner.last(); }
  void allow() { scan().answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}}); }
};

TEST_F(TermsTest, DenyABodyThatIsDeclaredTooLong) {
  for (const bool with_scanner : {false, true}) {
    restart();
    world_->with_scanner = with_scanner;
    dial();
    session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 9\r\n\r\n");
    if (with_scanner) allow();
    world_->answer_commit();
    EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 413 "));
    EXPECT_THAT(world_->to_guest, HasSubstr("Gatehouse-Rule: small"));
    EXPECT_THAT(world_->to_guest, HasSubstr("longer than the 8 bytes that rule 'small' lets through"));
    ASSERT_EQ(world_->rows.size(), 1u);
    EXPECT_EQ(world_->rows[0].decision.rule_id, "small");
    EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::deny);
    EXPECT_FALSE(world_->opened);
  }
}

TEST_F(TermsTest, LetABodyOfJustThatLengthPass) {
  dial();
  forward("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 8\r\n\r\n12345678");
  EXPECT_THAT(wire_.sent, testing::EndsWith("12345678"));
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour");
  EXPECT_THAT(world_->to_guest, testing::EndsWith("four"));
}

TEST_F(TermsTest, StopABodyThatTurnsOutTooLong) {
  dial();
  forward("POST /x HTTP/1.1\r\n" + kChunked + "8\r\n12345678\r\n");
  ASSERT_TRUE(wire_.open);
  session_->on_bytes("1\r\n9\r\n0\r\n\r\n");
  EXPECT_FALSE(wire_.open);
  EXPECT_THAT(wire_.sent, testing::Not(HasSubstr("9\r\n0")));
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 413 "));
  ASSERT_EQ(world_->rows.size(), 2u);
  EXPECT_EQ(world_->rows[1].decision.verdict, Verdict::deny);
  EXPECT_EQ(world_->rows[1].trace_id, world_->rows[0].trace_id);
}

TEST_F(TermsTest, DenyAHeldBodyThatTurnsOutTooLong) {
  world_->with_scanner = true;
  dial();
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kChunked + "9\r\n123456789\r\n");
  allow();  // of the head
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 413 "));
  EXPECT_FALSE(world_->opened);
}

TEST_F(TermsTest, DenyAResponseThatIsDeclaredTooLong) {
  dial();
  forward(kGet);
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_FALSE(wire_.open);
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 502 "));
  EXPECT_THAT(world_->to_guest, HasSubstr("the response's body is longer than the 4 bytes"));
  EXPECT_THAT(world_->to_guest, testing::Not(HasSubstr("200 OK")));
  ASSERT_EQ(world_->rows.size(), 2u);
  EXPECT_EQ(world_->rows[1].decision.rule_id, "small");
}

TEST_F(TermsTest, CutAResponseThatTurnsOutTooLong) {
  dial();
  forward(kGet);
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n");
  wire_.listener->on_upstream_bytes("1\r\n5\r\n0\r\n\r\n");
  EXPECT_FALSE(wire_.open);
  EXPECT_THAT(world_->to_guest, testing::EndsWith("four\r\n"));
  EXPECT_EQ(world_->log.back(), "reset");
  ASSERT_EQ(world_->rows.size(), 2u);
  EXPECT_EQ(world_->rows[1].decision.verdict, Verdict::deny);
}

TEST_F(TermsTest, TakeNoLengthOfAResponseToHeadForItsBody) {
  dial();
  forward("HEAD /x HTTP/1.1\r\n" + kHost + "\r\n");
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
  EXPECT_THAT(world_->to_guest, HasSubstr("200 OK"));
}

// Some servers take it for a field of the head, others do not.
TEST_F(TermsTest, LetATrailerMakeTheVerdictStricterAndNeverMilder) {
  use(R"("http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]},
                  {"id": "debug", "action": "deny", "hosts": ["api.test.example"], "headers": {"X-Debug": true}},
                  {"id": "asked", "action": "deny", "hosts": ["api.test.example"], "paths": ["/y"],
                   "headers": {"X-Ok": false}}])");
  for (const bool with_scanner : {false, true}) {
    restart();
    world_->with_scanner = with_scanner;
    dial();
    session_->on_bytes("POST /x HTTP/1.1\r\n" + kChunked + "1\r\na\r\n");
    if (!with_scanner) {
      world_->answer_commit();
      world_->answer_open(wire_);
    }
    session_->on_bytes("0\r\nX-Debug: 1\r\n\r\n");
    if (with_scanner) allow();
    world_->answer_commit();
    EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 403 "));
    EXPECT_EQ(world_->rows.back().decision.rule_id, "debug");
    EXPECT_EQ(world_->opened, nullptr);
    EXPECT_FALSE(wire_.open && !with_scanner);
  }
  restart();
  world_->with_scanner = false;
  dial();
  forward("POST /y HTTP/1.1\r\n" + kChunked + "0\r\nX-Ok: 1\r\n\r\n");
  EXPECT_EQ(world_->rows.back().decision.rule_id, "asked");
}

class AskingTest : public TermsTest {
 protected:
  AskingTest() {
    use(R"("limits": {"approval_time": "90s"}, "http": [
        {"id": "first", "action": "ask", "hosts": ["api.test.example"], "schemes": ["http"], "reason": "says the boss"}])");
    world_->with_approver = true;
    dial();
  }
  ScriptedApprover& approver() { return world_->asked; }
};

TEST_F(AskingTest, WaitsWithNothingSentUntilAPersonAllows) {
  session_->on_bytes(kGet);
  EXPECT_FALSE(approver().waiting()) << "before the row is committed";
  world_->answer_commit();
  ASSERT_TRUE(approver().waiting());
  EXPECT_EQ(approver().wanted.rule, "first");
  EXPECT_EQ(approver().wanted.what, "GET http://api.test.example/x");
  EXPECT_EQ(approver().wanted.detail, "no body, with a query");
  EXPECT_THAT(approver().wanted.reason, HasSubstr("says the boss"));
  EXPECT_EQ(approver().wanted.time, std::chrono::seconds(90));
  EXPECT_GT(world_->deadline, std::chrono::seconds(90));
  ASSERT_EQ(world_->rows.size(), 1u);
  EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::ask);
  EXPECT_EQ(world_->to_guest, "");
  EXPECT_FALSE(world_->opened);

  approver().decide(true, "alice", "allowed by alice");
  EXPECT_FALSE(world_->opened) << "before the row is committed";
  world_->answer_commit();
  ASSERT_TRUE(world_->opened);
  ASSERT_EQ(world_->rows.size(), 2u);
  EXPECT_EQ(world_->rows[1].decision.verdict, Verdict::allow);
  EXPECT_EQ(world_->rows[1].decision.rule_id, "first");
  EXPECT_EQ(world_->rows[1].decision.reason, "allowed by alice");
  EXPECT_EQ(world_->rows[1].trace_id, world_->rows[0].trace_id);
  EXPECT_NE(world_->rows[1].event_id, world_->rows[0].event_id);
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, HasSubstr("GET /x?q=1 HTTP/1.1"));
}

TEST_F(AskingTest, TellsTheAgentThatItWasDenied) {
  session_->on_bytes(kGet);
  world_->answer_commit();
  approver().decide(false, "bob", "denied by bob");
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 403 "));
  EXPECT_THAT(world_->to_guest, HasSubstr("approval was asked for: denied by bob"));
  EXPECT_THAT(world_->to_guest, HasSubstr("Gatehouse-Rule: first"));
  EXPECT_FALSE(world_->opened);
  EXPECT_EQ(world_->rows.back().decision.verdict, Verdict::deny);
}

TEST_F(AskingTest, DeniesWhenTheApproverSaysNothing) {
  session_->on_bytes(kGet);
  world_->answer_commit();
  session_->on_deadline();
  EXPECT_FALSE(approver().waiting());
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("the approver does not answer"));
  EXPECT_FALSE(world_->opened);
}

TEST_F(AskingTest, AsksForTheSameUrlByTheSameKeyWhateverItsQuery) {
  const auto key = [this](const std::string& line) {
    restart();
    world_->with_approver = true;
    dial();
    session_->on_bytes(line + " HTTP/1.1\r\n" + kHost + "Content-Length: 0\r\n\r\n");
    world_->answer_commit();
    return approver().wanted.key;
  };
  const std::string one = key("POST /x?q=1");
  EXPECT_FALSE(one.empty());
  EXPECT_EQ(key("POST /x?q=2"), one);
  EXPECT_NE(key("POST /y?q=1"), one);
  EXPECT_NE(key("PUT /x?q=1"), one);
}

TEST_F(AskingTest, WithdrawsWhenTheGuestIsGone) {
  session_->on_bytes(kGet);
  world_->answer_commit();
  ASSERT_TRUE(approver().waiting());
  session_->on_error(Error("reset"));
  EXPECT_FALSE(approver().waiting());
  EXPECT_EQ(world_->rows.back().decision.rule_id, "http.cut-short");
  EXPECT_EQ(world_->rows.size(), 2u);
}

TEST_F(AskingTest, AsksOnlyForWhatTheScannerLetsPass) {
  restart();
  world_->with_scanner = world_->with_approver = true;
  dial();
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_FALSE(approver().waiting());
  allow();
  world_->answer_commit();
  ASSERT_TRUE(approver().waiting());
  EXPECT_EQ(approver().wanted.detail, "3 bytes of text/plain");
  approver().decide(true, "alice", "allowed by alice");
  world_->answer_commit();
  world_->answer_open(wire_);
  EXPECT_THAT(wire_.sent, testing::EndsWith("abc"));
}

TEST_F(AskingTest, DeniesAtOnceWhereNobodyCanBeAsked) {
  restart();
  dial();
  session_->on_bytes(kGet);
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("nobody can be asked here"));
  ASSERT_EQ(world_->rows.size(), 1u);
  EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::deny);
  EXPECT_EQ(world_->rows[0].decision.rule_id, "first");
}

class BudgetTest : public TermsTest {
 protected:
  BudgetTest() {
    use(R"("limits": {"session": {"requests": 2, "bytes_in": 6}},
           "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"],
                     "budget": {"bytes_out": 100}},
                    {"id": "slow", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"],
                     "paths": ["/slow"], "budget": {"requests_per_minute": 1}}])");
    world_->counts = Budgets::forgetful();
    dial();
  }
  // A new connection, and the same counts.
  void again() {
    auto counts = std::move(world_->counts);
    restart();
    world_->counts = std::move(counts);
    dial();
  }
};

TEST_F(BudgetTest, DeniesWithStatus429WhatNothingIsLeftFor) {
  for (int i = 0; i < 2; ++i) {
    again();
    forward(kGet);
    EXPECT_THAT(wire_.sent, HasSubstr("GET /x"));
  }
  again();
  wire_.sent.clear();
  session_->on_bytes(kGet);
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 429 Too Many Requests"));
  EXPECT_THAT(world_->to_guest, HasSubstr("Gatehouse-Rule: limit.session"));
  EXPECT_THAT(world_->to_guest, HasSubstr("the budget of 2 requests for the session is used up"));
  EXPECT_FALSE(world_->opened);
  ASSERT_EQ(world_->rows.size(), 1u);
  EXPECT_EQ(world_->rows[0].decision.verdict, Verdict::deny);
  EXPECT_EQ(world_->rows[0].decision.rule_id, "limit.session");
}

TEST_F(BudgetTest, SaysWhenToTryAgain) {
  const std::string get = "GET /slow HTTP/1.1\r\n" + kHost + "\r\n";
  forward(get);
  again();
  session_->on_bytes(get);
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("Gatehouse-Rule: slow"));
  EXPECT_THAT(world_->to_guest, testing::ContainsRegex("Retry-After: (59|60|61)\r\n"));
}

TEST_F(BudgetTest, StopsARequestBeforeTheByteThatIsTooMuch) {
  forward("POST /x HTTP/1.1\r\n" + kChunked + "5\r\nfirst\r\n");
  const std::string sent = wire_.sent;
  session_->on_bytes("60\r\n" + std::string(96, 'x') + "\r\n");
  EXPECT_EQ(wire_.sent, sent);
  EXPECT_FALSE(wire_.open);
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 429 "));
  EXPECT_EQ(world_->rows.back().decision.rule_id, "all");
}

// The connection that was kept turns out to be gone, and the body is sent once more.
TEST_F(BudgetTest, CountsARequestThatIsSentTwiceOnce) {
  world_->with_scanner = true;
  world_->kept = std::make_unique<TestUpstream>(wire_, true);
  session_->on_bytes("PUT /up HTTP/1.1\r\n" + kHost + "Content-Length: 60\r\n\r\n" + std::string(60, 'a'));
  world_->scanner.last().answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
  world_->answer_commit();
  ASSERT_THAT(wire_.sent, testing::EndsWith("aaa"));
  wire_.listener->on_upstream_end(true);
  ASSERT_NE(world_->opened, nullptr);
  world_->answer_open(second_);
  EXPECT_THAT(second_.sent, testing::EndsWith("aaa"));
  EXPECT_EQ(world_->rows.size(), 1U);
}

TEST_F(BudgetTest, CutsAResponseBeforeTheByteThatIsTooMuch) {
  forward(kGet);
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsix678\r\n");
  wire_.listener->on_upstream_bytes("1\r\n7\r\n0\r\n\r\n");
  EXPECT_THAT(world_->to_guest, testing::EndsWith("six678\r\n"));
  EXPECT_EQ(world_->log.back(), "reset");
  EXPECT_EQ(world_->rows.back().decision.rule_id, "limit.session");
}

TEST_F(TermsTest, GiveUpstreamAndGuestTheTimeThatThePolicySays) {
  use(R"("limits": {"first_byte_time": "7s", "idle_time": "3s"},
         "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}])");
  dial();
  forward(kGet);
  EXPECT_LE(world_->deadline, std::chrono::seconds(7));
  EXPECT_GT(world_->deadline, std::chrono::seconds(3));
  wire_.listener->on_upstream_bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
  EXPECT_EQ(world_->deadline, std::chrono::seconds(3));
}

TEST_F(TermsTest, GiveTheGuestTheTimeThatThePolicySays) {
  use(R"("limits": {"handshake_time": "3s", "head_time": "2s"},
         "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}])");
  dial("api.test.example", 443);
  session_->on_bytes("\x16\x03\x01");
  EXPECT_EQ(world_->deadline, std::chrono::seconds(3));
  session_->on_deadline();
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_EQ(world_->rows[0].decision.rule_id, "tls.client-error");
  restart();
  dial();
  session_->on_bytes("GET /x HTTP/1.1\r\nX");
  EXPECT_EQ(world_->deadline, std::chrono::seconds(2));
  session_->on_bytes(": y\r\nZ");
  session_->on_deadline();
  ASSERT_EQ(world_->rows.size(), 1U);
  EXPECT_EQ(world_->rows[0].decision.rule_id, "http.timeout");
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 408 "));
}

TEST_F(TermsTest, TellWhoWasLate) {
  use(R"("limits": {"idle_time": "3s"},
         "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}])");
  const struct {
    const char* response;
    size_t behind;
    const char* error;
  } cases[] = {{"HTTP/1.1 103 x\r\n\r\nHTTP/1.1 2", 0, "upstream.timeout: the response did not begin in time"},
               {"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nx", 0, "upstream.timeout: no byte has moved for too long"},
               {"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nx", kMaxQueuedBytes + 1,
                "guest.timeout: the guest takes nothing of the response"}};
  for (const auto& [response, behind, error] : cases) {
    restart();
    wire_ = {};
    dial();
    forward(kGet);
    world_->guest_queued = behind;
    wire_.listener->on_upstream_bytes(response);
    session_->on_deadline();
    ASSERT_EQ(world_->results.size(), 1U);
    EXPECT_EQ(world_->results[0].error, error);
  }
}

TEST_F(TermsTest, WaitNoLongerForABodyThanThePolicySays) {
  use(R"("limits": {"request_time": "2s"},
         "http": [{"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http"]}])");
  world_->with_scanner = true;
  dial();
  session_->on_bytes("POST /x HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\n");
  EXPECT_LE(world_->deadline, std::chrono::seconds(2));
  session_->on_deadline();
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("HTTP/1.1 408 "));
}

}  // namespace
}  // namespace gatehouse::proxy
