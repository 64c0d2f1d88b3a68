#include "guest/sockets.h"

#include "common/ipc/agent_protocol.h"
#include "guest/network.h"
#include "guest/vsock.h"

namespace gatehouse::guest {

Result<Sockets> open_sockets() {
  auto tcp = listen_tcp(0);
  if (!tcp) return failed(tcp);
  auto dns_tcp = listen_tcp(ipc::kDnsPort);
  if (!dns_tcp) return failed(dns_tcp);
  auto dns_udp = bind_udp(ipc::kDnsPort);
  if (!dns_udp) return failed(dns_udp);
  auto mcp = listen_tcp(ipc::kMcpPort);  // of loopback alone: what goes to other addresses is redirected
  if (!mcp) return failed(mcp);
  auto agent = listen_vsock(ipc::kAgentPort);
  if (!agent) return failed(agent);
  auto redirect = TcpRedirect::attach(tcp->get(), dns_tcp->get());
  if (!redirect) return failed(redirect);
  return Sockets{std::move(*tcp), std::move(*dns_tcp), std::move(*dns_udp),
                 std::move(*mcp), std::move(*agent),   std::move(*redirect)};
}

}  // namespace gatehouse::guest
