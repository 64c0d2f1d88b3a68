#include "guest/network.h"

#include <netinet/in.h>

#include <linux/in6.h>  // after <netinet/in.h>, which it completes
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace gatehouse::guest {

namespace {

constexpr int kLoopbackIndex = 1;  // lo is the first interface of every network namespace

// One rtnetlink request and its acknowledgement (RFC 3549).
template <class Header>
struct Request {
  nlmsghdr message{};
  Header header{};
  std::array<char, 64> attributes{};

  Request(uint16_t type, uint16_t flags) {
    message.nlmsg_type = type;
    message.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    message.nlmsg_len = NLMSG_LENGTH(sizeof(Header));
  }

  void add(uint16_t type, uint32_t value) {
    auto* attribute = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(this) + NLMSG_ALIGN(message.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(sizeof value);
    std::memcpy(RTA_DATA(attribute), &value, sizeof value);
    message.nlmsg_len = static_cast<uint32_t>(NLMSG_ALIGN(message.nlmsg_len) + attribute->rta_len);
  }
};

template <class Header>
Result<void> send(int netlink, const Request<Header>& request, const char* what) {
  if (::send(netlink, &request, request.message.nlmsg_len, 0) < 0) return fail_errno("{}", what);
  alignas(nlmsghdr) std::array<char, 4096> answer;
  const ssize_t got = ::recv(netlink, answer.data(), answer.size(), 0);
  if (got < 0) return fail_errno("{}", what);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (!NLMSG_OK(header, static_cast<size_t>(got)) || header->nlmsg_type != NLMSG_ERROR) {
    return fail("{}: the kernel's answer is not an acknowledgement", what);
  }
  const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
  if (error != 0) return fail_errno_message(error, what);
  return {};
}

Result<void> add_local_route(int netlink, unsigned char family, const char* what) {
  Request<rtmsg> route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  route.header.rtm_family = family;
  route.header.rtm_table = RT_TABLE_LOCAL;
  route.header.rtm_protocol = RTPROT_BOOT;
  route.header.rtm_scope = RT_SCOPE_HOST;
  route.header.rtm_type = RTN_LOCAL;
  route.add(RTA_OIF, kLoopbackIndex);
  return send(netlink, route, what);
}

Result<Fd> bind_both_families(int type, uint16_t port) {
  Fd socket(::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("port {}: socket", port);
  const int off = 0;
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = __builtin_bswap16(port);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno("port {}: bind", port);
  }
  return socket;
}

}  // namespace

Result<void> make_every_address_local() {
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink) return fail_errno("rtnetlink");
  Request<ifinfomsg> up(RTM_NEWLINK, 0);
  up.header.ifi_index = kLoopbackIndex;
  up.header.ifi_flags = IFF_UP;
  up.header.ifi_change = IFF_UP;
  if (auto ok = send(netlink.get(), up, "bring lo up"); !ok) return ok;
  if (auto ok = add_local_route(netlink.get(), AF_INET, "make 0.0.0.0/0 local"); !ok) return ok;
  return add_local_route(netlink.get(), AF_INET6, "make ::/0 local");
}

Result<Fd> listen_tcp(uint16_t port) {
  auto socket = bind_both_families(SOCK_STREAM, port);
  if (!socket) return failed(socket, "TCP");
  if (::listen(socket->get(), SOMAXCONN) != 0) return fail_errno("TCP port {}: listen", port);
  return socket;
}

Result<Fd> bind_udp(uint16_t port) {
  auto socket = bind_both_families(SOCK_DGRAM, port);
  if (!socket) return failed(socket, "UDP");
  const int on = 1;
  // Answering from an address that is local by route only counts as foreign to IPv6: hence freebind.
  for (const int option : {IPV6_RECVPKTINFO, IPV6_FREEBIND}) {
    if (::setsockopt(socket->get(), IPPROTO_IPV6, option, &on, sizeof on) != 0) {
      return fail_errno("UDP port {}: setsockopt", port);
    }
  }
  return socket;
}

}  // namespace gatehouse::guest
