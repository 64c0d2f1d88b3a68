// The PROXY protocol, version 2, as the relay in the guest writes it before each connection (proxy-protocol.txt section
// 2.2). It is the guest's word: the destination it names is what the agent tried to reach, nothing more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/base/ip_address.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

inline constexpr size_t kProxyHeaderFixedBytes = 16;
inline constexpr size_t kMaxProxyHeaderBytes = 536;  // addresses and TLVs that follow the fixed part

struct ProxyHeader {
  IpAddress source;
  uint16_t source_port = 0;
  IpAddress destination;
  uint16_t destination_port = 0;
};

class ProxyHeaderReader {
 public:
  // Takes bytes up to the end of the header and returns how many; what follows is the connection's own. Refused (ids
  // "proxy-header.signature", ".version", ".command", ".family", ".length", ".port"): version 1, a command other than
  // PROXY, families other than TCP over IPv4 or IPv6, a length too small for the addresses or over
  // kMaxProxyHeaderBytes, TLVs that overrun the header, destination port 0. TLVs are skipped.
  tl::expected<size_t, Refusal> feed(std::string_view input);

  bool complete() const { return complete_; }
  const ProxyHeader& header() const { return header_; }

 private:
  tl::expected<void, Refusal> parse();

  std::string bytes_;
  ProxyHeader header_;
  bool complete_ = false;
};

// The header that says `header`, both addresses of one family, without TLVs: for the relay's tests and for fuzzing.
std::string serialize_proxy_header(const ProxyHeader& header);

}  // namespace gatehouse::proxy
