#include <filesystem>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/dlp/scanner_option.h"
#include "common/reload/follower.h"
#include "git-gate/options.h"
#include "git-gate/server.h"

namespace gatehouse::git_gate {
namespace {

int run(int argc, char** argv) {
  auto options = parse_options(argc, argv);
  if (options.exit_code) return *options.exit_code;
  if (auto ok = require(options); !ok) return report(ok.error(), kExitUsage);
  const auto scanner_at = dlp::scanner_endpoint(options.dlp);
  if (!scanner_at) return report(scanner_at.error(), kExitUsage);
  auto source = reload::open_policy(options.gate);
  if (!source) return report(source.error(), kExitUsage);
  if (options.gate.check_config) return kExitOk;
  auto sockets = gather_listening_sockets(options.gate.listen);
  if (!sockets) return report(sockets.error(), kExitUsage);
  options.quarantine = std::filesystem::absolute(options.quarantine).string();
  if (auto ok = Quarantine::prepare(options.quarantine); !ok) return report(ok.error(), kExitFailed);

  Loop loop;
  const auto scanner = dlp::ScanClient::create(loop, **scanner_at, dlp::scan_deadline(source->policy.limits()));
  InForce<policy::Policy> policy(std::make_shared<const policy::Policy>(source->policy));
  Server server({loop, policy, *scanner, options.quarantine});
  if (auto ok = server.listen(std::move(*sockets)); !ok) return report(ok.error(), kExitFailed);
  const auto follower = reload::Follower::start(
      loop, std::move(*source),
      {.prepare = [&](policy::Policy next) -> Result<reload::Follower::Switch> {
         return [&, next = std::make_shared<const policy::Policy>(std::move(next))] { policy.set(next); };
       },
       .record = nullptr});
  if (!follower) return report(follower.error(), kExitFailed);
  if (auto ok = confine(confinement(options)); !ok) return report(ok.error(), kExitFailed);
  return loop.run_until_signal();
}

}  // namespace
}  // namespace gatehouse::git_gate

int main(int argc, char** argv) {
  gatehouse::hold_standard_descriptors();
  gatehouse::log::start("gatehouse-git-gate");
  return gatehouse::git_gate::run(argc, argv);
}
