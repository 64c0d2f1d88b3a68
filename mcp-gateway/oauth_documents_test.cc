// What servers and issuers say of access tokens, sound and hostile.
#include "mcp-gateway/oauth_documents.h"

#include <gmock/gmock.h>

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const OauthUrl kServer{"tools.example", 443, "/mcp?team=a"};

proxy::Fields challenge(std::string value) { return {{"WWW-Authenticate", std::move(value)}}; }

TEST(OauthUrl, IsHttpsWithAHostAndNothingBesides) {
  EXPECT_EQ(OauthUrl::parse("https://A.example:8443/x?y").value(), (OauthUrl{"a.example", 8443, "/x?y"}));
  EXPECT_EQ(OauthUrl::parse("https://a.example").value().to_string(), "https://a.example/");
  for (const std::string bad :
       {"http://a.example/", "ftp://a.example/", "https://u@a.example/", "https://a.example/#f", "https://10.0.0.1/",
        "https://a.example:0/", "https://a.example:99999/", "https://a b.example/", "https:///x", "a.example", "",
        "https://a.example\\@evil.example/", "https://[::1]/", "javascript://a.example/%0aalert(1)"}) {
    EXPECT_FALSE(OauthUrl::parse(bad)) << bad;
  }
  EXPECT_FALSE(OauthUrl::parse("https://a.example/" + std::string(kMaxOauthUrlBytes, 'x')));
}

TEST(OauthChallenge, IsTheFirstForBearer) {
  const auto found = read_challenge(
      challenge(R"(Basic realm="a, Bearer error=\"x\"", bearer error="insufficient_scope", scope = "read write",)"
                R"( resource_metadata="https://tools.example/m" , error_description="x, y")"));
  EXPECT_EQ(found.error, "insufficient_scope");
  EXPECT_THAT(found.scopes.value(), ElementsAre("read", "write"));
  EXPECT_EQ(found.resource_metadata.value(), (OauthUrl{"tools.example", 443, "/m"}));
}

TEST(OauthChallenge, IsNothingWhereItIsMalformed) {
  for (const std::string bad :
       {"", "Bearer", "Bearer =", "Bearer error", "Bearer error=", "Bearer error=\"x", "Bearer error=\"x\\",
        "Basic error=\"x\"", "=x", ",,,", "Bearer \x01=2", "Digest error=x, realm=y"}) {
    const auto found = read_challenge(challenge(bad));
    EXPECT_EQ(found.error, "") << bad;
    EXPECT_FALSE(found.scopes || found.resource_metadata) << bad;
  }
  EXPECT_FALSE(read_challenge(challenge("Bearer resource_metadata=\"http://tools.example/m\"")).resource_metadata);
  EXPECT_FALSE(read_challenge(challenge("Bearer scope=\"a\\\\b\"")).scopes);
  EXPECT_EQ(read_challenge(challenge("Bearer error=\"" + std::string(kMaxChallengeBytes, 'x') + "\"")).error, "");
}

TEST(ResourceMetadata, IsOfTheServerThatWasAsked) {
  const auto read = [](const std::string& resource) {
    return read_resource_metadata(
        R"({"resource": ")" + resource +
            R"(", "authorization_servers": ["https://auth.example"], "scopes_supported": ["a", "b c"]})",
        kServer);
  };
  for (const std::string good : {"https://tools.example/mcp", "https://tools.example", "https://tools.example/"}) {
    const auto metadata = read(good);
    ASSERT_TRUE(metadata) << good;
    EXPECT_EQ(metadata->resource, good);
    EXPECT_THAT(metadata->issuers, ElementsAre("https://auth.example"));
    EXPECT_THAT(*metadata->scopes, ElementsAre("a"));
  }
  for (const std::string bad : {"https://tools.example/mc", "https://tools.example/mcp/x", "https://evil.example/mcp",
                                "http://tools.example/mcp", "https://tools.example:444/mcp", ""}) {
    EXPECT_THAT(read(bad).error().message(), HasSubstr("\"resource\" is not this server")) << bad;
  }
  for (const std::string bad : {"", "[]", "{", R"({"resource": "https://tools.example/"})",
                                R"({"resource": "https://tools.example/", "authorization_servers": "x"})",
                                R"({"resource": "https://tools.example/", "authorization_servers": [1]})",
                                R"({"resource": "https://tools.example/", "authorization_servers": []})",
                                R"({"resource": 1, "resource": 2})"}) {
    EXPECT_FALSE(read_resource_metadata(bad, kServer)) << bad;
  }
}

TEST(ResourceMetadata, IsLookedForWhereTheChallengeSaysOrElseAtTheWellKnownPlaces) {
  EXPECT_THAT(places_of_resource_metadata(kServer, {}),
              ElementsAre(OauthUrl{"tools.example", 443, "/.well-known/oauth-protected-resource/mcp"},
                          OauthUrl{"tools.example", 443, "/.well-known/oauth-protected-resource"}));
  EXPECT_THAT(places_of_resource_metadata({"tools.example", 8443, "/"}, {}),
              ElementsAre(OauthUrl{"tools.example", 8443, "/.well-known/oauth-protected-resource"}));
  const OauthUrl named{"tools.example", 443, "/m"};
  EXPECT_THAT(places_of_resource_metadata(kServer, {"", {}, named}), ElementsAre(named));
}

TEST(IssuerMetadata, NamesTheIssuerThatWasAskedAndHttpsEndpoints) {
  const std::string issuer = "https://auth.example/tenant";
  const auto metadata = read_issuer_metadata(
      R"({"issuer": "https://auth.example/tenant", "token_endpoint": "https://auth.example/t",
          "authorization_endpoint": "https://auth.example/a", "token_endpoint_auth_methods_supported": ["private_key_jwt",
          "client_secret_post", "none"], "code_challenge_methods_supported": ["plain", "S256"],
          "authorization_response_iss_parameter_supported": true, "client_id_metadata_document_supported": "yes"})",
      issuer);
  ASSERT_TRUE(metadata) << metadata.error().message();
  EXPECT_TRUE(metadata->has_s256);
  EXPECT_TRUE(metadata->says_iss);
  EXPECT_FALSE(metadata->reads_client_documents);
  EXPECT_FALSE(metadata->registration_endpoint);
  EXPECT_THAT(metadata->authentications, ElementsAre(ClientAuthentication::none, ClientAuthentication::post));
  const std::pair<std::string, std::string> cases[] = {
      {R"({"issuer": "https://auth.example/tenant/", "token_endpoint": "https://auth.example/t"})",
       "\"issuer\" is not"},
      {R"({"token_endpoint": "https://auth.example/t"})", "\"issuer\" is not"},
      {R"({"issuer": "https://auth.example/tenant"})", "no \"token_endpoint\""},
      {R"({"issuer": "https://auth.example/tenant", "token_endpoint": "http://auth.example/t"})", "it is not https"},
      {R"({"issuer": "https://auth.example/tenant", "token_endpoint": {}})", "is no text"},
      {R"({"issuer": "https://auth.example/tenant", "token_endpoint": "https://a.example", "registration_endpoint": "x"})",
       "\"registration_endpoint\" is no URL"},
  };
  for (const auto& [text, words] : cases) {
    EXPECT_THAT(read_issuer_metadata(text, issuer).error().message(), HasSubstr(words)) << text;
  }
  EXPECT_THAT(read_issuer_metadata(R"({"issuer": "i", "token_endpoint": "https://a.example"})", "i")->authentications,
              ElementsAre(ClientAuthentication::basic));
}

TEST(IssuerMetadata, IsLookedForAtThePlacesOfOauthAndOpenid) {
  const auto at = [](const char* path) { return OauthUrl{"auth.example", 443, path}; };
  EXPECT_THAT(places_of_issuer_metadata("https://auth.example").value(),
              ElementsAre(at("/.well-known/oauth-authorization-server"), at("/.well-known/openid-configuration")));
  EXPECT_THAT(places_of_issuer_metadata("https://auth.example/t/").value(),
              ElementsAre(at("/.well-known/oauth-authorization-server/t"), at("/.well-known/openid-configuration/t"),
                          at("/t/.well-known/openid-configuration")));
  EXPECT_FALSE(places_of_issuer_metadata("https://auth.example/?x"));
  EXPECT_FALSE(places_of_issuer_metadata("http://auth.example"));
}

TEST(TokenAnswer, IsABearerTokenThatAFieldCanHold) {
  const auto answer = read_token_answer(
      R"({"access_token": "a.b-c~d+e/f=", "token_type": "bearer", "expires_in": 60, "refresh_token": "r", "scope": "x y"})");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->access_token + answer->refresh_token, "a.b-c~d+e/f=r");
  EXPECT_EQ(answer->lifetime, 60);
  EXPECT_THAT(*answer->scopes, ElementsAre("x", "y"));
  for (const std::string bad :
       {R"({"access_token": "a b", "token_type": "Bearer"})",
        R"({"access_token": "a\r\nX: y", "token_type": "Bearer"})", R"({"access_token": "", "token_type": "Bearer"})",
        R"({"token_type": "Bearer"})", R"({"access_token": "a"})", R"({"access_token": "a", "token_type": "DPoP"})",
        R"({"access_token": ["a"], "token_type": "Bearer"})",
        R"({"access_token": "a", "token_type": "Bearer", "refresh_token": "\n"})"}) {
    EXPECT_FALSE(read_token_answer(bad)) << bad;
  }
  const auto odd = read_token_answer(R"({"access_token": "a", "token_type": "Bearer", "expires_in": -1, "scope": 5})");
  ASSERT_TRUE(odd);
  EXPECT_FALSE(odd->lifetime || odd->scopes);
  EXPECT_EQ(read_token_error(R"({"error": "invalid_grant", "error_description": "x"})"), "invalid_grant");
  EXPECT_EQ(read_token_error(R"({"error": "run this"})"), "");
}

TEST(RegistrationAnswer, GivesAnIdAndMayGiveASecret) {
  const auto answer = read_registration_answer(
      R"({"client_id": "c1", "client_secret": "s", "client_secret_expires_at": 7, "token_endpoint_auth_method": "client_secret_post"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->client_id + answer->client_secret, "c1s");
  EXPECT_EQ(answer->secret_expires_at, 7);
  EXPECT_EQ(answer->authentication, ClientAuthentication::post);
  for (const std::string bad : {R"({"client_secret": "s"})", R"({"client_id": "a\nb"})", R"({"client_id": 1})",
                                R"({"client_id": "c", "token_endpoint_auth_method": "tls_client_auth"})"}) {
    EXPECT_FALSE(read_registration_answer(bad)) << bad;
  }
}

TEST(AuthorizationAnswer, SaysEachThingOnce) {
  const auto answer = read_authorization_answer("code=a%2Bb&state=s&iss=https%3A%2F%2Fauth.example&x=y");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, "a+b");
  EXPECT_EQ(answer->state, "s");
  EXPECT_EQ(answer->issuer, "https://auth.example");
  EXPECT_EQ(read_authorization_answer("error=access_denied&state=s")->error, "access_denied");
  for (const std::string bad :
       {"", "state=s", "code=a&code=b", "code=a&error=b", "code=%0a", "code=a&state=s&iss=x&iss=x"}) {
    EXPECT_FALSE(read_authorization_answer(bad)) << bad;
  }
}

}  // namespace
}  // namespace gatehouse::mcp
