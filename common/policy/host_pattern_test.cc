#include "common/policy/host_pattern.h"

#include <gmock/gmock.h>

namespace gatehouse::policy {
namespace {

TEST(HostPattern, TakesNamesAndWholeLabelWildcardsAndFoldsCase) {
  const std::pair<const char*, const char*> cases[] = {
      {"Api.Example.COM", "api.example.com"},
      {"*.example.com", "*.example.com"},
      {"**.example.co.uk", "**.example.co.uk"},
      {"nexus", "nexus"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"*.demo.test", "*.demo.test"},
      {"user.github.io", "user.github.io"},
      {"_dmarc.example.com", "_dmarc.example.com"},
      {"github.io", "github.io"},
  };
  for (const auto& [text, canonical] : cases) EXPECT_EQ(HostPattern::parse(text).value().to_string(), canonical);
}

TEST(HostPattern, RefusesWhatCoversAPublicSuffix) {
  const std::pair<std::string, std::string> cases[] = {
      {"*", "'*' covers every name there is; name the hosts"},
      {"**", "'**' covers every name there is; name the hosts"},
      {"*.com", "'*.com' covers the whole top-level domain 'com'; name the hosts"},
      {"**.COM", "'**.COM' covers the whole top-level domain 'com'; name the hosts"},
      {"*.test", "'*.test' covers the whole top-level domain 'test'; name the hosts"},
      {"*.internal", "'*.internal' covers the whole top-level domain 'internal'; name the hosts"},
      {"*.co.uk", "'*.co.uk' covers the public suffix 'co.uk', under which anybody can have a name; name the hosts"},
      {"*.github.io",
       "'*.github.io' covers the public suffix 'github.io', under which anybody can have a name; name the hosts"},
      {"**.kawasaki.jp",
       "'**.kawasaki.jp' covers the public suffix 'kawasaki.jp', under which anybody can have a name; name the "
       "hosts"},
  };
  for (const auto& [text, message] : cases) {
    const auto pattern = HostPattern::parse(text);
    ASSERT_FALSE(pattern) << text;
    EXPECT_EQ(pattern.error().message(), message);
  }
}

TEST(HostPattern, RefusesADeepWildcardAbovePublicSuffixes) {
  const auto pattern = HostPattern::parse("**.amazonaws.com");
  ASSERT_FALSE(pattern);
  EXPECT_THAT(pattern.error().message(),
              ::testing::MatchesRegex("'\\*\\*.amazonaws.com' covers the public suffix '.*amazonaws.com'.*"));
}

TEST(HostPattern, SaysWhatElseIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "a host must not be empty"},
      {"b\xc3\xbc"
       "cher.example",
       "'b\xc3\xbc"
       "cher.example' must be given in its ASCII form, every non-ASCII label as xn--..."},
      {"https://a.example.com",
       "'https://a.example.com' is more than a host; schemes, ports and paths have keys of their own"},
      {"a.example.com/x", "'a.example.com/x' is more than a host; schemes, ports and paths have keys of their own"},
      {"a.example.com:443", "'a.example.com:443' has a port; ports go in 'ports'"},
      {"10.0.0.1",
       "'10.0.0.1' is an address; rules name hosts (a local host goes in 'resolve', a private network in 'networks')"},
      {"::1",
       "'::1' is an address; rules name hosts (a local host goes in 'resolve', a private network in 'networks')"},
      {"*.10.0.0.1",
       "'*.10.0.0.1' is an address; rules name hosts (a local host goes in 'resolve', a private network in "
       "'networks')"},
      {"0x7f.1", "'0x7f.1' could be taken for an address; rules name hosts"},
      {"127.1", "'127.1' could be taken for an address; rules name hosts"},
      {"a*.example.com",
       "'a*.example.com': a wildcard is the whole first label, as in *.example.com or **.example.com"},
      {"a.*.example.com",
       "'a.*.example.com': a wildcard is the whole first label, as in *.example.com or **.example.com"},
      {"*.*.example.com",
       "'*.*.example.com': a wildcard is the whole first label, as in *.example.com or **.example.com"},
      {"***.example.com",
       "'***.example.com': a wildcard is the whole first label, as in *.example.com or **.example.com"},
      {"example.com.", "'example.com.' ends in a dot; leave it out"},
      {".example.com", "'.example.com' is not a host name"},
      {"a..example.com", "'a..example.com' is not a host name"},
      {"-a.example.com", "'-a.example.com' is not a host name"},
      {"a b.example.com", "'a b.example.com' is not a host name"},
      {std::string(64, 'a') + ".example.com", "'" + std::string(64, 'a') + ".example.com' is not a host name"},
  };
  for (const auto& [text, message] : cases) {
    const auto pattern = HostPattern::parse(text);
    ASSERT_FALSE(pattern) << text;
    EXPECT_EQ(pattern.error().message(), message);
  }
}

TEST(HostPattern, OfADenialMayCoverAPublicSuffix) {
  for (const std::string_view text : {"*.com", "**.github.io", "*.trycloudflare.com"}) {
    EXPECT_FALSE(HostPattern::parse(text)) << text;
    EXPECT_TRUE(HostPattern::parse(text, HostPattern::Suffixes::taken)) << text;
  }
  EXPECT_FALSE(HostPattern::parse("*", HostPattern::Suffixes::taken));
}

}  // namespace
}  // namespace gatehouse::policy
