// IP addresses: strict reading, and which of them an untrusted request may never be sent to.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

struct sockaddr_storage;

namespace gatehouse {

// An IPv4 or IPv6 address. IPv4-mapped IPv6 (::ffff:a.b.c.d) is folded to IPv4 when made, so that no check is passed
// in disguise.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::array<uint8_t, 4> octets);
  static IpAddress v6(std::array<uint8_t, 16> octets);

  // Dotted quad (four decimal numbers, no leading zeros) or RFC 4291 text without zone; anything else, such as octal,
  // hex, a short form or surrounding brackets, is an error.
  static Result<IpAddress> parse(std::string_view text);

  bool is_v4() const { return is_v4_; }
  // 4 or 16 octets in network order.
  std::string_view octets() const;
  std::string to_string() const;  // canonical text (RFC 5952 for IPv6)

  auto operator<=>(const IpAddress&) const = default;

 private:
  bool is_v4_ = true;
  std::array<uint8_t, 16> octets_{};
};

// a.b.c.d/n or x::/n. Host bits set beyond the prefix are an error, as is a missing prefix length.
class IpNetwork {
 public:
  static Result<IpNetwork> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  std::string to_string() const;

 private:
  IpAddress base_;
  int prefix_ = 0;
};

// Empty for a globally routable unicast address; otherwise what it is, for the reason of a denial: "private",
// "loopback", "link-local", "cloud metadata", "carrier-grade NAT", "multicast", "unspecified", "reserved",
// "unique-local", "documentation", "NAT64", "6to4", "Teredo", "gatehouse pool"... After the IANA special-purpose
// registries (RFC 6890). NAT64 (64:ff9b::/96, 64:ff9b:1::/48), 6to4 and Teredo forms are refused as a whole, since
// they carry an IPv4 address in disguise.
std::string_view special_purpose(const IpAddress& address);

// True for 198.18.0.0/15, the private pool from which gatehouse-dns answers.
bool is_pool_address(const IpAddress& address);

// True for a host as written in a URL that is, or that a lenient parser could take for, an IP address: dotted quad,
// octal (0177.0.0.1), hex (0x7f.1), short (127.1), decimal (2130706433), bracketed IPv6.
bool looks_like_ip(std::string_view host);

}  // namespace gatehouse
