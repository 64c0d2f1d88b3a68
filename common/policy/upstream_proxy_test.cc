#include "common/policy/upstream_proxy.h"

#include <gmock/gmock.h>

#include "common/policy/policy.h"

namespace gatehouse::policy {
namespace {

using testing::HasSubstr;

Source source(const std::string& members, bool machine_wide = false) {
  return {machine_wide ? "m.json" : "t.json", R"({"version": 1, "name": "t", )" + members + "}", machine_wide};
}

const std::string kProxy =
    R"("upstream_proxy": {"url": "http://Proxy.corp.example:3128", "credential": "P",
                          "except": ["**.corp.example", "build.example.com"]},
       "secrets": {"P": {"from": "env:P"}}, "http": [{"id": "all", "action": "allow", "hosts": ["*.example.com"]}])";

TEST(UpstreamProxy, IsForEveryHostButThoseExcepted) {
  const auto policy = Policy::parse({source(kProxy + R"(, "resolve": {"here.example.com": "127.0.0.1"})")});
  ASSERT_TRUE(policy) << policy.error().message();
  ASSERT_TRUE(policy->upstream_proxy());
  EXPECT_EQ(policy->upstream_proxy()->authority(), "proxy.corp.example:3128");
  EXPECT_EQ(policy->upstream_proxy()->credential, "P");
  EXPECT_THAT(policy->kept_secrets(), testing::ElementsAre("P"));
  EXPECT_NE(policy->upstream_proxy_for("www.example.com"), nullptr);
  for (const char* direct : {"build.example.com", "a.b.corp.example", "here.example.com"}) {
    EXPECT_EQ(policy->upstream_proxy_for(direct), nullptr) << direct;
  }
  EXPECT_THAT(
      policy->explain("GET https://www.example.com/").value(),
      HasSubstr("by way of the proxy proxy.corp.example:3128, which looks the name up: no address is judged here"));
  EXPECT_THAT(policy->explain("GET https://build.example.com/").value(), testing::Not(HasSubstr("by way of")));
  EXPECT_THAT(policy->describe(),
              HasSubstr("upstream proxy proxy.corp.example:3128 with the secret P, but not for **.corp.example "
                        "build.example.com; it looks names up, and where they lead is not judged here\n"));
  EXPECT_EQ(Policy::parse({source(R"("http": [])")})->upstream_proxy_for("www.example.com"), nullptr);
}

TEST(UpstreamProxy, IsOneForAllLayers) {
  EXPECT_TRUE(Policy::parse({source(kProxy, true), source(R"("http": [])")})->upstream_proxy());
  EXPECT_TRUE(Policy::parse({source(kProxy, true), source(kProxy)}));
  const auto differs = Policy::parse(
      {source(R"("upstream_proxy": {"url": "http://proxy.corp.example:3128"})", true),
       source(R"("upstream_proxy": {"url": "http://proxy.corp.example:3128", "except": ["*.example.com"]})")});
  ASSERT_FALSE(differs);
  EXPECT_THAT(differs.error().message(), testing::StartsWith("t.json:1:"));
  EXPECT_THAT(differs.error().message(),
              HasSubstr("another upstream proxy, or another way with it, is said at m.json:1"));
}

TEST(UpstreamProxy, UndoesNoMachineWideRuleOnAddresses) {
  const std::string proxy = R"("upstream_proxy": {"url": "http://proxy.corp.example:3128"})";
  const std::string networks = R"("unmatched": "pass", "networks": [])";
  const auto undone = Policy::parse({source(networks, true), source(proxy)});
  ASSERT_FALSE(undone);
  EXPECT_THAT(undone.error().message(), testing::StartsWith("t.json:1:"));
  EXPECT_THAT(undone.error().message(), HasSubstr("so that the 'networks' of m.json could not be kept to; only m.json "
                                                  "can say it"));
  EXPECT_TRUE(Policy::parse({source(networks + ", " + proxy, true), source(proxy)}));
  EXPECT_TRUE(Policy::parse({source(R"("unmatched": "pass")", true), source(proxy)}));
  EXPECT_TRUE(Policy::parse({source(proxy, true), source(R"("networks": ["10.0.0.0/8"])")}));
}

TEST(Resolve, UndoesNoMachineWideRuleOnAddresses) {
  const std::string networks = R"("unmatched": "pass", "networks": ["10.1.0.0/16"])";
  const auto to = [](const std::string& address) { return R"("resolve": {"a.example.com": ")" + address + R"("})"; };
  for (const auto* address : {"10.2.0.1", "127.0.0.1:8443", "169.254.169.254"}) {
    const auto undone = Policy::parse({source(networks, true), source(to(address))});
    ASSERT_FALSE(undone) << address;
    EXPECT_THAT(undone.error().message(), testing::StartsWith("t.json:1:"));
    EXPECT_THAT(undone.error().message(), HasSubstr("is not in the 'networks' of m.json; only m.json can say it"));
    EXPECT_TRUE(Policy::parse({source(networks + ", " + to(address), true), source(to(address))}));
    EXPECT_TRUE(Policy::parse({source(R"("unmatched": "pass")", true), source(to(address))}));
    EXPECT_TRUE(Policy::parse({source(to(address), true), source(R"("networks": [])")}));
  }
  for (const auto* address : {"10.1.2.3", "93.184.216.34"}) {
    EXPECT_TRUE(Policy::parse({source(networks, true), source(to(address))})) << address;
  }
}

TEST(UpstreamProxy, MayBeAnAddress) {
  for (const auto& [url, host, authority] : {std::tuple("http://10.0.0.1:3128", "10.0.0.1", "10.0.0.1:3128"),
                                             std::tuple("http://[fd00::1]:8080/", "fd00::1", "[fd00::1]:8080")}) {
    UpstreamProxy proxy;
    ASSERT_TRUE(proxy.take_url(url)) << url;
    EXPECT_EQ(proxy.host, host);
    EXPECT_EQ(proxy.authority(), authority);
  }
}

TEST(UpstreamProxy, NamesWhatIsWrong) {
  const auto url = [](std::string_view text) { return fmt::format(R"("upstream_proxy": {{"url": "{}"}})", text); };
  const std::pair<std::string, std::string> cases[] = {
      {R"("upstream_proxy": "http://p:1")", "'upstream_proxy' must be an object"},
      {R"("upstream_proxy": {})", "'url' is missing"},
      {R"("upstream_proxy": {"url": "http://p:1", "user": "x"})", "unknown key 'user'"},
      {url("https://p.example:443"), "only proxies that are spoken to in plain HTTP are supported"},
      {url("socks5://p.example:1080"), "only proxies that are spoken to in plain HTTP are supported"},
      {url("p.example:3128"), "a proxy is written as \"http://HOST:PORT\""},
      {url("http://p.example"), "with the port"},
      {url("http://[fd00::1]"), "with the port"},
      {url("http://p.example:0"), "with a port of 1 to 65535"},
      {url("http://p.example:70000"), "with a port of 1 to 65535"},
      {url("http://p.example:3128/x"), "with a port of 1 to 65535"},
      {url("http://:3128"), "HOST being a name or an address"},
      {url("http://0x7f.1:3128"), "HOST being a name or an address"},
      {url("http://bot:hunter2@p.example:3128"), "user and password belong into a secret"},
      {R"("upstream_proxy": {"url": "http://p.example:1", "credential": "P"})", "'P' is no secret of this policy"},
      {R"("upstream_proxy": {"url": "http://p.example:1", "except": ["http://x"]})", "http://x"},
      {R"("upstream_proxy": {"url": "http://p.example:1", "credential": "P"},
          "secrets": {"P": {"from": "env:P", "hosts": ["a.example.com"], "as": "bearer"}})",
       "the secret 'P' is put into requests"},
  };
  for (const auto& [members, words] : cases) {
    const auto policy = Policy::parse({source(members)});
    ASSERT_FALSE(policy) << members;
    EXPECT_THAT(policy.error().message(), HasSubstr(words)) << members;
    EXPECT_THAT(policy.error().message(), testing::StartsWith("t.json:"));
    EXPECT_EQ(policy.error().message().find("hunter2"), std::string::npos);
  }
}

TEST(UpstreamProxy, TakesAUserAndAPassword) {
  for (const char* good : {"bot:hunter2", "bot:", "corp\\bot:with:colons and spaces"}) {
    EXPECT_TRUE(UpstreamProxy::check_credential(good)) << good;
  }
  for (const char* bad : {"", ":", ":hunter2", "hunter2", "bot:hunter2\r\nX: y", "bot:\x7f"}) {
    const auto checked = UpstreamProxy::check_credential(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().message(), "the credential's value is no \"user:password\"");
  }
}

}  // namespace
}  // namespace gatehouse::policy
