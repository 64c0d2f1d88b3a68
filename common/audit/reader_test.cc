#include "common/audit/reader.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "common/audit/test_log.h"

namespace gatehouse::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class AuditReaderTest : public testing::Test {
 protected:
  std::unique_ptr<AuditReader> open_reader() {
    auto reader = AuditReader::open(path_);
    if (!reader) throw std::runtime_error(reader.error().message());
    return std::move(*reader);
  }

  static std::vector<std::string> what(AuditReader& reader, const Filter& filter = {}) {
    auto entries = reader.next_entries(filter);
    std::vector<std::string> lines;
    if (!entries) return {entries.error().message()};
    for (const auto& entry : *entries) lines.push_back(entry.channel + ": " + entry.what);
    return lines;
  }

  TempFolder folder_;
  std::string path_ = folder_.file("audit.db");
};

TEST_F(AuditReaderTest, TellsTheStoryOfAllTablesAndWritersInOrderOfCommit) {
  auto dns = open_log(path_, "dns");
  auto proxy = open_log(path_, "proxy");
  NetEvent raw = net_event("", Verdict::deny);
  raw.channel = "tcp";
  raw.method = raw.path = "";
  NetResult ended;
  ended.event_id = make_uuid();
  ended.status = 200;
  ended.upstream_address = "203.0.113.5";
  ended.bytes_out = 10;
  ended.bytes_in = 20;
  ended.duration_us = 30'500;
  ASSERT_TRUE(proxy->append_and_wait(ProcessEvent{"proxy", 42, "start", ""}));
  ASSERT_TRUE(dns->append_and_wait(dns_event("api.example.com", "198.18.0.7")));
  ASSERT_TRUE(proxy->append_and_wait(net_event("api.example.com", Verdict::allow)));
  ASSERT_TRUE(proxy->append_and_wait(ended));
  ASSERT_TRUE(proxy->append_and_wait(raw));
  ASSERT_TRUE(dns->append_and_wait(PolicyEvent{"loaded", "/a.json\n/b.json", "ab", ""}));
  ASSERT_TRUE(dns->append_and_wait(ExecEvent{"", {"sh", "-c", "exit 3"}, "exit", 3}));
  EXPECT_THAT(what(*open_reader()),
              ElementsAre("process: proxy (pid 42) start", "dns: A api.example.com", "https: GET api.example.com:443/x",
                          "result: status 200 from 203.0.113.5 10 bytes out, 20 in, 30 ms", "tcp: 198.18.0.7:443",
                          "policy: loaded /a.json /b.json", "exec: exit 3 sh -c \"exit 3\""));
}

TEST_F(AuditReaderTest, ReturnsEachEntryOnce) {
  auto log = open_log(path_);
  auto reader = open_reader();
  EXPECT_THAT(what(*reader), ElementsAre());
  ASSERT_TRUE(log->append_and_wait(dns_event("one", "")));
  EXPECT_THAT(what(*reader), ElementsAre("dns: A one"));
  ASSERT_TRUE(log->append_and_wait(dns_event("two", "")));
  EXPECT_THAT(what(*reader), ElementsAre("dns: A two"));
  EXPECT_THAT(what(*reader), ElementsAre());
}

TEST_F(AuditReaderTest, ReturnsALongLogInParts) {
  {
    auto log = open_log(path_);
    for (int i = 0; i < 6000; ++i) log->append(dns_event("n", ""));
    ASSERT_TRUE(log->append_and_wait(dns_event("n", "")));
    for (int i = 0; i < 6000; ++i) log->append(dns_event("n", ""));
  }
  auto reader = open_reader();
  EXPECT_EQ(reader->next_entries({})->size(), 10'000U);
  EXPECT_EQ(reader->next_entries({})->size(), 2001U);
  EXPECT_EQ(reader->next_entries({})->size(), 0U);
}

TEST_F(AuditReaderTest, LeavesOutWhatWasNotBlockedOnRequest) {
  auto log = open_log(path_);
  ASSERT_TRUE(log->append_and_wait(net_event("good", Verdict::allow)));
  ASSERT_TRUE(log->append_and_wait(net_event("bad", Verdict::deny)));
  ASSERT_TRUE(log->append_and_wait(ProcessEvent{"dns", 1, "start", ""}));
  EXPECT_THAT(what(*open_reader(), {.blocked_only = true}), ElementsAre("https: GET bad:443/x"));
}

TEST_F(AuditReaderTest, ListsFindingsByWhatBecameOfThem) {
  auto log = open_log(path_);
  DlpFinding open = finding_event(FindingAction::warn);
  open.decode_path = open.prefix = "";
  open.location = "query:token";
  DlpFinding inbound = finding_event(FindingAction::exempt);
  inbound.direction = "in";
  inbound.rule = "prompt-injection";
  const DlpFinding all[] = {finding_event(FindingAction::deny), finding_event(FindingAction::redact), open, inbound};
  for (const auto& finding : all) ASSERT_TRUE(log->append_and_wait(finding));
  EXPECT_THAT(what(*open_reader()),
              ElementsAre("dlp: api.example.com: github-pat in body via gzip>json>base64 (ghp_...)",
                          "dlp: api.example.com: github-pat in body via gzip>json>base64 (ghp_...)",
                          "dlp: api.example.com: github-pat in query:token",
                          "dlp: from api.example.com: prompt-injection in body via gzip>json>base64 (ghp_...)"));
  auto entries = open_reader()->next_entries({});
  ASSERT_TRUE(entries && entries->size() == 4);
  std::vector<std::string> verdicts;
  for (const auto& entry : *entries) verdicts.push_back(entry.verdict);
  EXPECT_THAT(verdicts, ElementsAre("deny", "redact", "warn", "exempt"));
  EXPECT_EQ(entries->front().rule_id, "dlp.github-pat");
  EXPECT_EQ(entries->front().reason, "a GitHub token in the body");
}

TEST_F(AuditReaderTest, CountsADeniedOrRedactedFindingAsBlocked) {
  auto log = open_log(path_);
  for (const auto action : {FindingAction::exempt, FindingAction::deny, FindingAction::warn, FindingAction::redact}) {
    ASSERT_TRUE(log->append_and_wait(finding_event(action)));
  }
  auto entries = open_reader()->next_entries({.blocked_only = true});
  ASSERT_TRUE(entries && entries->size() == 2);
  EXPECT_EQ((*entries)[0].verdict, "deny");
  EXPECT_EQ((*entries)[1].verdict, "redact");
}

TEST_F(AuditReaderTest, GivesTheWholeFindingAsJson) {
  auto log = open_log(path_);
  DlpFinding finding = finding_event(FindingAction::exempt);
  finding.length = 40;
  finding.exemption = "sdk-docs";
  finding.detail = "more";
  ASSERT_TRUE(log->append_and_wait(finding));
  auto entries = open_reader()->next_entries({});
  ASSERT_TRUE(entries && entries->size() == 1);
  auto json = nlohmann::json::parse(entries->front().json);
  for (const char* key : {"event_id", "time_us", "hash"}) json.erase(key);
  EXPECT_EQ(json, nlohmann::json::parse(fmt::format(
                      R"({{"table": "dlp_findings", "position": 1, "session": "s1", "writer": "proxy", "seq": 1,
                           "trace_id": "{}", "verdict": "allow", "rule_id": "dlp.github-pat",
                           "reason": "a GitHub token in the body", "channel": "https", "direction": "out",
                           "host": "api.example.com", "rule": "github-pat", "category": "credentials",
                           "action": "exempt", "confidence": "high", "location": "body",
                           "decode_path": "gzip>json>base64", "offset": 17, "length": 40, "prefix": "ghp_",
                           "fingerprint": "0123456789abcdef", "exemption": "sdk-docs", "detail": "more"}})",
                      finding.trace_id)));
}

TEST_F(AuditReaderTest, TellsOfModelCallsAndTheirTools) {
  auto log = open_log(path_);
  ModelCall call;
  call.event_id = call.trace_id = make_uuid();
  call.provider = "anthropic";
  call.model = "model-1";
  call.status = 200;
  call.input_tokens = 1200;
  call.cached_tokens = 800;
  call.output_tokens = 350;
  call.cost_microdollars = 12'345;
  call.stop_reason = "tool_use";
  call.first_token_us = 320'900;
  call.latency_us = 2'100'000;
  ASSERT_TRUE(log->append_and_wait(call));
  ASSERT_TRUE(log->append_and_wait(ToolCall{call.trace_id, "call_1", "shell", "function", 17, "ab"}));
  ASSERT_TRUE(log->append_and_wait(ToolResponse{make_uuid(), "call_1", "shell", call.trace_id, true, 40, "cd"}));
  EXPECT_THAT(
      what(*open_reader()),
      ElementsAre("model: anthropic model-1 status 200: 1200 tokens in (800 cached), 350 out, $0.012345, tool_use, "
                  "first token 320 ms, 2100 ms",
                  "tool: call shell call_1 (17 bytes of arguments)", "tool: failure of shell call_1 (40 bytes)"));
}

TEST_F(AuditReaderTest, TellsWhoDecidedWhat) {
  auto log = open_log(path_);
  ASSERT_TRUE(log->append_and_wait(Approval{make_uuid(),
                                            {Verdict::allow, "ask-first", "allowed by alice"},
                                            "https",
                                            "POST https://a.example/x",
                                            "alice",
                                            "session"}));
  auto entries = open_reader()->next_entries({});
  ASSERT_TRUE(entries && entries->size() == 1);
  EXPECT_EQ(entries->front().what, "POST https://a.example/x by alice for the session");
  EXPECT_EQ(entries->front().channel, "approval");
  EXPECT_EQ(entries->front().verdict, "allow");
  EXPECT_EQ(entries->front().rule_id, "ask-first");
}

TEST_F(AuditReaderTest, SaysNothingOfTokensThatWereNotTold) {
  auto log = open_log(path_);
  ModelCall call;
  call.event_id = make_uuid();
  call.provider = "openai";
  call.status = 500;
  call.latency_us = 7000;
  call.detail = "error: server_error";
  ASSERT_TRUE(log->append_and_wait(call));
  auto entries = open_reader()->next_entries({});
  ASSERT_TRUE(entries && entries->size() == 1);
  EXPECT_EQ(entries->front().what, "openai status 500: 7 ms, error: server_error");
  const auto json = nlohmann::json::parse(entries->front().json);
  for (const char* key : {"input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens",
                          "cost_microdollars", "first_token_us"}) {
    EXPECT_TRUE(json.at(key).is_null()) << key;
  }
}

TEST_F(AuditReaderTest, GivesTheWholeRowAsJson) {
  auto log = open_log(path_);
  const NetEvent event = net_event("grüße.example");
  ASSERT_TRUE(log->append_and_wait(event));
  auto entries = open_reader()->next_entries({});
  ASSERT_TRUE(entries && entries->size() == 1);
  auto json = nlohmann::json::parse(entries->front().json);
  EXPECT_EQ(json.at("time_us"), entries->front().time_us);
  EXPECT_EQ(json.at("hash").get<std::string>().size(), 64U);
  json.erase("time_us");
  json.erase("hash");
  EXPECT_EQ(json, nlohmann::json::parse(fmt::format(
                      R"({{"table": "net_events", "position": 1, "event_id": "{}", "session": "s1", "writer": "proxy",
                           "seq": 1, "trace_id": "{}", "verdict": "deny", "rule_id": "rule-1", "reason": "because",
                           "channel": "https", "host": "grüße.example", "address": "198.18.0.7", "port": 443,
                           "sni": "grüße.example", "method": "GET", "path": "/x", "detail": ""}})",
                      event.event_id, event.trace_id)));
}

TEST_F(AuditReaderTest, GivesArgumentsAsAListAndNoExitCodeAsNull) {
  auto log = open_log(path_);
  ASSERT_TRUE(log->append_and_wait(ExecEvent{"", {"echo", std::string("a\0b", 3), "\xff"}, "start", {}}));
  auto entries = open_reader()->next_entries({});
  ASSERT_TRUE(entries && entries->size() == 1);
  const auto json = nlohmann::json::parse(entries->front().json);
  EXPECT_EQ(json.at("argv"), nlohmann::json({"echo", "a\\x00b", "\\xff"}));
  EXPECT_TRUE(json.at("exit_code").is_null());
}

TEST_F(AuditReaderTest, CountsVerdictsOfNetAndDns) {
  auto log = open_log(path_);
  ASSERT_TRUE(log->append_and_wait(net_event("a", Verdict::allow)));
  ASSERT_TRUE(log->append_and_wait(dns_event("a", "198.18.0.1")));
  ASSERT_TRUE(log->append_and_wait(net_event("b", Verdict::deny)));
  auto counts = open_reader()->counts();
  ASSERT_TRUE(counts) << counts.error().message();
  EXPECT_EQ(counts->allowed, 2);
  EXPECT_EQ(counts->denied, 1);
}

TEST_F(AuditReaderTest, ReturnsPoolAnswersInOrder) {
  auto log = open_log(path_);
  ASSERT_TRUE(log->append_and_wait(dns_event("b.example", "198.18.0.1")));
  ASSERT_TRUE(log->append_and_wait(dns_event("no-data.example", "")));
  ASSERT_TRUE(log->append_and_wait(dns_event("a.example", "198.18.0.2")));
  auto answers = open_reader()->pool_answers();
  ASSERT_TRUE(answers) << answers.error().message();
  ASSERT_EQ(answers->size(), 2U);
  EXPECT_EQ((*answers)[0].name + (*answers)[0].address, "b.example198.18.0.1");
  EXPECT_EQ((*answers)[1].name + (*answers)[1].address, "a.example198.18.0.2");
}

TEST_F(AuditReaderTest, RefusesAFileThatIsNoAuditLog) {
  auto missing = AuditReader::open(path_);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message(),
              HasSubstr("unable to open database file (SQLite 14): No such file or directory"));
  { open_log(path_); }
  tamper(path_, "PRAGMA application_id=7");
  auto foreign = AuditReader::open(path_);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().message(), path_ + ": not an audit log of Gatehouse");
}

}  // namespace
}  // namespace gatehouse::audit
