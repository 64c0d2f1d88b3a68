// How access tokens are had, without sockets: requests out, answers in.
#include "mcp-gateway/authorization.h"

#include <gmock/gmock.h>

#include <deque>

#include "common/policy/policy.h"
#include "proxy/credential_forms.h"
#include "proxy/request_reader.h"

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kIssuer[] = R"({"issuer": "https://auth.example", "token_endpoint": "https://auth.example/token",
  "authorization_endpoint": "https://auth.example/authorize", "registration_endpoint": "https://auth.example/register",
  "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"], "code_challenge_methods_supported": ["S256"],
  "authorization_response_iss_parameter_supported": true})";
constexpr char kResource[] =
    R"({"resource": "https://tools.example/mcp", "authorization_servers": ["https://auth.example"],
  "scopes_supported": ["read"]})";
constexpr char kRedirect[] = "http://127.0.0.1:7777/callback";

struct Asked {
  uint64_t exchange = 0;
  std::string line;  // "GET https://host/path"
  std::string body;
  std::string authorization;
};

class AuthorizationTest : public testing::Test {
 protected:
  void begin(const std::string& oauth, const std::string& secret = "") {
    const auto policy = policy::Policy::parse(
        {{"p.json", R"({"version": 1, "secrets": {"S": {"from": "env:S"}}, "mcp": {"servers": {"web": {
            "url": "https://tools.example/mcp", "oauth": )" +
                        oauth + "}}}}"}});
    ASSERT_TRUE(policy) << policy.error().message();
    authorization_.emplace(
        policy->mcp_servers()[0], *SecretBytes::copy_of(secret),
        Authorization::Callbacks{.open = [this](uint64_t exchange, const std::string& bytes) { open(exchange, bytes); },
                                 .close = [this](uint64_t exchange) { closed_.push_back(exchange); },
                                 .granted = [this] { ++granted_; },
                                 .refused = [this](const std::string& why) { refused_.push_back(why); },
                                 .keep = [this](const KeptAuthorization& kept) { kept_ = kept; },
                                 .kept = [this] { return kept_; }});
  }

  void open(uint64_t exchange, std::string_view bytes) {
    Asked asked;
    asked.exchange = exchange;
    proxy::RequestReader reader(proxy::Scheme::https);
    while (true) {
      const auto event = reader.feed(bytes);
      ASSERT_TRUE(event && event->kind != proxy::ReadEvent::Kind::need_more);
      bytes.remove_prefix(event->consumed);
      if (event->kind == proxy::ReadEvent::Kind::body) asked.body += event->body;
      if (event->kind == proxy::ReadEvent::Kind::complete) break;
    }
    const auto& head = reader.head();
    asked.line = head.method + " https://" + head.host + head.path;
    if (const auto* field = proxy::find_field(head.fields, "Authorization")) asked.authorization = field->value;
    EXPECT_EQ(proxy::find_field(head.fields, "Gatehouse-Purpose")->value, "authorization");
    asked_.push_back(asked);
  }

  // To the oldest that is asked.
  Asked answer(const std::string& body, int status = 200, const std::string& more = "") {
    EXPECT_FALSE(asked_.empty());
    if (asked_.empty()) return {};
    const Asked asked = asked_.front();
    asked_.pop_front();
    authorization_->received(asked.exchange,
                             "HTTP/1.1 " + std::to_string(status) + " X\r\n" + more +
                                 "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
                             now_);
    return asked;
  }

  void challenge(int status = 401, Challenge challenge = {}) {
    authorization_->challenged(status, std::move(challenge), authorization_->lease(now_).number, now_);
    if (asked_.empty()) authorization_->tick(now_);
  }
  std::string token() { return std::string(authorization_->lease(now_).token); }
  static std::string issued(const std::string& token, const std::string& more = "") {
    return R"({"token_type": "Bearer", "access_token": ")" + token + "\"" + more + "}";
  }
  static std::string parameter(std::string_view form, const std::string& name) {
    while (!form.empty()) {
      const auto pair = form.substr(0, form.find('&'));
      form.remove_prefix(std::min(pair.size() + 1, form.size()));
      if (pair.starts_with(name + "=")) return proxy::parameter_decoded(pair.substr(name.size() + 1));
    }
    return "";
  }

  // Up to where the person is sent.
  std::string begin_login(bool registers = true) {
    std::string url;
    authorization_->begin_login(
        kRedirect, [&](Result<std::string> told) { url = told ? *told : "no: " + told.error().message(); }, now_);
    answer(kResource);
    answer(kIssuer);
    if (registers) registered_ = answer(R"({"client_id": "made-by-issuer"})", 201);
    return url;
  }
  std::string finish_login(const std::string& query) {
    std::string end = "pending";
    authorization_->finish_login(
        query, [&](const Result<void>& done) { end = done ? "done" : done.error().message(); }, now_);
    if (!asked_.empty()) {
      exchanged_ = answer(issued("at-1", R"(, "expires_in": 100, "refresh_token": "rt-1")"));
    }
    return end;
  }
  void log_in() {
    const auto url = begin_login();
    ASSERT_EQ(finish_login("code=c&state=" + parameter(url, "state") + "&iss=https://auth.example"), "done");
  }

  Authorization::Time now_ = 1'000'000;
  std::deque<Asked> asked_;
  std::vector<uint64_t> closed_;
  int granted_ = 0;
  std::vector<std::string> refused_;
  std::optional<KeptAuthorization> kept_;
  Asked registered_, exchanged_;
  std::optional<Authorization> authorization_;
};

constexpr char kByItself[] = R"({"authorization_servers": ["https://auth.example"], "grant": "client_credentials",
  "client_id": "gate:house", "client_secret": "S"})";
constexpr char kByPerson[] = R"({"authorization_servers": ["https://auth.example"]})";

TEST_F(AuthorizationTest, GoesFromAChallengeToATokenOfTheClientsOwn) {
  begin(kByItself, "made up");
  EXPECT_EQ(token(), "");
  challenge(401, {"", {}, OauthUrl{"tools.example", 443, "/m"}});
  EXPECT_EQ(answer(kResource).line, "GET https://tools.example/m");
  EXPECT_EQ(answer("", 404).line, "GET https://auth.example/.well-known/oauth-authorization-server");
  EXPECT_EQ(answer(kIssuer).line, "GET https://auth.example/.well-known/openid-configuration");
  EXPECT_TRUE(authorization_->lease(now_).wait);
  const auto asked = answer(issued("made-up-token", R"(, "expires_in": 100)"));
  EXPECT_EQ(asked.line, "POST https://auth.example/token");
  EXPECT_EQ(asked.authorization, "Basic " + proxy::base64("gate%3Ahouse:made%20up"));
  EXPECT_EQ(asked.body, "grant_type=client_credentials&resource=https%3A%2F%2Ftools.example%2Fmcp&scope=read");
  EXPECT_EQ(token(), "made-up-token");
  EXPECT_EQ(granted_, 1);
  EXPECT_FALSE(kept_) << "a client's own token is had again at any time";
}

TEST_F(AuthorizationTest, RenewsATokenBeforeItEndsAndWaitsForOneThatHas) {
  begin(kByItself, "made-up");
  challenge();
  answer(kResource);
  answer(kIssuer);
  answer(issued("one", R"(, "expires_in": 100)"));
  EXPECT_EQ(authorization_->due(), now_ + 75);
  now_ += 75;
  authorization_->tick(now_);
  EXPECT_EQ(token(), "one") << "while the next one is asked for";
  answer(issued("two", R"(, "expires_in": 100)"));
  EXPECT_EQ(token(), "two");
  now_ += 101;
  EXPECT_TRUE(authorization_->lease(now_).wait);
  answer(issued("three"));
  EXPECT_EQ(token(), "three");
  EXPECT_EQ(granted_, 3);
  EXPECT_FALSE(authorization_->due());
}

TEST_F(AuthorizationTest, AsksNobodyThatThePolicyDoesNotName) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"resource": "https://tools.example/mcp", "authorization_servers": ["https://evil.example/x"]})",
       "its authorization server is at https://evil.example, which the policy does not name: add "
       "\"https://evil.example\""},
      {R"({"resource": "https://tools.example/mcp", "authorization_servers": ["http://auth.example"]})",
       "no authorization server over https"},
      {R"({"resource": "https://evil.example/mcp", "authorization_servers": ["https://auth.example"]})",
       "\"resource\" is not this server"},
      {"<html>", "its metadata"},
  };
  for (const auto& [resource, words] : cases) {
    begin(kByItself, "made-up");
    challenge();
    answer(resource);
    EXPECT_THAT(asked_, IsEmpty());
    EXPECT_THAT(refused_.back(), HasSubstr(words));
  }
  begin(kByItself, "made-up");
  challenge(401, {"", {}, OauthUrl{"evil.example", 443, "/m"}});
  EXPECT_THAT(asked_, IsEmpty());
  EXPECT_THAT(refused_.back(), HasSubstr("metadata that it names is at https://evil.example"));
  const size_t refused = refused_.size();
  challenge();
  EXPECT_THAT(asked_, IsEmpty()) << "within kOauthAgain nobody is asked anew";
  EXPECT_EQ(refused_.size(), refused + 1);
}

TEST_F(AuthorizationTest, BelievesNoIssuerThatIsAnotherOrSendsSecretsElsewhere) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"issuer": "https://evil.example", "token_endpoint": "https://auth.example/token"})", "\"issuer\" is not"},
      {R"({"issuer": "https://auth.example/", "token_endpoint": "https://auth.example/token"})", "\"issuer\" is not"},
      {R"({"issuer": "https://auth.example", "token_endpoint": "https://evil.example/token"})",
       "an endpoint for its tokens is at https://evil.example"},
      {R"({"issuer": "https://auth.example", "token_endpoint": "https://auth.example:444/token"})",
       "an endpoint for its tokens is at https://auth.example:444"},
  };
  for (const auto& [issuer, words] : cases) {
    begin(kByItself, "made-up");
    challenge();
    answer(kResource);
    answer(issuer);
    EXPECT_THAT(asked_, IsEmpty());
    EXPECT_THAT(refused_.back(), HasSubstr(words));
  }
}

TEST_F(AuthorizationTest, SaysInItsOwnWordsWhyThereIsNoToken) {
  const std::tuple<std::string, int, std::string, std::string> cases[] = {
      {R"({"error": "invalid_client", "error_description": "evil words"})", 401, "",
       "no token (status 401, invalid_client)"},
      {"evil words", 500, "", "no token (status 500)"},
      {R"({"access_token": "a"})", 200, "", "what its authorization server issues: its \"token_type\""},
      {"", 302, "Location: https://evil.example/\r\n", "no token (status 302)"},
      {"", 502, "Gatehouse-Rule: upstream.connect\r\n", "is not reached (rule 'upstream.connect')"},
      {std::string(kMaxDocumentBytes + 1, 'x'), 200, "", "too large"},
  };
  for (const auto& [body, status, more, words] : cases) {
    begin(kByItself, "made-up");
    challenge();
    answer(kResource);
    answer(kIssuer);
    answer(body, status, more);
    EXPECT_THAT(refused_.back(), HasSubstr(words));
    EXPECT_THAT(refused_.back(), Not(HasSubstr("evil")));
    EXPECT_THAT(asked_, IsEmpty());
  }
  begin(kByItself, "made-up");
  challenge();
  now_ += kOauthTime;
  authorization_->tick(now_);
  EXPECT_THAT(refused_.back(), HasSubstr("too slow"));
}

TEST_F(AuthorizationTest, TakesTheServersOwnOriginWhereThereIsNoMetadata) {
  begin(R"({"grant": "client_credentials", "client_id": "c", "client_secret": "S"})", "made-up");
  challenge();
  answer("", 404);
  answer("", 404);
  EXPECT_EQ(answer("", 404).line, "GET https://tools.example/.well-known/oauth-authorization-server");
  answer("", 404);
  EXPECT_EQ(answer(issued("t")).line, "POST https://tools.example/token");
  EXPECT_EQ(token(), "t");
}

TEST_F(AuthorizationTest, RegistersSendsAPersonWithPkceAndTakesTheCode) {
  begin(kByPerson);
  challenge();
  EXPECT_THAT(refused_.back(), HasSubstr("run `gatehouse mcp login web`"));
  EXPECT_THAT(asked_, IsEmpty());
  const auto url = begin_login();
  EXPECT_THAT(url, StartsWith("https://auth.example/authorize?response_type=code&client_id=made-by-issuer&"));
  EXPECT_THAT(registered_.body, HasSubstr(R"("redirect_uris":["http://127.0.0.1:7777/callback"])"));
  EXPECT_THAT(registered_.body, HasSubstr(R"("token_endpoint_auth_method":"none")"));
  EXPECT_EQ(parameter(url, "code_challenge_method"), "S256");
  EXPECT_EQ(parameter(url, "resource"), "https://tools.example/mcp");
  EXPECT_EQ(parameter(url, "scope"), "read");
  EXPECT_EQ(finish_login("code=c+1&state=" + parameter(url, "state") + "&iss=https://auth.example"), "done");
  EXPECT_EQ(parameter(exchanged_.body, "code"), "c 1");
  EXPECT_EQ(parameter(exchanged_.body, "redirect_uri"), kRedirect);
  EXPECT_EQ(parameter(exchanged_.body, "client_id"), "made-by-issuer");
  EXPECT_EQ(challenge_of(parameter(exchanged_.body, "code_verifier")), parameter(url, "code_challenge"));
  EXPECT_EQ(token(), "at-1");
  EXPECT_EQ(kept_->refresh_token, "rt-1");
  EXPECT_EQ(kept_->issuer, "https://auth.example");
}

TEST_F(AuthorizationTest, TakesNoAnswerOfABrowserThatIsNotItsOwn) {
  const std::pair<std::string, std::string> cases[] = {
      {"code=c&state=x&iss=https://auth.example", "another state"},
      {"code=c&iss=https://auth.example", "another state"},
      {"code=c&state=STATE&iss=https://evil.example", "another authorization server"},
      {"code=c&state=STATE&iss=https://auth.example/", "another authorization server"},
      {"code=c&state=STATE", "another authorization server"},
      {"error=access_denied&state=STATE&iss=https://auth.example", "says no: access_denied"},
      {"state=STATE", "neither a code nor an error"},
  };
  for (const auto& [query, words] : cases) {
    begin(kByPerson);
    const auto url = begin_login();
    std::string said = query;
    if (const size_t at = said.find("STATE"); at != std::string::npos) said.replace(at, 5, parameter(url, "state"));
    EXPECT_THAT(finish_login(said), HasSubstr(words)) << query;
    EXPECT_EQ(exchanged_.line, "") << query;
    EXPECT_THAT(finish_login("code=c&state=" + parameter(url, "state")), HasSubstr("nobody is logging in"));
  }
}

TEST_F(AuthorizationTest, SendsNobodyToAnIssuerWithoutS256) {
  for (const std::string said : {R"("code_challenge_methods_supported": ["plain"])", R"("x": 1)"}) {
    begin(kByPerson);
    std::string url;
    authorization_->begin_login(
        kRedirect, [&](const Result<std::string>& told) { url = told.error().message(); }, now_);
    answer(kResource);
    answer(R"({"issuer": "https://auth.example", "token_endpoint": "https://auth.example/token",
      "authorization_endpoint": "https://auth.example/authorize", )" +
           said + "}");
    EXPECT_THAT(url, HasSubstr("PKCE with S256"));
    EXPECT_THAT(asked_, IsEmpty());
  }
}

TEST_F(AuthorizationTest, RefreshesAndKeepsTheRotatedTokenOverARestart) {
  begin(kByPerson);
  log_in();
  now_ += 100;
  EXPECT_TRUE(authorization_->lease(now_).wait);
  const auto asked = answer(issued("at-2", R"(, "expires_in": 100, "refresh_token": "rt-2")"));
  EXPECT_EQ(parameter(asked.body, "grant_type") + parameter(asked.body, "refresh_token"), "refresh_tokenrt-1");
  EXPECT_EQ(kept_->refresh_token, "rt-2");
  begin(kByPerson);
  EXPECT_EQ(token(), "at-2") << "as it was kept";
  challenge();
  answer(kResource);
  answer(kIssuer);
  EXPECT_EQ(parameter(answer(issued("at-3")).body, "refresh_token"), "rt-2");
  EXPECT_EQ(token(), "at-3");
  EXPECT_EQ(kept_->refresh_token, "rt-2") << "no other one was issued";
}

TEST_F(AuthorizationTest, TakesWhatAnotherSessionHasRefreshedAndElseAsksForALogin) {
  begin(kByPerson);
  log_in();
  kept_->refresh_token = "rt-other";
  kept_->expires_at = now_ - 1;
  now_ += 100;
  EXPECT_TRUE(authorization_->lease(now_).wait);
  answer(R"({"error": "invalid_grant"})", 400);
  EXPECT_EQ(parameter(answer(R"({"error": "invalid_grant"})", 400).body, "refresh_token"), "rt-other");
  EXPECT_THAT(asked_, IsEmpty());
  EXPECT_THAT(refused_.back(), HasSubstr("gatehouse mcp login web"));
  EXPECT_EQ(kept_->refresh_token, "");
}

TEST_F(AuthorizationTest, ShowsNothingOfOneIssuerToAnother) {
  begin(R"({"authorization_servers": ["https://auth.example", "https://new.example"]})");
  log_in();
  challenge();
  answer(R"({"resource": "https://tools.example/mcp", "authorization_servers": ["https://new.example"]})");
  answer(R"({"issuer": "https://new.example", "token_endpoint": "https://new.example/token"})");
  EXPECT_THAT(asked_, IsEmpty());
  EXPECT_EQ(token(), "");
  EXPECT_THAT(refused_.back(), HasSubstr("gatehouse mcp login web"));
}

TEST_F(AuthorizationTest, AsksForMoreScopeWithinThePolicys) {
  const Challenge more{"insufficient_scope", Scopes{"write"}, {}};
  begin(kByItself, "made-up");
  challenge();
  answer(kResource);
  answer(kIssuer);
  answer(issued("one", R"(, "scope": "read")"));
  challenge(403, more);
  answer(kResource);
  answer(kIssuer);
  EXPECT_EQ(parameter(answer(issued("two", R"(, "scope": "read write")")).body, "scope"), "read write");
  EXPECT_EQ(token(), "two");
  begin(R"({"authorization_servers": ["https://auth.example"], "grant": "client_credentials", "client_id": "c",
    "client_secret": "S", "scopes": ["read"]})",
        "made-up");
  challenge();
  answer(kResource);
  answer(kIssuer);
  EXPECT_EQ(parameter(answer(issued("one")).body, "scope"), "read");
  challenge(403, more);
  EXPECT_THAT(asked_, IsEmpty());
  EXPECT_THAT(refused_.back(), HasSubstr("it wants the scope 'write', which the policy's \"scopes\" do not have"));
  begin(kByPerson);
  log_in();
  challenge(403, more);
  EXPECT_THAT(refused_.back(),
              HasSubstr("it wants more scope than its token has (write): run `gatehouse mcp login web`"));
}

TEST_F(AuthorizationTest, KnowsItsTokenInAnAnswer) {
  begin(kByPerson);
  log_in();
  const std::string known = "at-1";
  for (const std::string& text : {known, "x" + known + "y", proxy::base64(known), proxy::base64("a" + known + "bc"),
                                  proxy::base64("Bearer " + known), proxy::base64("ab" + known)}) {
    EXPECT_TRUE(authorization_->is_spoken_in({{"a", {1, {{"b", text}}}}})) << text;
  }
  EXPECT_TRUE(authorization_->is_spoken_in({{known, 1}}));
  EXPECT_FALSE(authorization_->is_spoken_in({{"a", "another text of no harm"}, {"b", 7}, {"c", nullptr}}));
}

}  // namespace
}  // namespace gatehouse::mcp
