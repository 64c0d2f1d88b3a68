#include <unistd.h>

#include <cstring>

#include "common/base/log.h"
#include "common/base/options.h"
#include "guest/agent.h"
#include "guest/dns_relay.h"
#include "guest/mcp_relay.h"
#include "guest/network.h"
#include "guest/sockets.h"
#include "guest/system.h"
#include "guest/tcp_relay.h"

using namespace gatehouse;
using namespace gatehouse::guest;

namespace {

// The guest's life; it returns only when something is broken.
Result<void> run() {
  report_progress("init");
  if (auto ok = enter_root(); !ok) return ok;
  if (auto ok = configure_system(); !ok) return ok;
  if (auto ok = make_every_address_local(); !ok) return ok;
  report_progress("root ready");

  Loop loop;
  auto sockets = open_sockets();
  if (!sockets) return failed(sockets);
  const auto tcp = TcpRelay::start(loop, std::move(sockets->tcp), vsock_connector(loop, ipc::kTcpPort));
  if (!tcp) return failed(tcp);
  const auto mcp =
      TcpRelay::start(loop, std::move(sockets->mcp), vsock_connector(loop, ipc::kMcpPort), TcpRelay::Front::nothing);
  if (!mcp) return failed(mcp);
  const auto dns = DnsRelay::start(loop, std::move(sockets->dns_udp), std::move(sockets->dns_tcp),
                                   vsock_connector(loop, ipc::kDnsPort));
  if (!dns) return failed(dns);
  const auto reaper = ChildReaper::start(loop);
  if (!reaper) return failed(reaper);
  const auto agent = Agent::start(loop, **reaper, std::move(sockets->agent), {peer_is_host, apply});
  if (!agent) return failed(agent);
  report_progress("agent ready");
  loop.run();
  return fail("the event loop ended");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    return std::puts("gatehouse-guest " GATEHOUSE_VERSION), kExitOk;
  }
  if (argc == 2 && std::strcmp(argv[1], "mcp") == 0) return relay_mcp();
  if (::getpid() != 1) {
    return std::fputs("gatehouse-guest: runs as PID 1 of a guest, or as `gatehouse-guest mcp` in one\n", stderr),
           kExitUsage;
  }
  log::start("guest");
  end_machine(run().error());
}
