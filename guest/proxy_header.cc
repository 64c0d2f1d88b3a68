#include "guest/proxy_header.h"

#include <netinet/in.h>

#include <array>
#include <cstring>
#include <string_view>

namespace gatehouse::guest {

namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr char kVersion2Proxy = 0x21;
constexpr char kTcpOverIpv4 = 0x11;
constexpr char kTcpOverIpv6 = 0x21;
constexpr std::string_view kMappedPrefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

void append_number(std::string& out, size_t value) {  // 16 bits in network order
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

void append_address(std::string& out, const IpAddress& address, bool as_v4) {
  if (address.is_v4() && !as_v4) out += kMappedPrefix;
  out += address.octets();
}

}  // namespace

Result<TcpAddress> tcp_address(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    std::array<uint8_t, 4> octets;
    std::memcpy(octets.data(), &in.sin_addr, octets.size());
    return TcpAddress{IpAddress::v4(octets), ntohs(in.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
    std::array<uint8_t, 16> octets;
    std::memcpy(octets.data(), &in.sin6_addr, octets.size());
    return TcpAddress{IpAddress::v6(octets), ntohs(in.sin6_port)};
  }
  return fail("address family {} is not IP", storage.ss_family);
}

std::string proxy_header(const TcpAddress& source, const TcpAddress& destination) {
  const bool v4 = source.address.is_v4() && destination.address.is_v4();
  std::string header(kSignature);
  header += kVersion2Proxy;
  header += v4 ? kTcpOverIpv4 : kTcpOverIpv6;
  append_number(header, 2 * ((v4 ? 4 : 16) + sizeof(uint16_t)));
  append_address(header, source.address, v4);
  append_address(header, destination.address, v4);
  append_number(header, source.port);
  append_number(header, destination.port);
  return header;
}

}  // namespace gatehouse::guest
