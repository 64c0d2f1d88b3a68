#include "common/policy/field_condition.h"

#include <gmock/gmock.h>

namespace gatehouse::policy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

Policy policy_of(std::string_view members) {
  auto policy = Policy::parse({{"demo.json", fmt::format(R"({{"version": 1, "name": "demo", {}}})", members), false}});
  if (!policy) ADD_FAILURE() << policy.error().message();
  return std::move(policy.value());
}

HttpRequest get(std::string_view path, std::span<const HeaderField> fields = {}) {
  return {"https", "api.example.com", 443, "GET", path, fields};
}

std::string by(const Policy& policy, std::string_view path) {
  const Decision decision = policy.judge(get(path));
  return fmt::format("{} {}", to_string(decision.verdict), decision.rule_id);
}
std::string by(const Policy& policy, const std::vector<HeaderField>& fields) {
  const Decision decision = policy.judge(get("/", fields));
  return fmt::format("{} {}", to_string(decision.verdict), decision.rule_id);
}

constexpr std::string_view kAll = R"({"id": "all", "action": "allow", "hosts": ["api.example.com"]},)";

// Rules that allow only with what `query` asks for.
Policy allowing(std::string_view query) {
  return policy_of(
      fmt::format(R"("http": [{{"id": "r", "action": "allow", "hosts": ["api.example.com"], "query": {}}}])", query));
}
// One that allows all, and one that denies or asks for what `query` asks for.
Policy with(std::string_view action, std::string_view query) {
  return policy_of(fmt::format(
      R"("http": [{} {{"id": "r", "action": "{}", "hosts": ["api.example.com"], "query": {}}}])", kAll, action, query));
}

TEST(QueryCondition, NarrowsARuleThatAllows) {
  const Policy policy = allowing(R"({"q": "a*", "page": ["1", "2"], "token": false, "lang": true})");
  const std::string yes = "allow r";
  const std::string no = "deny default-deny";
  const std::pair<std::string_view, std::string> cases[] = {
      {"/?q=abc&page=1&lang=de", yes},
      {"/?lang&page=2&q=a", yes},
      {"/?q=%61bc&p%61ge=1&lang=", yes},
      {"/?q=a%20b+c&page=1&lang=de&other=x", yes},
      {"/?q=bc&page=1&lang=de", no},
      {"/?q=abc&page=3&lang=de", no},
      {"/?q=abc&page=1", no},
      {"/?q=abc&page=1&lang=de&token=x", no},
      {"/?q=abc&page=1&lang=de&token", no},
      {"/", no},
      {"/?", no},
  };
  for (const auto& [path, verdict] : cases) EXPECT_EQ(by(policy, path), verdict) << path;
}

// What some server would take for another request than the rule has in mind.
TEST(QueryCondition, IsNotMetWhereServersMayDiffer) {
  const Policy policy = allowing(R"({"q": "a*", "token": false})");
  EXPECT_EQ(by(policy, "/?q=a"), "allow r");
  for (const std::string_view path : {
           "/?q=a&q=b",  // first or last
           "/?q=a&q=a",  // or a list
           "/?q=a&Q=b",  // ASP.NET
           "/?Q=a",      //
           "/?q[]=a",
           "/?q[0]=a",           // PHP, Rails
           "/?q=a&q%5B%5D=b",    //
           "/?q=a&+q=b",         // PHP
           "/?q=a;token=1",      // ';' as '&'
           "/?q=a&x=1;q=b",      //
           "/?q=a%26token=1",    // decoded before it is cut
           "/?q=a&%74oken=1",    //
           "/?q=a&%2574oken=1",  // decoded twice
           "/?q=a&TOKEN=1",      //
           "/?q=a&token[x]=1",   //
           "/?q=%2561&q=b",      //
           "/?q=a&bad=%zz",
           "/?q=a&bad=%",
           "/?q=a&bad=%00",
           "/?q=a&bad=%25252541",
       }) {
    EXPECT_EQ(by(policy, path), "deny default-deny") << path;
  }
  // A value that is one thing when decoded once and another when twice.
  EXPECT_EQ(by(allowing(R"({"q": "%61"})"), "/?q=%2561"), "deny default-deny");
  EXPECT_EQ(by(allowing(R"({"q": "a"})"), "/?q=%2561"), "deny default-deny");
  // One that is the same in all.
  EXPECT_EQ(by(allowing(R"({"q": "100%*"})"), "/?q=100%25"), "allow r");
  EXPECT_EQ(by(allowing(R"({"q": "c++"})"), "/?q=c%2B%2B"), "allow r");
}

TEST(QueryCondition, OfADenialIsMetInAnyReading) {
  const Policy there = with("deny", R"({"token": true})");
  const Policy value = with("deny", R"({"mode": ["raw", "admin*"]})");
  const Policy absent = with("deny", R"({"signature": false})");
  const std::tuple<const Policy*, std::string_view, std::string_view> cases[] = {
      {&there, "/?a=1", "allow all"},
      {&there, "/?token=1", "deny r"},
      {&there, "/?TOKEN", "deny r"},
      {&there, "/?a=1;token=2", "deny r"},
      {&there, "/?a=1%26token=2", "deny r"},
      {&there, "/?%2574oken=2", "deny r"},
      {&there, "/?token[]=2", "deny r"},
      {&there, "/?a=%zz", "deny r"},
      {&there, "/?tokens=1", "allow all"},
      {&value, "/?mode=fine", "allow all"},
      {&value, "/?mode=raw", "deny r"},
      {&value, "/?mode=RAW", "deny r"},
      {&value, "/?mode=%72aw", "deny r"},
      {&value, "/?mode=%2572aw", "deny r"},
      {&value, "/?mode=fine&mode=raw", "deny r"},
      {&value, "/?mode=fine&mode=finer", "deny r"},
      {&value, "/?Mode=administrator", "deny r"},
      {&absent, "/?signature=x", "allow all"},
      {&absent, "/?other=x", "deny r"},
      {&absent, "/", "deny r"},
      {&absent, "/?Signature=x", "deny r"},
  };
  for (const auto& [policy, path, verdict] : cases) EXPECT_EQ(by(*policy, path), verdict) << path;
}

TEST(QueryCondition, OfARuleThatAsksDeniesWhereServersMayDiffer) {
  const Policy policy = with("ask", R"({"publish": "true"})");
  EXPECT_EQ(by(policy, "/?publish=true"), "ask r");
  EXPECT_EQ(by(policy, "/?publish=false"), "allow all");
  EXPECT_EQ(by(policy, "/?publish=false&publish=true"), "deny r");
  EXPECT_EQ(by(policy, "/?publish=TRUE"), "deny r");
  EXPECT_THAT(policy.judge(get("/?publish=TRUE")).reason, HasSubstr("rule 'r' of policy 'demo' may or may not match"));
}

TEST(QueryCondition, OfARuleThatAsksDeniesBesideAnotherThatAsks) {
  const Policy policy = policy_of(R"("http": [{"id": "all", "action": "ask", "hosts": ["api.example.com"]},
      {"id": "r", "action": "ask", "hosts": ["api.example.com"], "query": {"publish": "true"}}])");
  EXPECT_EQ(by(policy, "/?publish=no"), "ask all");
  EXPECT_EQ(by(policy, "/?publish=true&publish=no"), "deny r");
}

TEST(QueryCondition, OfANameWithAStarSpeaksOfAllOthers) {
  const Policy only = allowing(R"({"q": true, "*": false})");
  EXPECT_EQ(by(only, "/?q=1"), "allow r");
  EXPECT_EQ(by(only, "/?q=1&x=2"), "deny default-deny");
  EXPECT_EQ(by(only, "/?q=1%26x=2"), "deny default-deny");
  const Policy values = allowing(R"({"x-*": "ok*"})");
  EXPECT_EQ(by(values, "/?x-a=ok1&x-b=ok2&other=3"), "allow r");
  EXPECT_EQ(by(values, "/?x-a=ok1&x-b=no"), "deny default-deny");
  EXPECT_EQ(by(values, "/?other=3"), "deny default-deny");
  const Policy never = with("deny", R"({"debug*": true})");
  EXPECT_EQ(by(never, "/?debug_level=1"), "deny r");
  EXPECT_EQ(by(never, "/?DEBUG=1"), "deny r");
  EXPECT_EQ(by(never, "/?bug=1"), "allow all");
}

TEST(QueryCondition, WithNoValueIsNeverMet) { EXPECT_EQ(by(allowing(R"({"q": []})"), "/?q=1"), "deny default-deny"); }

TEST(HeaderCondition, IsMetByOneFieldOfThatName) {
  const Policy policy = policy_of(R"("http": [{"id": "r", "action": "allow", "hosts": ["api.example.com"],
      "headers": {"Accept": "application/json*", "X-Debug": false}}])");
  const std::string yes = "allow r";
  const std::string no = "deny default-deny";
  const std::pair<std::vector<HeaderField>, std::string> cases[] = {
      {{{"accept", "application/json, */*"}}, yes},
      {{{"ACCEPT", "application/json"}, {"x-other", ""}}, yes},
      {{{"Accept", "text/html"}}, no},
      {{{"Accept", "Application/JSON"}}, no},
      {{}, no},
      {{{"Accept", "application/json"}, {"Accept", "application/json"}}, no},
      {{{"Accept", "application/json"}, {"accept", "text/html"}}, no},
      {{{"Accept", "application/json"}, {"x-debug", "1"}}, no},
      {{{"Accept", "application/json"}, {"X_Debug", "1"}}, no},
  };
  for (const auto& [fields, verdict] : cases) EXPECT_EQ(by(policy, fields), verdict);
}

TEST(HeaderCondition, OfADenialIsMetInAnyReading) {
  const Policy policy =
      policy_of(fmt::format(R"("http": [{} {{"id": "r", "action": "deny", "hosts": ["api.example.com"],
      "headers": {{"X-Mode": "admin"}}}}])",
                            kAll));
  const std::pair<std::vector<HeaderField>, std::string> cases[] = {
      {{}, "allow all"},
      {{{"x-mode", "user"}}, "allow all"},
      {{{"x-mode", "admin"}}, "deny r"},
      {{{"X-MODE", "Admin"}}, "deny r"},
      {{{"x_mode", "admin"}}, "deny r"},
      {{{"x-mode", "user, admin"}}, "deny r"},
      {{{"x-mode", "user"}, {"x-mode", "guest"}}, "deny r"},
  };
  for (const auto& [fields, verdict] : cases) EXPECT_EQ(by(policy, fields), verdict);
  EXPECT_TRUE(policy.asks_for_fields());
  EXPECT_FALSE(allowing("{}").asks_for_fields());
}

TEST(Conditions, AreNamedInADefaultDenial) {
  EXPECT_THAT(allowing(R"({"page": ["1", "2"]})").judge(get("/?page=3")).reason,
              HasSubstr("; rule 'r' names this host, but only for query page = 1 or 2"));
  EXPECT_THAT(allowing(R"({"page": "1"})").judge(get("/?page=1&page=1")).reason,
              HasSubstr("query page = 1, said once and in a way that every server reads alike"));
}

TEST(Conditions, AreExplainedAndTested) {
  const Policy policy = policy_of(R"("http": [{"id": "r", "action": "allow", "hosts": ["api.example.com"],
      "query": {"q": "a*", "token": false}, "headers": {"Accept": true}, "request_body": "1MiB", "response_body": 10}],
      "tests": [{"http": "GET https://api.example.com/?q=a", "headers": {"Accept": "x"}, "expect": "allow"},
                {"http": "GET https://api.example.com/?q=a", "headers": {"Accept": ["x", "y"]}, "expect": "deny"},
                {"http": "GET https://api.example.com/?q=a", "expect": "deny"}])");
  EXPECT_THAT(policy.describe(),
              HasSubstr("; query q = a*; query no token; header any Accept; request body up to 1 MiB; "
                        "response body up to 10 bytes"));
  for (const auto& outcome : policy.run_tests()) EXPECT_TRUE(outcome.passed) << outcome.line << outcome.reason;
  EXPECT_THAT(policy.explain("GET https://api.example.com/?q=b", {}, {"Accept: x"}).value(),
              HasSubstr("not this query (q = a*)"));
  EXPECT_THAT(policy.explain("GET https://api.example.com/?q=a").value(), HasSubstr("not this header (any Accept)"));
  EXPECT_THAT(policy.explain("GET https://api.example.com/?q=a", {}, {"Accept: x"}).value(),
              HasSubstr("at most 1048576 bytes of request body, says 'r'"));
  EXPECT_EQ(policy.explain("GET https://api.example.com/", {}, {"nonsense"}).error().message(),
            "'nonsense' is no header field; expected \"Name: value\"");
}

TEST(HttpTerms, AreTheNarrowestOfAllRulesThatMatch) {
  auto policy = Policy::parse({{"corp.json", R"({"version": 1, "unmatched": "pass", "http": [
          {"id": "corp", "action": "allow", "hosts": ["api.example.com"], "response_body": "1MiB"}]})",
                                true},
                               {"demo.json", R"({"version": 1, "http": [
          {"id": "a", "action": "allow", "hosts": ["api.example.com"], "request_body": "2MiB", "response_body": "4MiB"},
          {"id": "b", "action": "ask", "hosts": ["api.example.com"], "paths": ["/ask"], "request_body": "1KiB"},
          {"id": "c", "action": "allow", "hosts": ["api.example.com"], "paths": ["/other"], "request_body": 1}]})",
                                false}});
  ASSERT_TRUE(policy) << policy.error().message();
  const auto plain = policy->judge(get("/"));
  EXPECT_EQ(plain.terms.request_body.bytes, 2u << 20);
  EXPECT_EQ(plain.terms.request_body.rule, "a");
  EXPECT_EQ(plain.terms.response_body.bytes, 1u << 20);
  EXPECT_EQ(plain.terms.response_body.rule, "corp");
  const auto asked = policy->judge(get("/ask"));
  EXPECT_EQ(asked.verdict, Verdict::ask);
  EXPECT_EQ(asked.terms.request_body.rule, "b");
}

TEST(HttpTerms, CountAgainstTheSessionTheHostAndEachRuleThatMatches) {
  auto policy = Policy::parse(
      {{"corp.json", R"({"version": 1, "name": "corp", "unmatched": "pass", "limits": {"session": {"requests": 9}}})",
        true},
       {"demo.json", R"({"version": 1, "name": "demo", "limits": {"session": {"requests": 10, "bytes_out": "1MiB"},
                                                                 "host": {"requests_per_minute": 60}}, "http": [
          {"id": "a", "action": "allow", "hosts": ["api.example.com"], "budget": {"requests": 5}},
          {"id": "b", "action": "allow", "hosts": ["api.example.com"], "paths": ["/other"], "budget": {"requests": 6}}]})",
        false}});
  ASSERT_TRUE(policy) << policy.error().message();
  // Read in two ways, and counted once.
  const auto quotas = policy->judge(get("/x%20y")).terms.quotas;
  ASSERT_EQ(quotas.size(), 3u);
  EXPECT_EQ(quotas[0].counter, "rule demo/a");
  EXPECT_EQ(quotas[0].rule, "a");
  EXPECT_EQ(quotas[0].allowance.requests, 5u);
  EXPECT_EQ(quotas[1].counter, "session");
  EXPECT_EQ(quotas[1].allowance.requests, 9u);
  EXPECT_EQ(quotas[1].allowance.bytes_out, 1u << 20);
  EXPECT_EQ(quotas[2].counter, "host api.example.com");
  EXPECT_EQ(quotas[2].allowance.requests_per_minute, 60u);
  EXPECT_EQ(policy->judge(get("/other")).terms.quotas.size(), 4u);
  EXPECT_TRUE(allowing("{}").judge(get("/")).terms.quotas.empty());
  EXPECT_THAT(policy->describe(),
              HasSubstr("the session: at most 9 requests, 1 MiB out\neach host: at most 60 requests a minute\n"));
}

TEST(HttpTerms, TakeTheNarrowerBudgetWhereLayersOfOneNameHaveOneRule) {
  const auto layer = [](int requests) {
    return fmt::format(R"({{"version": 1, "name": "demo", "http": [
        {{"id": "a", "action": "allow", "hosts": ["api.example.com"], "budget": {{"requests": {}}}}}]}})",
                       requests);
  };
  for (const auto& [machine, session] : {std::pair{5, 3}, {3, 5}}) {
    auto policy = Policy::parse({{"corp.json", layer(machine), true}, {"demo.json", layer(session), false}});
    ASSERT_TRUE(policy) << policy.error().message();
    const auto quotas = policy->judge(get("/x")).terms.quotas;
    ASSERT_EQ(quotas.size(), 1u);
    EXPECT_EQ(quotas[0].allowance.requests, 3u);
  }
}

TEST(RequestQuery, IsReadInTheWaysOfServers) {
  const auto readings = [](std::string_view target) { return RequestQuery::parse(target).readings(); };
  EXPECT_EQ(readings("/x"), (std::vector<Parameters>{{}}));
  EXPECT_EQ(readings("/x?a=1&b"), (std::vector<Parameters>{{{"a", "1"}, {"b", ""}}}));
  EXPECT_EQ(readings("/x?a=1;b=2"), (std::vector<Parameters>{{{"a", "1;b=2"}}, {{"a", "1"}, {"b", "2"}}}));
  EXPECT_EQ(readings("/x?a=1+2"), (std::vector<Parameters>{{{"a", "1+2"}}, {{"a", "1 2"}}}));
  EXPECT_THAT(readings("/x?a=1%26b=2"), Contains(Parameters{{"a", "1&b=2"}}));
  EXPECT_THAT(readings("/x?a=1%26b=2"), Contains(Parameters{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(readings("/x?%2561=1").size(), 2u);
  EXPECT_TRUE(RequestQuery::parse("/x?%25252541").unreadable());
  std::string many = "/x?";
  for (size_t i = 0; i <= kMaxQueryParameters; ++i) many += "a&";
  EXPECT_TRUE(RequestQuery::parse(many).unreadable());
  many.resize(many.size() - 2);
  EXPECT_FALSE(RequestQuery::parse(many).unreadable());
}

}  // namespace
}  // namespace gatehouse::policy
