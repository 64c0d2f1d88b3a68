// gatehouse-bridge: the wiring diagram.
#include "common/base/fd.h"
#include "common/base/log.h"
#include "launcher/bridge/options.h"
#include "launcher/bridge/server.h"

int main(int argc, char** argv) {
  using namespace gatehouse;
  hold_standard_descriptors();
  log::start("bridge");
  const auto parsed = bridge::parse_options(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  const auto& options = parsed.options;

  auto sockets = bridge::take_sockets(options);
  if (!sockets) return report(sockets.error(), kExitUsage);

  std::unique_ptr<audit::AuditLog> audit;
  if (!options.gate.audit.empty()) {
    auto opened = audit::AuditLog::open({options.gate.audit, options.gate.session, "bridge"});
    if (!opened) return report(opened.error(), kExitFailed);
    audit = std::move(*opened);
  }

  Loop loop;
  bridge::Server server(loop, audit.get(), options.ports, options.guest_cid);
  if (auto ok = bridge::give_up_the_rest(options); !ok) return report(ok.error(), kExitFailed);
  server.start(std::move(sockets->vhost), std::move(sockets->host));
  return loop.run_until_signal();
}
