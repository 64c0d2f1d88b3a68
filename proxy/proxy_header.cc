#include "proxy/proxy_header.h"

#include <algorithm>
#include <array>

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kVersion1 = "PROXY ";
constexpr unsigned kVersion2 = 2;
constexpr unsigned kCommandProxy = 1;
constexpr unsigned kTcpOverIpv4 = 0x11;
constexpr unsigned kTcpOverIpv6 = 0x21;
constexpr size_t kTlvFixedBytes = 3;  // type, two bytes of length

tl::unexpected<Refusal> refused(std::string_view id, std::string reason) {
  return tl::unexpected(Refusal{id, 400, std::move(reason)});
}

unsigned byte_at(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }
uint16_t u16_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

size_t address_bytes(unsigned family) { return family == kTcpOverIpv4 ? 4 : 16; }
size_t addresses_bytes(unsigned family) { return 2 * address_bytes(family) + 4; }

template <size_t kSize>
std::array<uint8_t, kSize> octets_at(std::string_view bytes, size_t at) {
  std::array<uint8_t, kSize> octets;
  std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(at), kSize, octets.begin());
  return octets;
}

IpAddress address_at(std::string_view bytes, size_t at, unsigned family) {
  if (family == kTcpOverIpv4) return IpAddress::v4(octets_at<4>(bytes, at));
  return IpAddress::v6(octets_at<16>(bytes, at));
}

// What can be said from the fixed part as far as it has come: each byte is judged as soon as it is there.
tl::expected<void, Refusal> check_fixed(std::string_view bytes) {
  const size_t signature = std::min(bytes.size(), kSignature.size());
  if (bytes.substr(0, signature) != kSignature.substr(0, signature)) {
    return refused("proxy-header.signature", bytes.starts_with(kVersion1[0])
                                                 ? "the connection begins with no PROXY v2 header (perhaps with v1)"
                                                 : "the connection begins with no PROXY v2 header");
  }
  if (bytes.size() > 12 && byte_at(bytes, 12) >> 4 != kVersion2) {
    return refused("proxy-header.version", "the PROXY header is not version 2");
  }
  if (bytes.size() > 12 && (byte_at(bytes, 12) & 0xf) != kCommandProxy) {
    return refused("proxy-header.command", "the PROXY header names no connection (its command is not PROXY)");
  }
  if (bytes.size() > 13 && byte_at(bytes, 13) != kTcpOverIpv4 && byte_at(bytes, 13) != kTcpOverIpv6) {
    return refused("proxy-header.family", "the PROXY header is not for TCP over IPv4 or IPv6");
  }
  if (bytes.size() < kProxyHeaderFixedBytes) return {};
  const size_t length = u16_at(bytes, 14);
  if (length > kMaxProxyHeaderBytes) return refused("proxy-header.length", "the PROXY header is too long");
  if (length < addresses_bytes(byte_at(bytes, 13))) {
    return refused("proxy-header.length", "the PROXY header is too short for its addresses");
  }
  return {};
}

tl::expected<void, Refusal> check_tlvs(std::string_view tlvs) {
  while (!tlvs.empty()) {
    if (tlvs.size() < kTlvFixedBytes || tlvs.size() - kTlvFixedBytes < u16_at(tlvs, 1)) {
      return refused("proxy-header.length", "an extension of the PROXY header overruns it");
    }
    tlvs.remove_prefix(kTlvFixedBytes + u16_at(tlvs, 1));
  }
  return {};
}

void append_u16(std::string& out, unsigned value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value & 0xff));
}

}  // namespace

tl::expected<size_t, Refusal> ProxyHeaderReader::feed(std::string_view input) {
  size_t taken = 0;
  while (!complete_ && taken < input.size()) {
    const bool fixed = bytes_.size() < kProxyHeaderFixedBytes;
    const size_t target = kProxyHeaderFixedBytes + (fixed ? 0 : u16_at(bytes_, 14));
    const std::string_view piece = input.substr(taken, target - bytes_.size());
    bytes_.append(piece);
    taken += piece.size();
    if (fixed) {
      if (auto ok = check_fixed(bytes_); !ok) return tl::unexpected(ok.error());
    } else if (bytes_.size() == target) {
      if (auto ok = parse(); !ok) return tl::unexpected(ok.error());
    }
  }
  return taken;
}

tl::expected<void, Refusal> ProxyHeaderReader::parse() {
  const unsigned family = byte_at(bytes_, 13);
  const size_t size = address_bytes(family);
  const size_t ports = kProxyHeaderFixedBytes + 2 * size;
  if (auto ok = check_tlvs(std::string_view(bytes_).substr(ports + 4)); !ok) return ok;
  header_.source = address_at(bytes_, kProxyHeaderFixedBytes, family);
  header_.destination = address_at(bytes_, kProxyHeaderFixedBytes + size, family);
  header_.source_port = u16_at(bytes_, ports);
  header_.destination_port = u16_at(bytes_, ports + 2);
  if (header_.destination_port == 0) return refused("proxy-header.port", "the PROXY header's destination port is 0");
  complete_ = true;
  return {};
}

std::string serialize_proxy_header(const ProxyHeader& header) {
  const unsigned family = header.destination.is_v4() ? kTcpOverIpv4 : kTcpOverIpv6;
  std::string out(kSignature);
  out.push_back(static_cast<char>(kVersion2 << 4 | kCommandProxy));
  out.push_back(static_cast<char>(family));
  append_u16(out, static_cast<unsigned>(addresses_bytes(family)));
  out.append(header.source.octets()).append(header.destination.octets());
  append_u16(out, header.source_port);
  append_u16(out, header.destination_port);
  return out;
}

}  // namespace gatehouse::proxy
