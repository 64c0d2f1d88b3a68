#include "dns/registered_domain.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::dns {
namespace {

using namespace std::string_literals;

TEST(RegisteredDomain, IsOneLabelMoreThanThePublicSuffix) {
  const std::pair<std::string, std::string> cases[] = {{"a.b.evil.example", "evil.example"},
                                                       {"evil.example", "evil.example"},
                                                       {"example", "example"},
                                                       {"a.b.Evil.CO.uk", "Evil.CO.uk"},
                                                       {"evil.co.uk", "evil.co.uk"},
                                                       {"co.uk", "co.uk"},
                                                       {"a.b.city.kawasaki.jp", "city.kawasaki.jp"},
                                                       {"x.y.a.kobe.jp", "y.a.kobe.jp"},
                                                       {"a.user.github.io", "github.io"},
                                                       {"bucket.s3.amazonaws.com", "amazonaws.com"},
                                                       {"data.7.0.18.198.in-addr.arpa", "in-addr.arpa"},
                                                       {"1.0.0.2.ip6.arpa", "ip6.arpa"},
                                                       {"arpa", "arpa"},
                                                       {"a\0b.c\0d.evil.example"s, "evil.example"},
                                                       {"\xff\xfe.evil.example", "evil.example"},
                                                       {"a..evil.example", "evil.example"},
                                                       {"", ""},
                                                       {".", "."}};
  for (const auto& [name, domain] : cases) EXPECT_EQ(registered_domain(name), domain) << name;
}

TEST(RegisteredDomain, IsFoundFromTheEndHoweverLongTheName) {
  std::string name;
  for (int i = 0; i < 120; ++i) name += "a.";
  EXPECT_EQ(registered_domain(name + "evil.co.uk"), "evil.co.uk");
}

}  // namespace
}  // namespace gatehouse::dns
