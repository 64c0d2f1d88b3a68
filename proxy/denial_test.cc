#include "proxy/denial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proxy/response_reader.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kEvent = "01890a5d-ac96-774b-bcce-b302099a8057";

struct Answer {
  ResponseHead head;
  std::string body;
};

// The denial as a strict client reads it.
Answer read_answer(const std::string& bytes, std::string_view method) {
  ResponseReader reader(method);
  Answer answer;
  std::string_view rest = bytes;
  while (true) {
    const auto event = reader.feed(rest);
    if (!event) {
      ADD_FAILURE() << event.error().id;
      return answer;
    }
    rest.remove_prefix(event->consumed);
    answer.body.append(event->body);
    if (event->kind == ReadEvent::Kind::complete || event->kind == ReadEvent::Kind::need_more) break;
  }
  EXPECT_EQ(rest, "");
  answer.head = reader.head();
  return answer;
}

TEST(Denial, TellsReasonRuleAndEvent) {
  const Denial denial = denial_of({Verdict::deny, "gh-issues", "POST is not allowed here"}, kEvent);
  const Answer answer = read_answer(denial_response(denial, {.head_request = false, .close = false}), "GET");
  EXPECT_EQ(answer.head.status, 403);
  EXPECT_TRUE(answer.head.keep_alive);
  EXPECT_EQ(find_field(answer.head.fields, "Content-Type")->value, "application/problem+json");
  EXPECT_EQ(find_field(answer.head.fields, "Gatehouse-Rule")->value, "gh-issues");
  EXPECT_EQ(find_field(answer.head.fields, "Gatehouse-Event")->value, kEvent);
  const auto problem = nlohmann::json::parse(answer.body);
  EXPECT_EQ(problem["status"], 403);
  EXPECT_EQ(problem["title"], "Denied by policy");
  EXPECT_EQ(problem["detail"], "POST is not allowed here");
  EXPECT_EQ(problem["rule"], "gh-issues");
  EXPECT_EQ(problem["event_id"], kEvent);
  EXPECT_THAT(problem["remedy"].get<std::string>(), HasSubstr("ask the operator"));
}

TEST(Denial, CarriesTheStatusOfARefusal) {
  const Denial denial = denial_of(Refusal{"http.request-line-too-long", 414, "too long"}, "");
  const Answer answer = read_answer(denial_response(denial, {}), "GET");
  EXPECT_EQ(answer.head.status, 414);
  EXPECT_EQ(answer.head.reason, "URI Too Long");
  EXPECT_FALSE(answer.head.keep_alive);
  EXPECT_EQ(find_field(answer.head.fields, "Gatehouse-Event"), nullptr);
  EXPECT_THAT(std::string(remedy(denial)), HasSubstr("Correct the request"));
}

TEST(Denial, AdvisesToLeaveOutWhatWasFound) {
  for (const int status : {403, 502}) {
    const Denial denial{status, "dlp.github-pat", "found a token", kEvent};
    EXPECT_THAT(std::string(remedy(denial)), HasSubstr("exemption"));
  }
  EXPECT_THAT(std::string(remedy({503, "dlp.unavailable", "", kEvent})), HasSubstr("in a few seconds"));
}

TEST(Denial, HasNoBodyForHeadButTheSameLength) {
  const Denial denial = denial_of(Decision{}, kEvent);
  const Answer full = read_answer(denial_response(denial, {.head_request = false, .close = true}), "GET");
  const Answer head = read_answer(denial_response(denial, {.head_request = true, .close = true}), "HEAD");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.head.content_length, full.body.size());
}

TEST(Denial, CannotBeMadeToCarryMarkupOrHeaders) {
  const Denial denial = denial_of(
      {Verdict::deny, "rule\r\nSet-Cookie: a=b\xff", "<script>alert('1')</script> & \"x\"\r\n\xff\xc3\xa9"}, kEvent);
  const std::string bytes = denial_response(denial, {});
  const Answer answer = read_answer(bytes, "GET");
  EXPECT_EQ(find_field(answer.head.fields, "Set-Cookie"), nullptr);
  EXPECT_EQ(find_field(answer.head.fields, "Gatehouse-Rule")->value, "ruleSet-Cookie: a=b");
  EXPECT_THAT(answer.body, Not(testing::ContainsRegex("[<>&]")));
  for (const char c : answer.body) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f));
  EXPECT_EQ(nlohmann::json::parse(answer.body)["detail"],
            "<script>alert('1')</script> & \"x\"\r\n\xef\xbf\xbd\xc3\xa9");
}

TEST(Denial, SaysWhatToDoForEveryKindOfStatus) {
  for (const int status : {400, 403, 414, 431, 501, 502, 503, 504, 505}) {
    Denial denial;
    denial.status = status;
    EXPECT_NE(status_phrase(status), "Error");
    EXPECT_FALSE(remedy(denial).empty());
    EXPECT_EQ(read_answer(denial_response(denial, {}), "GET").head.status, status);
  }
}

// "HTTP to gRPC Status Code Mapping" is for answers that have none of gRPC's own; these have.
TEST(Denial, IsReadByGrpc) {
  const std::pair<int, std::string_view> cases[] = {{403, "7"},  {421, "7"},  {429, "8"},  {413, "8"},
                                                    {400, "13"}, {502, "14"}, {503, "14"}, {504, "14"}};
  for (const auto& [status, code] : cases) {
    Denial denial{status, "some-rule", "100% \xc3\xa4\n" + std::string(10'000, 'x'), kEvent};
    const Fields head = grpc_denial_head(denial);
    EXPECT_EQ(find_field(head, "grpc-status")->value, code) << status;
    EXPECT_EQ(find_field(head, "content-type")->value, "application/grpc");
    EXPECT_EQ(find_field(head, "gatehouse-rule")->value, "some-rule");
    const std::string& words = find_field(head, "grpc-message")->value;
    EXPECT_THAT(words, testing::StartsWith(std::string("some-rule event ") + kEvent + ": 100%25 %C3%A4%0Axxx"));
    EXPECT_LE(words.size(), kMaxGrpcWordsBytes + 8);
  }
  Denial unlogged{503, "audit.unavailable", "no log", ""};
  EXPECT_THAT(find_field(grpc_denial_head(unlogged), "grpc-message")->value,
              testing::StartsWith("audit.unavailable: no log. "));
}

}  // namespace
}  // namespace gatehouse::proxy
