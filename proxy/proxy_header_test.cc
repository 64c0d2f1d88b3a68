#include "proxy/proxy_header.h"

#include <gtest/gtest.h>

namespace gatehouse::proxy {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kIpv4Addresses("\x0a\0\0\x01\xc6\x12\0\x07\xc0\0\x01\xbb", 12);  // 10.0.0.1:49152 to 198.18.0.7:443
const std::string kIpv6Addresses = std::string(15, '\0') + '\1' + std::string("\x20\x01\x0d\xb8", 4) +
                                   std::string(12, '\2') + std::string("\0\1\0\x50", 4);

// A header with these fixed bytes; the length is that of `rest` unless given.
std::string header(char version_command, char family, const std::string& rest, int length = -1) {
  const size_t claimed = length < 0 ? rest.size() : static_cast<size_t>(length);
  return kSignature + version_command + family + static_cast<char>(claimed >> 8) + static_cast<char>(claimed & 0xff) +
         rest;
}

std::string id_of_refusal(std::string_view bytes) {
  ProxyHeaderReader reader;
  const auto taken = reader.feed(bytes);
  return taken ? reader.complete() ? "complete" : "more" : std::string(taken.error().id);
}

TEST(ProxyHeader, ReadsIpv4AndLeavesWhatFollows) {
  ProxyHeaderReader reader;
  const std::string bytes = header('\x21', '\x11', kIpv4Addresses);
  const auto taken = reader.feed(bytes + "GET /");
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, bytes.size());
  ASSERT_TRUE(reader.complete());
  EXPECT_EQ(reader.header().source.to_string(), "10.0.0.1");
  EXPECT_EQ(reader.header().source_port, 49152);
  EXPECT_EQ(reader.header().destination.to_string(), "198.18.0.7");
  EXPECT_EQ(reader.header().destination_port, 443);
  EXPECT_EQ(*reader.feed("more"), 0u);
}

TEST(ProxyHeader, ReadsIpv6) {
  ProxyHeaderReader reader;
  ASSERT_TRUE(reader.feed(header('\x21', '\x21', kIpv6Addresses)));
  ASSERT_TRUE(reader.complete());
  EXPECT_EQ(reader.header().source.to_string(), "::1");
  EXPECT_EQ(reader.header().destination.to_string(), "2001:db8:202:202:202:202:202:202");
  EXPECT_EQ(reader.header().destination_port, 80);
}

TEST(ProxyHeader, SkipsExtensions) {
  const std::string tlvs("\x04\0\x02xx\x20\0\0", 8);
  EXPECT_EQ(id_of_refusal(header('\x21', '\x11', kIpv4Addresses + tlvs)), "complete");
  const std::string longest = kIpv4Addresses + '\4' + std::string("\x02\x09", 2) + std::string(0x209, 'x');
  ASSERT_EQ(longest.size(), kMaxProxyHeaderBytes);
  EXPECT_EQ(id_of_refusal(header('\x21', '\x11', longest)), "complete");
}

TEST(ProxyHeader, RefusesEachMutationForItsOwnReason) {
  struct Row {
    std::string bytes;
    std::string_view id;
  };
  const Row table[] = {
      {"PROXY TCP4 10.0.0.1 198.18.0.7 49152 443\r\n", "proxy-header.signature"},
      {"P", "proxy-header.signature"},
      {"GET / HTTP/1.1\r\n\r\n", "proxy-header.signature"},
      {"\r\n\r\nX", "proxy-header.signature"},
      {header('\x11', '\x11', kIpv4Addresses), "proxy-header.version"},
      {header('\x31', '\x11', kIpv4Addresses), "proxy-header.version"},
      {header('\x20', '\x11', kIpv4Addresses), "proxy-header.command"},  // LOCAL
      {header('\x22', '\x11', kIpv4Addresses), "proxy-header.command"},
      {header('\x21', '\x00', ""), "proxy-header.family"},
      {header('\x21', '\x01', kIpv4Addresses), "proxy-header.family"},
      {header('\x21', '\x10', kIpv4Addresses), "proxy-header.family"},
      {header('\x21', '\x12', kIpv4Addresses), "proxy-header.family"},
      {header('\x21', '\x22', kIpv6Addresses), "proxy-header.family"},
      {header('\x21', '\x31', std::string(216, 'x')), "proxy-header.family"},
      {header('\x21', '\x11', kIpv4Addresses, 11), "proxy-header.length"},
      {header('\x21', '\x11', ""), "proxy-header.length"},
      {header('\x21', '\x21', kIpv4Addresses), "proxy-header.length"},
      {header('\x21', '\x11', "", kMaxProxyHeaderBytes + 1), "proxy-header.length"},
      {header('\x21', '\x11', "", 0xffff), "proxy-header.length"},
      {header('\x21', '\x11', kIpv4Addresses + std::string("\x04\0", 2)), "proxy-header.length"},
      {header('\x21', '\x11', kIpv4Addresses + std::string("\x04\0\x02x", 4)), "proxy-header.length"},
      {header('\x21', '\x11', kIpv4Addresses.substr(0, 10) + std::string(2, '\0')), "proxy-header.port"},
  };
  for (const Row& row : table) {
    EXPECT_EQ(id_of_refusal(row.bytes), row.id) << testing::PrintToString(row.bytes);
    ProxyHeaderReader by_byte;
    std::string_view id;
    for (size_t at = 0; at < row.bytes.size() && id.empty(); ++at) {
      const auto taken = by_byte.feed(std::string_view(row.bytes).substr(at, 1));
      if (!taken) id = taken.error().id;
    }
    EXPECT_EQ(id, row.id) << testing::PrintToString(row.bytes);
  }
}

TEST(ProxyHeader, WaitsForTheRestOfHalfAHeader) {
  const std::string bytes = header('\x21', '\x11', kIpv4Addresses + std::string("\x20\0\x01x", 4));
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    ProxyHeaderReader reader;
    EXPECT_EQ(*reader.feed(std::string_view(bytes).substr(0, cut)), cut);
    EXPECT_FALSE(reader.complete());
    EXPECT_EQ(*reader.feed(std::string_view(bytes).substr(cut)), bytes.size() - cut);
    EXPECT_TRUE(reader.complete());
  }
}

TEST(ProxyHeader, IsReadAsItWasWritten) {
  ProxyHeader written;
  written.source = *IpAddress::parse("2001:db8::1");
  written.destination = *IpAddress::parse("2001:db8::2");
  written.source_port = 1;
  written.destination_port = 65535;
  ProxyHeaderReader reader;
  ASSERT_TRUE(reader.feed(serialize_proxy_header(written)));
  EXPECT_EQ(reader.header().source, written.source);
  EXPECT_EQ(reader.header().destination, written.destination);
  EXPECT_EQ(reader.header().source_port, 1);
  EXPECT_EQ(reader.header().destination_port, 65535);
}

}  // namespace
}  // namespace gatehouse::proxy
