// The header that tells the proxy where a connection wanted to go: PROXY protocol version 2 (HAProxy's
// proxy-protocol.txt, section 2.2).
#pragma once

#include <cstdint>
#include <string>

#include "common/base/ip_address.h"

struct sockaddr_storage;

namespace gatehouse::guest {

struct TcpAddress {
  IpAddress address;
  uint16_t port = 0;
};

// From an AF_INET or AF_INET6 socket address; IPv4 in mapped form becomes IPv4. Anything else is an error.
Result<TcpAddress> tcp_address(const sockaddr_storage& storage);

// A PROXY command for TCP over the family of both addresses. Mixed families (there is no such TCP connection) are
// written as IPv6, the IPv4 one in mapped form.
std::string proxy_header(const TcpAddress& source, const TcpAddress& destination);

}  // namespace gatehouse::guest
