#include <gmock/gmock.h>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

using testing::HasSubstr;

constexpr char kSecrets[] = R"("secrets": {"C": {"from": "file:/c"}, "K": {"from": "file:/k"},
                                           "T": {"from": "env:T", "hosts": ["a.example.com"], "as": "bearer"}}, )";

Source source(const std::string& members, bool machine_wide = false) {
  return {machine_wide ? "m.json" : "t.json", R"({"version": 1, "name": "t", )" + members + "}", machine_wide};
}

std::string error_of(const std::string& members) {
  const auto policy = Policy::parse({source(members)});
  return policy ? "" : policy.error().message().substr(0, policy.error().message().find('\n'));
}

TEST(ClientIdentities, AreNamesOfSecretsForHostsAndPorts) {
  const auto policy = Policy::parse({source(kSecrets + std::string(R"("tls": {"client_certificates": [
          {"hosts": ["a.example.com"], "certificate": "C", "key": "K", "ports": [8443]},
          {"hosts": ["*.example.com"], "certificate": "C"}, {"hosts": [], "certificate": "K"}]},
          "http": [{"id": "all", "action": "allow", "hosts": ["*.example.com"]}])"))});
  ASSERT_TRUE(policy) << policy.error().message();
  const auto shown = [&](std::string_view host, uint16_t port) {
    const auto* identity = policy->client_identity(host, port);
    return identity == nullptr ? "" : identity->certificate + identity->key;
  };
  EXPECT_EQ(shown("a.example.com", 8443), "CK");
  EXPECT_EQ(shown("a.example.com", 443), "CC") << "one text may hold both";
  EXPECT_EQ(shown("b.example.com", 443), "CC");
  EXPECT_EQ(shown("b.example.com", 8443), "");
  EXPECT_EQ(shown("example.com", 443), "");
  EXPECT_EQ(shown("a.b.example.com", 443), "");
  EXPECT_THAT(policy->explain("GET https://b.example.com/").value(),
              HasSubstr("shows the client certificate C if asked"));
  EXPECT_THAT(policy->explain("GET http://b.example.com/").value(), testing::Not(HasSubstr("client certificate")));
  EXPECT_THAT(policy->describe(), HasSubstr("client certificate C for a.example.com; port 8443"));
}

TEST(ClientIdentities, OfAMachineWideLayerComeFirst) {
  const auto shows = [](const char* name) {
    return fmt::format(R"("secrets": {{"{0}": {{"from": "file:/{0}"}}}},
                           "tls": {{"client_certificates": [{{"hosts": ["a.example.com"], "certificate": "{0}"}}]}})",
                       name);
  };
  const auto policy = Policy::parse({source(shows("OURS"), true), source(shows("MINE"))});
  ASSERT_TRUE(policy) << policy.error().message();
  EXPECT_EQ(policy->client_identity("a.example.com", 443)->certificate, "OURS");
}

TEST(ClientIdentities, NameTheirPlaceInErrors) {
  const auto policy = Policy::parse({source(
      kSecrets + std::string("\n\"tls\": {\"client_certificates\": [\n  {\"hosts\": [], \"certificate\": \"C\"}]}"))});
  ASSERT_TRUE(policy);
  EXPECT_THAT(policy->client_identities().front().error("gone").message(),
              testing::StartsWith("t.json:4:3: client certificate: gone"));
}

TEST(TlsSection, NamesWhatIsWrong) {
  const auto certificate = [](const char* entry) {
    return kSecrets + fmt::format(R"("tls": {{"client_certificates": [{}]}})", entry);
  };
  const std::pair<std::string, std::string> cases[] = {
      {R"("tls": [])", "'tls' must be an object, not a list"},
      {R"("tls": {"client_certificate": []})", "unknown key 'client_certificate'; did you mean 'client_certificates'?"},
      {certificate(R"({"hosts": []})"), "'certificate' is missing"},
      {certificate(R"({"certificate": "C"})"), "'hosts' is missing"},
      {certificate(R"({"hosts": ["*"], "certificate": "C"})"), "'*'"},
      {certificate(R"({"hosts": [], "certificate": "CC"})"), "'CC' is no secret of this policy; did you mean 'C'?"},
      {certificate(R"({"hosts": [], "certificate": "C", "key": "T"})"), "the secret 'T' is put into requests"},
  };
  for (const auto& [members, words] : cases) EXPECT_THAT(error_of(members), HasSubstr(words)) << members;
}

TEST(TlsSection, OfOneLayerUsesNoSecretOfAnother) {
  const auto policy =
      Policy::parse({source(R"("secrets": {"C": {"from": "file:/c"}})", true),
                     source(R"("tls": {"client_certificates": [{"hosts": ["a.example.com"], "certificate": "C"}]})")});
  ASSERT_FALSE(policy);
  EXPECT_THAT(policy.error().message(), HasSubstr("'C' is no secret of this policy"));
}

}  // namespace
}  // namespace gatehouse::policy
