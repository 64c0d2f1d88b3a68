// What a policy may say of names alone.
#include <gtest/gtest.h>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

Result<Policy> policy_with(std::string_view rule) {
  return Policy::parse({{"p.json", fmt::format("{{\"version\": 1, \"name\": \"p\", \"dns\": [{}]}}", rule), false}});
}

std::string rule(std::string_view action, std::string_view name, std::string_view more = "") {
  return fmt::format(R"({{"id": "r", "action": "{}", "names": ["{}"]{}}})", action, name, more);
}

TEST(DnsSection, RefusesAPatternThatCoversAWholePublicSuffix) {
  for (const auto* pattern : {"*", "**", "*.com", "**.com", "*.co.uk", "**.uk", "*.github.io", "**.github.io",
                              "**.amazonaws.com", "*.s3.amazonaws.com", "*.example", "*.xn--p1ai", "*.ck", "**.jp"}) {
    for (const auto* action : {"allow", "ask", "deny"}) {
      const auto policy = policy_with(rule(action, pattern));
      ASSERT_FALSE(policy) << action << " " << pattern;
      const auto& message = policy.error().message();
      EXPECT_NE(message.find("p.json:1:"), std::string::npos) << message;
      EXPECT_NE(message.find("covers"), std::string::npos) << message;
    }
  }
}

TEST(DnsSection, TakesPatternsBelowARegisteredDomain) {
  for (const auto* pattern : {"example.com", "*.example.com", "**.example.com", "*.example.co.uk", "*.user.github.io",
                              "*.bucket.s3.amazonaws.com", "co.uk"}) {
    EXPECT_TRUE(policy_with(rule("allow", pattern))) << pattern;
  }
}

TEST(DnsSection, JudgesTheTypesItNames) {
  const auto policy = policy_with(rule("allow", "*.example.com", R"(, "types": ["TXT", "TYPE64"])")).value();
  EXPECT_TRUE(policy.judge(DnsQuestion{"a.example.com", "TXT"}).allowed());
  EXPECT_TRUE(policy.judge(DnsQuestion{"a.example.com", "SVCB"}).allowed());
  EXPECT_EQ(policy.judge(DnsQuestion{"a.example.com", "A"}).rule_id, "default-deny");
  EXPECT_EQ(policy.judge(DnsQuestion{"a.b.example.com", "TXT"}).rule_id, "default-deny");
}

}  // namespace
}  // namespace gatehouse::policy
