// A policy as one text, and what a session cannot change while it runs.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

using testing::HasSubstr;

Policy policy_of(const std::string& members) {
  auto policy = Policy::parse({{"p.json", "{\"version\": 1, " + members + "}"}});
  EXPECT_TRUE(policy) << policy.error().message();
  return *policy;
}

TEST(PolicySnapshot, IsThePolicyWhateverBecomesOfTheFiles) {
  char name[] = "/tmp/gatehouse-policy-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  ::setenv("GATEHOUSE_POLICIES", folder.c_str(), 1);
  ::setenv("npm_config_registry", "https://npm.before.example/", 1);
  std::ofstream(folder + "/base.json")
      << R"({"version": 1, "http": [{"id": "base", "action": "allow", "hosts": ["base.example"]}]})";
  const auto policy = Policy::parse({{"machine.json",
                                      R"({"version": 1, "unmatched": "pass", "http": [
                        {"id": "floor", "action": "deny", "hosts": ["no.example"]}]})",
                                      true},
                                     {"own.json", R"({"version": 1, "extends": ["base"], "http": [
                        {"id": "npm", "action": "allow", "hosts": ["@npm"]},
                        {"id": "no", "action": "allow", "hosts": ["no.example"]}]})"}});
  ASSERT_TRUE(policy) << policy.error().message();
  ::setenv("npm_config_registry", "https://npm.after.example/", 1);
  std::filesystem::remove_all(folder);

  const auto same = Policy::from_snapshot(policy->snapshot());
  ASSERT_TRUE(same) << same.error().message();
  EXPECT_EQ(same->sha256(), policy->sha256());
  EXPECT_EQ(same->files(), policy->files());
  EXPECT_EQ(same->snapshot(), policy->snapshot());
  const auto rule = [&](std::string_view host) {
    return same->judge(HttpRequest{"https", host, 443, "GET", "/"}).rule_id;
  };
  EXPECT_EQ(rule("base.example"), "base");
  EXPECT_EQ(rule("npm.before.example"), "npm");
  EXPECT_EQ(rule("npm.after.example"), "default-deny");
  EXPECT_EQ(rule("no.example"), "floor");
  ::unsetenv("GATEHOUSE_POLICIES");
  ::unsetenv("npm_config_registry");
}

TEST(PolicySnapshot, IsRefusedInWordsWhenItIsNone) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "is no snapshot of a policy"},
      {"{\"version\": 1}", "is no snapshot of a policy"},
      {R"({"snapshot": 2, "layers": [], "shipped": {}, "registries": {}})", "is no snapshot of version 1"},
      {R"({"snapshot": 1, "layers": [], "shipped": {}, "registries": {}})", "no policy"},
      {R"({"snapshot": 1, "layers": [{"name": "p.json", "machine_wide": false, "text": "{\"version\": 1, \"x\": 1}"}],
           "shipped": {}, "registries": {}})",
       "p.json:1:16: unknown key 'x'"},
      {R"({"snapshot": 1, "layers": [{"name": "p.json", "machine_wide": false,
           "text": "{\"version\": 1, \"extends\": [\"baseline\"]}"}], "shipped": {}, "registries": {}})",
       "p.json:1:28: the snapshot lacks the shipped policy 'baseline'"},
  };
  for (const auto& [text, words] : cases) {
    const auto policy = Policy::from_snapshot(text);
    ASSERT_FALSE(policy) << text;
    EXPECT_THAT(policy.error().message(), HasSubstr(words));
  }
}

TEST(PolicyReload, RefusesWhatOnlyAStartOfTheSessionCanChange) {
  const auto started = policy_of(R"("secrets": {"T": {"from": "env:T", "hosts": ["a.example"], "as": "bearer"},
                                                 "U": {"from": "env:U"}})");
  const std::pair<std::string, std::string> cases[] = {
      {R"("secrets": {"T": {"from": "env:T"}})", "the secret 'U' is no longer named"},
      {R"("secrets": {"T": {"from": "env:T"}, "U": {"from": "env:V"}})", "the secret 'U' comes from elsewhere"},
      {R"("secrets": {"T": {"from": "env:T"}, "U": {"from": "env:U"}, "W": {"from": "env:W"}})",
       "the secret 'W' is new"},
      {R"("secrets": {"T": {"from": "env:T"}, "U": {"from": "env:U", "hosts": ["a.example"], "as": "bearer"}})",
       "the secret 'U' goes to hosts"},
      {R"("secrets": {"T": {"from": "env:T", "hosts": ["a.example"], "as": "bearer", "placeholder": "sk-"},
                      "U": {"from": "env:U"}})",
       "the secret 'T' has another \"placeholder\""},
  };
  for (const auto& [members, words] : cases) {
    const auto replaces = policy_of(members).check_replaces(started);
    ASSERT_FALSE(replaces) << members;
    EXPECT_THAT(replaces.error().message(), HasSubstr(words));
    EXPECT_THAT(replaces.error().message(), HasSubstr("; restart the session"));
  }
  EXPECT_THAT(policy_of(cases[2].first).check_replaces(started).error().message(), HasSubstr("p.json:1:"));
}

TEST(PolicyReload, MaySendASecretElsewhereOrNowhere) {
  const auto started = policy_of(R"("secrets": {"T": {"from": "env:T", "hosts": ["a.example"], "as": "bearer"}})");
  for (const std::string members : {R"("secrets": {"T": {"from": "env:T", "hosts": ["b.example"], "as": "basic"}})",
                                    R"("secrets": {"T": {"from": "env:T"}})"}) {
    EXPECT_TRUE(policy_of(members).check_replaces(started)) << members;
  }
}

TEST(PolicyReload, StartsNoOtherServers) {
  const auto policy = [](const std::string& servers) {
    return Policy::parse({{"p.json", R"({"version": 1, "mcp": {"servers": {)" + servers + "}}}"}}).value();
  };
  const Policy started = policy(R"("a": {"command": ["x"]})");
  EXPECT_TRUE(policy("").check_replaces(started));
  EXPECT_TRUE(policy(R"("a": {"command": ["x"]})").check_replaces(started));
  EXPECT_THAT(policy(R"("a": {"command": ["y"]})").check_replaces(started).error().message(),
              testing::HasSubstr("the MCP server 'a' is another one"));
  EXPECT_THAT(policy(R"("b": {"command": ["x"]})").check_replaces(started).error().message(),
              testing::HasSubstr("p.json:1:36: the MCP server 'b' is new"));
}

}  // namespace
}  // namespace gatehouse::policy
