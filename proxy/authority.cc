#include "proxy/authority.h"

#include <algorithm>
#include <charconv>

#include "common/base/ip_address.h"

namespace gatehouse::proxy {

namespace {

constexpr size_t kMaxLabelBytes = 63;  // RFC 1035 section 2.3.4

tl::unexpected<Refusal> refused(std::string_view id, std::string reason) {
  return tl::unexpected(Refusal{id, 400, std::move(reason)});
}

bool is_host_char(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

tl::expected<std::string, Refusal> parse_name(std::string_view text) {
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  if (name.ends_with('.')) name.pop_back();
  if (name.empty()) return refused("http.host-malformed", "the host is empty");
  if (name.size() > kMaxHostBytes) return refused("http.host-malformed", "the host is longer than 253 bytes");
  size_t label = 0;
  for (const char c : name + '.') {
    if (c == '.') {
      if (label == 0) return refused("http.host-malformed", "the host has an empty label");
      if (label > kMaxLabelBytes) return refused("http.host-malformed", "a label of the host is longer than 63 bytes");
      label = 0;
    } else if (!is_host_char(c)) {
      return refused("http.host-malformed", "the host has a character that no DNS name has");
    } else {
      ++label;
    }
  }
  return name;
}

tl::expected<std::string, Refusal> parse_bracketed(std::string_view inside) {
  const auto address = IpAddress::parse(inside);
  if (!address || inside.find(':') == std::string_view::npos) {
    return refused("http.host-malformed", "the brackets of the host hold no IPv6 address");
  }
  // An IPv4-mapped one is shown as what it is.
  return address->is_v4() ? address->to_string() : "[" + address->to_string() + "]";
}

tl::expected<uint16_t, Refusal> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || text.front() == '0') {
    return refused("http.port-malformed", "the port is not a number from 1 to 65535");
  }
  return port;
}

}  // namespace

tl::expected<Authority, Refusal> parse_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {
    return refused("http.userinfo", "a user name or password stands before the host");
  }
  Authority authority;
  size_t host_end = 0;
  tl::expected<std::string, Refusal> host;
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return refused("http.host-malformed", "the host has no closing bracket");
    host = parse_bracketed(text.substr(1, bracket - 1));
    host_end = bracket + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
    host = parse_name(text.substr(0, host_end));
  }
  if (!host) return tl::unexpected(host.error());
  authority.host = std::move(*host);

  const std::string_view rest = text.substr(host_end);
  if (rest.empty()) return authority;
  if (rest.front() != ':') return refused("http.host-malformed", "the host is followed by other bytes");
  const auto port = parse_port(rest.substr(1));
  if (!port) return tl::unexpected(port.error());
  authority.port = *port;
  return authority;
}

}  // namespace gatehouse::proxy
