#include "common/base/ip_address.h"

#include <gmock/gmock.h>

namespace gatehouse {
namespace {

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(IpAddress, PrintsTheCanonicalFormOfWhatItReads) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"::", "::"},
      {"::1", "::1"},
      {"fe80::0:1", "fe80::1"},
  };
  for (const auto& [text, canonical] : cases) EXPECT_EQ(address(text).to_string(), canonical);
}

TEST(IpAddress, FoldsIPv4MappedAddressesToIPv4) {
  EXPECT_EQ(address("::ffff:127.0.0.1"), address("127.0.0.1"));
  EXPECT_EQ(address("::ffff:7f00:1"), address("127.0.0.1"));
  EXPECT_TRUE(address("::ffff:7f00:1").is_v4());
  EXPECT_EQ(address("::ffff:7f00:1").octets(), std::string_view("\x7f\0\0\x01", 4));
}

TEST(IpAddress, RefusesEveryFormThatIsNotStrict) {
  const std::string_view cases[] = {"",
                                    "127.1",
                                    "2130706433",
                                    "0x7f.0.0.1",
                                    "0177.0.0.1",
                                    "01.2.3.4",
                                    "1.2.3.4.5",
                                    "1.2.3.256",
                                    "1.2.3.4 ",
                                    " 1.2.3.4",
                                    "[::1]",
                                    "fe80::1%lo",
                                    ":::",
                                    "1::2::3",
                                    "12345::",
                                    "::ffff:1.2.3",
                                    std::string_view("1.2.3.4\0x", 9)};
  for (const auto text : cases) EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_EQ(IpAddress::parse("127.1\n").error().message(),
            "'127.1\\x0a' is not an IP address (expected 192.0.2.1 or 2001:db8::1)");
}

TEST(IpNetwork, ContainsExactlyTheAddressesOfItsPrefix) {
  struct Case {
    const char* network;
    const char* address;
    bool inside;
  };
  const Case cases[] = {
      {"10.0.0.0/8", "10.255.255.255", true},  {"10.0.0.0/8", "11.0.0.0", false},
      {"172.16.0.0/12", "172.31.0.1", true},   {"172.16.0.0/12", "172.32.0.1", false},
      {"192.0.2.1/32", "192.0.2.1", true},     {"192.0.2.1/32", "192.0.2.0", false},
      {"0.0.0.0/0", "8.8.8.8", true},          {"0.0.0.0/0", "2001:db8::1", false},
      {"fc00::/7", "fdff::1", true},           {"fc00::/7", "fe00::1", false},
      {"10.0.0.0/8", "::ffff:10.0.0.1", true}, {"::/0", "10.0.0.1", false},
      {"2001:db8::/127", "2001:db8::1", true}, {"2001:db8::/127", "2001:db8::2", false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(IpNetwork::parse(c.network).value().contains(address(c.address)), c.inside)
        << c.network << " " << c.address;
  }
  EXPECT_EQ(IpNetwork::parse("fd00::/8").value().to_string(), "fd00::/8");
}

TEST(IpNetwork, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"10.0.0.0", "'10.0.0.0' has no prefix length (expected 10.0.0.0/8 or fd00::/8)"},
      {"10.0.0.0/", "'10.0.0.0/' needs a prefix length of 0 to 32"},
      {"10.0.0.0/33", "'10.0.0.0/33' needs a prefix length of 0 to 32"},
      {"10.0.0.0/08", "'10.0.0.0/08' needs a prefix length of 0 to 32"},
      {"10.0.0.0/+8", "'10.0.0.0/+8' needs a prefix length of 0 to 32"},
      {"fd00::/129", "'fd00::/129' needs a prefix length of 0 to 128"},
      {"10.0.0.1/8", "'10.0.0.1/8' has host bits set beyond /8"},
      {"::ffff:10.0.0.0/104", "'::ffff:10.0.0.0/104' needs a prefix length of 0 to 32"},
      {"x/8", "'x' is not an IP address (expected 192.0.2.1 or 2001:db8::1)"},
  };
  for (const auto& [text, message] : cases) {
    const auto network = IpNetwork::parse(text);
    ASSERT_FALSE(network) << text;
    EXPECT_EQ(network.error().message(), message);
  }
}

TEST(SpecialPurpose, NamesWhatAnUntrustedRequestMayNotReach) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "reserved"},
      {"10.1.2.3", "private"},
      {"172.31.255.255", "private"},
      {"192.168.0.1", "private"},
      {"100.64.0.1", "carrier-grade NAT"},
      {"100.100.100.200", "cloud metadata"},
      {"127.255.0.1", "loopback"},
      {"169.254.169.254", "cloud metadata"},
      {"169.254.0.1", "link-local"},
      {"168.63.129.16", "cloud metadata"},
      {"192.0.0.1", "reserved"},
      {"192.0.2.7", "documentation"},
      {"192.88.99.1", "6to4"},
      {"198.18.0.7", "gatehouse pool"},
      {"198.19.255.255", "gatehouse pool"},
      {"239.0.0.1", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "broadcast"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"::ffff:10.0.0.1", "private"},
      {"::10.0.0.1", "reserved"},
      {"::ffff:0:10.0.0.1", "reserved"},
      {"64:ff9b::a00:1", "NAT64"},
      {"64:ff9b:1::1", "NAT64"},
      {"100::1", "reserved"},
      {"2001::1", "Teredo"},
      {"2001:db8::1", "documentation"},
      {"2001:10::1", "reserved"},
      {"2002:a00:1::", "6to4"},
      {"3fff::1", "documentation"},
      {"5f00::1", "reserved"},
      {"fd00:ec2::254", "cloud metadata"},
      {"fd00::1", "unique-local"},
      {"fe80::1", "link-local"},
      {"fec0::1", "site-local"},
      {"ff02::1", "multicast"},
  };
  for (const auto& [text, kind] : cases) EXPECT_EQ(special_purpose(address(text)), kind) << text;
}

TEST(SpecialPurpose, IsEmptyForGlobalUnicast) {
  for (const auto* text : {"8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "198.20.0.1", "223.255.255.255",
                           "2606:4700::1111", "2a00:1450::1", "2001:200::1"}) {
    EXPECT_EQ(special_purpose(address(text)), "") << text;
  }
}

TEST(LooksLikeIp, SeesThroughTheFormsLenientParsersTake) {
  for (const auto* text : {"127.0.0.1", "127.0.0.1.", "0177.0.0.1", "0x7f.1", "127.1", "2130706433", "0x7f000001",
                           "0X7F.0.0.0X1", "127.0x1", "0x", "1.2.3.4.5", "example.1", "[::1]", "::1", "[v1.x]"}) {
    EXPECT_TRUE(looks_like_ip(text)) << text;
  }
}

TEST(LooksLikeIp, IsFalseForNames) {
  for (const auto* text : {"", ".", "example.com", "1.example.com", "127.0.0.1.example.com", "0xfg", "x1", "cafe"}) {
    EXPECT_FALSE(looks_like_ip(text)) << text;
  }
}

TEST(IsPoolAddress, KnowsBothHalvesOfThePoolAndItsNeighbours) {
  for (const char* inside : {"198.18.0.0", "198.18.255.255", "198.19.0.1", "198.19.255.255", "::ffff:198.18.0.1"}) {
    EXPECT_TRUE(is_pool_address(*IpAddress::parse(inside))) << inside;
  }
  for (const char* outside : {"198.17.255.255", "198.20.0.0", "199.18.0.1", "0.0.0.0", "c612:1::1"}) {
    EXPECT_FALSE(is_pool_address(*IpAddress::parse(outside))) << outside;
  }
}

}  // namespace
}  // namespace gatehouse
