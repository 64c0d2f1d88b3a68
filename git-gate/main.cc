#include <filesystem>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/dlp/scanner_option.h"
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
  const auto policy = policy::Policy::load(options.gate.policies);
  if (!policy) return report(policy.error(), kExitUsage);
  if (options.gate.check_config) return kExitOk;
  auto sockets = gather_listening_sockets(options.gate.listen);
  if (!sockets) return report(sockets.error(), kExitUsage);
  options.quarantine = std::filesystem::absolute(options.quarantine).string();
  if (auto ok = Quarantine::prepare(options.quarantine); !ok) return report(ok.error(), kExitFailed);

  Loop loop;
  const auto scanner = dlp::ScanClient::create(loop, **scanner_at, dlp::scan_deadline(policy->limits()));
  Server server({loop, *policy, *scanner, options.quarantine});
  if (auto ok = server.listen(std::move(*sockets)); !ok) return report(ok.error(), kExitFailed);
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
