#include <list>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/dlp/scanner_option.h"
#include "common/reload/follower.h"
#include "common/tls/ca.h"
#include "proxy/options.h"
#include "proxy/server.h"

namespace gatehouse::proxy {
namespace {

int run(int argc, char** argv) {
  if (auto ok = tls::protect_key_memory(); !ok) return report(ok.error(), kExitFailed);
  const auto options = parse_options(argc, argv);
  if (options.exit_code) return *options.exit_code;
  if (auto ok = require(options.gate); !ok) return report(ok.error(), kExitUsage);
  if (auto dns = dns_endpoint(options); !dns) return report(dns.error(), kExitUsage);
  if (auto approver = approver_endpoint(options); !approver) return report(approver.error(), kExitUsage);
  if (auto git = git_gate_endpoint(options); !git) return report(git.error(), kExitUsage);
  if (auto dlp = dlp::scanner_endpoint(options.dlp); !dlp) return report(dlp.error(), kExitUsage);
  auto source = reload::open_policy(options.gate);
  if (!source) return report(source.error(), kExitUsage);
  if (auto ok = require_scanner(options, source->policy); !ok) return report(ok.error(), kExitUsage);
  if (options.gate.check_config) return kExitOk;
  auto sockets = gather_listening_sockets(options.gate.listen);
  if (!sockets) return report(sockets.error(), kExitUsage);
  if (auto ok = add_tools_socket(options, *sockets); !ok) return report(ok.error(), kExitUsage);

  std::list<Loop> loops(static_cast<size_t>(options.workers));
  const auto audit = audit::AuditLog::open({options.gate.audit, options.gate.session, "proxy"});
  if (!audit) return report(audit.error(), kExitFailed);
  const audit::PolicyEvent loaded{"loaded", source->policy.files(), source->policy.sha256(), "gatehouse-proxy"};
  const auto server = Server::create(loops, options, source->policy, **audit);
  if (!server) return report(server.error(), kExitFailed);
  if (auto ok = (*server)->listen(std::move(*sockets)); !ok) return report(ok.error(), kExitFailed);
  const auto follower = reload::Follower::start(
      loops.front(), std::move(*source),
      {.prepare = [&](policy::Policy next) -> Result<reload::Follower::Switch> {
         if (auto ok = require_scanner(options, next); !ok) return failed(ok);
         return (*server)->prepare(std::move(next));
       },
       .record = [&](audit::PolicyEvent row,
                     auto on_recorded) { (*audit)->append(std::move(row), loops.front(), on_recorded); }});
  if (!follower) return report(follower.error(), kExitFailed);
  if (auto ok = confine(confinement(options)); !ok) return report(ok.error(), kExitFailed);
  if (auto ok = (*audit)->append_and_wait(loaded); !ok) return report(ok.error(), kExitFailed);
  return (*server)->run_until_signal();
}

}  // namespace
}  // namespace gatehouse::proxy

int main(int argc, char** argv) {
  gatehouse::hold_standard_descriptors();
  gatehouse::log::start("gatehouse-proxy");
  return gatehouse::proxy::run(argc, argv);
}
