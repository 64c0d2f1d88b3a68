#include "common/policy/credential.h"

#include <gmock/gmock.h>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

Policy policy_of(const std::string& secrets) {
  auto policy = Policy::parse({{"t.json", R"({"version": 1, "name": "t", "secrets": )" + secrets + R"(,
      "registries": {"@npm": ["registry.example.com", "http://plain.example.com", "https://mirror.example.com:8443"]}})"}});
  EXPECT_TRUE(policy) << policy.error().message();
  return std::move(policy).value();
}

TEST(Credentials, AreTheSecretsThatGoSomewhere) {
  const auto policy = policy_of(R"({"A": {"from": "env:A"},
      "B": {"from": "env:B", "hosts": ["a.example.com"], "as": ["basic:bot", "query:key", "header:X-Api-Key"],
            "inject": "always", "placeholder": "sk-"}})");
  ASSERT_EQ(policy.credentials().size(), 1U);
  const Credential& b = policy.credentials()[0];
  EXPECT_EQ(b.secret, "B");
  EXPECT_TRUE(b.always);
  EXPECT_EQ(b.prefix, "sk-");
  std::vector<std::string> places;
  for (const auto& place : b.places) places.push_back(place.to_string() + " " + std::string(place.field()));
  EXPECT_THAT(places, testing::ElementsAre("basic:bot authorization", "query:key ", "header:x-api-key x-api-key"));
}

TEST(Credentials, GoToTheirHostsAndPortsOverTlsAlone) {
  const auto policy = policy_of(R"({
      "A": {"from": "env:A", "hosts": ["a.example.com", "*.b.example.com"], "as": "bearer"},
      "P": {"from": "env:P", "hosts": ["a.example.com"], "as": "bearer", "ports": [8443]},
      "N": {"from": "env:N", "hosts": ["@npm"], "as": "bearer"},
      "O": {"from": "env:O", "hosts": [], "as": "bearer"},
      "Q": {"from": "env:Q", "hosts": ["a.example.com"], "as": "bearer", "ports": []}})");
  struct Case {
    std::string scheme, host;
    uint16_t port;
    std::string secrets;
  };
  const Case cases[] = {
      {"https", "a.example.com", 443, "A"},       {"http", "a.example.com", 443, ""},
      {"http", "a.example.com", 80, ""},          {"https", "a.example.com", 8443, "P"},
      {"https", "x.a.example.com", 443, ""},      {"https", "x.b.example.com", 443, "A"},
      {"https", "b.example.com", 443, ""},        {"https", "registry.example.com", 443, "N"},
      {"https", "plain.example.com", 443, ""},    {"http", "plain.example.com", 80, ""},
      {"https", "mirror.example.com", 8443, "N"}, {"https", "mirror.example.com", 443, ""},
  };
  for (const auto& [scheme, host, port, secrets] : cases) {
    std::string found;
    for (const auto& credential : policy.credentials()) {
      if (credential.goes_to(scheme, host, port)) found += credential.secret;
    }
    EXPECT_EQ(found, secrets) << scheme << "://" << host << ":" << port;
  }
}

TEST(Credentials, AreToldInWords) {
  const auto policy = policy_of(R"({
      "A": {"from": "env:A", "hosts": ["a.example.com"], "as": ["bearer", "basic"]},
      "P": {"from": "file:/p", "hosts": ["a.example.com"], "as": "query:key", "ports": [8443], "inject": "always"}})");
  EXPECT_THAT(
      policy.describe(),
      testing::HasSubstr(
          "  the value of A from the environment variable A is stopped; sent for its placeholder at a.example.com "
          "as bearer or basic, and nowhere else\n"
          "  the value of P from the file /p is stopped; sent with every request at a.example.com:8443 as "
          "query:key, and nowhere else\n"));
  EXPECT_THAT(policy.explain("GET https://a.example.com/").value(),
              testing::HasSubstr("\n  carries the secret A where its placeholder stands\npolicy 't'"));
}

}  // namespace
}  // namespace gatehouse::policy
