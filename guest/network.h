// The guest's network: loopback alone, on which every address of both families is local.
#pragma once

#include <cstdint>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace gatehouse::guest {

// Brings lo up and makes 0.0.0.0/0 and ::/0 local to it (rtnetlink, `ip route add local 0.0.0.0/0 dev lo`): a packet
// for any address comes back to this machine, where only the relay listens.
Result<void> make_every_address_local();

// A listening TCP socket for both families on `port` of every address; port 0 lets the kernel choose.
Result<Fd> listen_tcp(uint16_t port);

// A UDP socket for both families on `port` of every address, which tells the address each datagram was sent to
// (IPV6_PKTINFO, IPv4 in mapped form) and can answer from it.
Result<Fd> bind_udp(uint16_t port);

}  // namespace gatehouse::guest
