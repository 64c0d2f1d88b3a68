#include "common/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "common/base/log.h"

namespace gatehouse {

namespace {

constexpr std::array<uint8_t, 12> kV4MappedPrefix{0, 0, 0, 0, 0,    0,
                                                  0, 0, 0, 0, 0xff, 0xff};  // RFC 4291 section 2.5.5.2

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A decimal number of 0 to `limit` without sign or leading zeros.
std::optional<int> parse_prefix_length(std::string_view text, int limit) {
  if (text.empty() || text.size() > 3 || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  if (value > limit) return std::nullopt;
  return value;
}

bool bit_of(std::string_view octets, int index) {
  return (static_cast<uint8_t>(octets[static_cast<size_t>(index / 8)]) >> (7 - index % 8) & 1) != 0;
}

struct SpecialBlock {
  std::string_view network;
  std::string_view kind;
};

// The IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and its updates) plus the fixed addresses of
// cloud metadata services. The first block that contains an address names it, so narrower blocks stand before wider
// ones.
constexpr SpecialBlock kSpecialBlocks[] = {
    {"169.254.169.254/32", "cloud metadata"},  // AWS, Google, Azure, OpenStack...
    {"169.254.170.2/32", "cloud metadata"},    // AWS ECS task credentials
    {"169.254.170.23/32", "cloud metadata"},   // AWS EKS pod identity
    {"100.100.100.200/32", "cloud metadata"},  // Alibaba Cloud
    {"192.0.0.192/32", "cloud metadata"},      // Oracle Cloud
    {"168.63.129.16/32", "cloud metadata"},    // Azure platform channel, in public address space
    {"fd00:ec2::254/128", "cloud metadata"},   // AWS over IPv6
    {"fd20:ce::254/128", "cloud metadata"},    // Google over IPv6
    {"0.0.0.0/32", "unspecified"},
    {"0.0.0.0/8", "reserved"},  // "this network", RFC 791
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "carrier-grade NAT"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "reserved"},  // IETF protocol assignments
    {"192.0.2.0/24", "documentation"},
    {"192.88.99.0/24", "6to4"},  // relay anycast, RFC 7526
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "gatehouse pool"},  // benchmarking, RFC 2544: our DNS answers from it
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"255.255.255.255/32", "broadcast"},
    {"240.0.0.0/4", "reserved"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"64:ff9b::/96", "NAT64"},    // RFC 6052
    {"64:ff9b:1::/48", "NAT64"},  // RFC 8215
    {"2001::/32", "Teredo"},
    {"2001:db8::/32", "documentation"},
    {"2001::/23", "reserved"},  // IETF protocol assignments, ORCHID, benchmarking
    {"2002::/16", "6to4"},
    {"3fff::/20", "documentation"},  // RFC 9637
    {"fc00::/7", "unique-local"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "site-local"},  // RFC 3879
    {"ff00::/8", "multicast"},
};

struct NamedNetwork {
  IpNetwork network;
  std::string_view kind;
};

const std::vector<NamedNetwork>& special_networks() {
  static const std::vector<NamedNetwork> networks = [] {
    std::vector<NamedNetwork> list;
    for (const auto& block : kSpecialBlocks) list.push_back({IpNetwork::parse(block.network).value(), block.kind});
    return list;
  }();
  return networks;
}

}  // namespace

IpAddress IpAddress::v4(std::array<uint8_t, 4> octets) {
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  return address;
}

IpAddress IpAddress::v6(std::array<uint8_t, 16> octets) {
  if (std::equal(kV4MappedPrefix.begin(), kV4MappedPrefix.end(), octets.begin())) {
    return v4({octets[12], octets[13], octets[14], octets[15]});
  }
  IpAddress address;
  address.is_v4_ = false;
  address.octets_ = octets;
  return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton is strict in glibc (no octal, hex, short form, zone), but stops at a NUL byte.
  const std::string terminated(text);
  if (text.find('\0') == std::string_view::npos) {
    std::array<uint8_t, 4> four;
    if (::inet_pton(AF_INET, terminated.c_str(), four.data()) == 1) return v4(four);
    std::array<uint8_t, 16> sixteen;
    if (::inet_pton(AF_INET6, terminated.c_str(), sixteen.data()) == 1) return v6(sixteen);
  }
  return fail("'{}' is not an IP address (expected 192.0.2.1 or 2001:db8::1)", log::printable(text, 64));
}

std::string_view IpAddress::octets() const {
  return {reinterpret_cast<const char*>(octets_.data()), is_v4_ ? size_t{4} : size_t{16}};
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text;
  ::inet_ntop(is_v4_ ? AF_INET : AF_INET6, octets_.data(), text.data(), text.size());
  return text.data();
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail("'{}' has no prefix length (expected 10.0.0.0/8 or fd00::/8)", log::printable(text, 64));
  }
  const auto base = IpAddress::parse(text.substr(0, slash));
  if (!base) return failed(base);

  const int bits = base->is_v4() ? 32 : 128;
  const auto prefix = parse_prefix_length(text.substr(slash + 1), bits);
  if (!prefix) return fail("'{}' needs a prefix length of 0 to {}", log::printable(text, 64), bits);
  for (int bit = *prefix; bit < bits; ++bit) {
    if (bit_of(base->octets(), bit)) {
      return fail("'{}' has host bits set beyond /{}", log::printable(text, 64), *prefix);
    }
  }
  IpNetwork network;
  network.base_ = *base;
  network.prefix_ = *prefix;
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  if (address.is_v4() != base_.is_v4()) return false;
  const std::string_view ours = base_.octets();
  const std::string_view theirs = address.octets();
  const auto whole = static_cast<size_t>(prefix_ / 8);
  if (ours.substr(0, whole) != theirs.substr(0, whole)) return false;
  if (prefix_ % 8 == 0) return true;
  const int shift = 8 - prefix_ % 8;
  return static_cast<uint8_t>(ours[whole]) >> shift == static_cast<uint8_t>(theirs[whole]) >> shift;
}

std::string IpNetwork::to_string() const { return fmt::format("{}/{}", base_.to_string(), prefix_); }

std::string_view special_purpose(const IpAddress& address) {
  for (const auto& [network, kind] : special_networks()) {
    if (network.contains(address)) return kind;
  }
  // Of IPv6 only 2000::/3 is given out as global unicast; the rest, the IPv4-compatible ::/96 included, is not.
  if (!address.is_v4() && static_cast<uint8_t>(address.octets().front()) >> 5 != 1) return "reserved";
  return {};
}

bool is_pool_address(const IpAddress& address) {
  return address.is_v4() && address.octets()[0] == static_cast<char>(198) && (address.octets()[1] & ~1) == 18;
}

bool looks_like_ip(std::string_view host) {
  if (host.find_first_of("[]:") != std::string_view::npos) return true;
  if (host.ends_with('.')) host.remove_suffix(1);
  // The URL Standard's "ends in a number" test: a host is an IPv4 address, well formed or not, if its last label is.
  std::string_view last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  if (std::all_of(last.begin(), last.end(), is_digit)) return true;
  if (!last.starts_with("0x") && !last.starts_with("0X")) return false;
  last.remove_prefix(2);
  return std::all_of(last.begin(), last.end(), is_hex_digit);
}

}  // namespace gatehouse
