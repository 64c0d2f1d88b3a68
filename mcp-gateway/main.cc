#include <malloc.h>

#include <filesystem>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/dlp/scanner_option.h"
#include "common/reload/follower.h"
#include "mcp-gateway/login_server.h"
#include "mcp-gateway/options.h"
#include "mcp-gateway/server.h"
#include "mcp-gateway/servers.h"

namespace gatehouse::mcp {
namespace {

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (options.exit_code) return *options.exit_code;
  if (auto ok = require(options); !ok) return report(ok.error(), kExitUsage);
  const auto at = endpoints(options);
  if (!at) return report(at.error(), kExitUsage);
  auto source = reload::open_policy(options.gate);
  if (!source) return report(source.error(), kExitUsage);
  if (options.gate.check_config) return kExitOk;
  const auto declared = source->policy.mcp_servers();
  if (auto ok = require_proxy(options, declared); !ok) return report(ok.error(), kExitUsage);
  auto spawner = start_spawner(declared, options.secrets, std::filesystem::absolute(options.work).string());
  if (!spawner) return report(spawner.error(), kExitFailed);
  auto oauth = open_oauth(options, declared);  // nothing of it was there when the spawner was made
  if (!oauth) return report(oauth.error(), kExitUsage);
  // Before anybody can connect: without them nothing is served.
  const auto budgets = Budgets::open(options.gate.audit + "-mcp-budgets");
  if (!budgets) return report(budgets.error(), kExitFailed);
  auto pins = PinFile::open(options.pins);
  if (!pins) return report(pins.error(), kExitFailed);
  auto sockets = gather_listening_sockets(options.gate.listen);
  if (!sockets) return report(sockets.error(), kExitUsage);
  auto login_socket = take_login_socket(options, *sockets);
  if (!login_socket) return report(login_socket.error(), kExitUsage);

  Loop loop;
  const auto audit = audit::AuditLog::open({options.gate.audit, options.gate.session, "mcp-gateway"});
  if (!audit) return report(audit.error(), kExitFailed);
  const auto link = ModelLink::open(options.call_key, options.gate.audit);
  if (!link) return report(link.error(), kExitFailed);
  InForce<policy::Policy> policy(std::make_shared<const policy::Policy>(source->policy));
  const auto scanner =
      dlp::ScanClient::create(loop, at->scanner, [&policy] { return dlp::scan_deadline(policy.get()->limits()); });
  const auto approver = at->approver ? approval::Client::create(loop, *at->approver) : nullptr;
  const auto record = [&](audit::Event row, audit::AuditLog::Committed committed) {
    (*audit)->append(std::move(row), loop, std::move(committed));
  };
  Servers servers(loop, declared, std::move(*spawner), at->proxy, std::move(*oauth),
                  [&](audit::ProcessEvent row) { (*audit)->append(std::move(row)); });
  Gateway gateway({loop, policy, *scanner, approver.get(), **budgets, record, nullptr, link->get(),
                   [&](audit::Event row) { (*audit)->append(std::move(row)); }},
                  std::move(*pins), servers.callbacks());
  Server server(loop, gateway, record);
  if (auto ok = server.listen(std::move(*sockets)); !ok) return report(ok.error(), kExitFailed);
  LoginServer logins(loop, servers.links());
  if (*login_socket) {
    if (auto ok = logins.listen(std::move(**login_socket)); !ok) return report(ok.error(), kExitFailed);
  }
  const auto follower =
      reload::Follower::start(loop, std::move(*source),
                              {.prepare = [&](policy::Policy next) -> Result<reload::Follower::Switch> {
                                 return [&, next = std::make_shared<const policy::Policy>(std::move(next))] {
                                   policy.set(next);
                                   gateway.policy_changed();
                                 };
                               },
                               .record = record});
  if (!follower) return report(follower.error(), kExitFailed);
  if (auto ok = confine(confinement(options)); !ok) return report(ok.error(), kExitFailed);
  servers.start(gateway);
  const int code = loop.run_until_signal();
  servers.end();
  return code;
}

}  // namespace
}  // namespace gatehouse::mcp

int main(int argc, char** argv) {
  // JSON is many small pieces: sorting glibc's fast ones in again at each larger one costs a sixth of all calls' time.
  ::mallopt(M_MXFAST, 0);
  gatehouse::hold_standard_descriptors();
  gatehouse::log::start("gatehouse-mcp-gateway");
  return gatehouse::mcp::run(argc, argv);
}
