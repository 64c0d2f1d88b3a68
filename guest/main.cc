#include <unistd.h>

#include <cstring>

#include "common/base/log.h"
#include "common/base/options.h"
#include "guest/agent.h"
#include "guest/dns_relay.h"
#include "guest/network.h"
#include "guest/sk_lookup.h"
#include "guest/system.h"
#include "guest/tcp_relay.h"

using namespace gatehouse;
using namespace gatehouse::guest;

namespace {

// The guest's life; it returns only when something is broken.
Result<void> run() {
  if (auto ok = enter_root(); !ok) return ok;
  if (auto ok = configure_system(); !ok) return ok;
  if (auto ok = make_every_address_local(); !ok) return ok;
  report_progress("root ready");

  auto tcp_socket = listen_tcp(0);
  if (!tcp_socket) return failed(tcp_socket);
  auto dns_tcp_socket = listen_tcp(ipc::kDnsPort);
  if (!dns_tcp_socket) return failed(dns_tcp_socket);
  auto dns_udp_socket = bind_udp(ipc::kDnsPort);
  if (!dns_udp_socket) return failed(dns_udp_socket);
  auto agent_socket = listen_vsock(ipc::kAgentPort);
  if (!agent_socket) return failed(agent_socket);
  const auto redirect = TcpRedirect::attach(tcp_socket->get(), dns_tcp_socket->get());
  if (!redirect) return failed(redirect);

  Loop loop;
  auto tcp = TcpRelay::start(loop, std::move(*tcp_socket), vsock_connector(loop, ipc::kTcpPort));
  if (!tcp) return failed(tcp);
  auto dns = DnsRelay::start(loop, std::move(*dns_udp_socket), std::move(*dns_tcp_socket),
                             vsock_connector(loop, ipc::kDnsPort));
  if (!dns) return failed(dns);
  auto reaper = ChildReaper::start(loop);
  if (!reaper) return failed(reaper);
  auto agent = Agent::start(loop, **reaper, std::move(*agent_socket), {peer_is_host, apply});
  if (!agent) return failed(agent);
  report_progress("agent ready");
  loop.run();
  return fail("the event loop ended");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0)
    return std::puts("gatehouse-guest " GATEHOUSE_VERSION), kExitOk;
  if (::getpid() != 1) return std::fputs("gatehouse-guest: runs as PID 1 of a guest only\n", stderr), kExitUsage;
  log::start("guest");
  const auto ended = run();
  end_machine(ended.error());
}
