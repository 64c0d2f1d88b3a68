#include "guest/proxy_header.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace gatehouse::guest {
namespace {

using namespace std::string_literals;

TcpAddress at(std::string_view address, uint16_t port) { return {*IpAddress::parse(address), port}; }

TEST(ProxyHeader, WritesIpv4) {
  EXPECT_EQ(proxy_header(at("10.0.0.1", 40000), at("198.18.0.7", 443)),
            "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
            "\x0a\0\0\x01\xc6\x12\0\x07\x9c\x40\x01\xbb"s);
}

TEST(ProxyHeader, WritesIpv6) {
  const std::string header = proxy_header(at("::1", 1), at("2001:db8::2", 65535));
  ASSERT_EQ(header.size(), 16u + 36u);
  EXPECT_EQ(header.substr(12, 4), "\x21\x21\0\x24"s);
  EXPECT_EQ(header.substr(16, 16), std::string(15, '\0') + "\x01");
  EXPECT_EQ(header.substr(32, 16), "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x02");
  EXPECT_EQ(header.substr(48), "\0\x01\xff\xff"s);
}

TEST(ProxyHeader, ReadsAMappedAddressAsIpv4) {
  sockaddr_storage storage{};
  auto& in = reinterpret_cast<sockaddr_in6&>(storage);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(443);
  in.sin6_addr = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 18, 0, 7}}};
  const auto address = tcp_address(storage);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->address.to_string(), "198.18.0.7");
  EXPECT_EQ(address->port, 443);
}

TEST(ProxyHeader, RefusesAnAddressThatIsNotIp) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  const auto address = tcp_address(storage);
  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().message(), "address family 1 is not IP");
}

}  // namespace
}  // namespace gatehouse::guest
