// Every socket on which the guest is reached, from inside and from the host.
#pragma once

#include "common/base/fd.h"
#include "guest/sk_lookup.h"

namespace gatehouse::guest {

struct Sockets {
  Fd tcp;      // connections to anywhere
  Fd dns_tcp;  // port 53 of every address
  Fd dns_udp;
  Fd mcp;    // port kMcpPort of loopback
  Fd agent;  // the host's commands, vsock
  TcpRedirect redirect;
};

// All of them, with the redirect in force; the network must be up.
Result<Sockets> open_sockets();

}  // namespace gatehouse::guest
