#include <list>

#include "common/base/fd.h"
#include "common/base/in_force.h"
#include "common/base/log.h"
#include "common/reload/follower.h"
#include "common/tls/ca.h"
#include "dlp/options.h"
#include "dlp/scanner.h"
#include "dlp/server.h"

namespace gatehouse::dlp {
namespace {

int run(int argc, char** argv) {
  if (auto ok = tls::protect_key_memory(); !ok) return report(ok.error(), kExitFailed);
  const auto options = parse_options(argc, argv);
  if (options.exit_code) return *options.exit_code;
  if (auto ok = require(options.gate); !ok) return report(ok.error(), kExitUsage);
  auto source = reload::open_policy(options.gate);
  if (!source) return report(source.error(), kExitUsage);
  const auto scanner = Scanner::load({options.rules, options.secrets, cache_directory(options)}, source->policy);
  if (!scanner) return report(scanner.error(), kExitUsage);
  if (options.gate.check_config) return kExitOk;
  auto sockets = gather_listening_sockets(options.gate.listen);
  if (!sockets) return report(sockets.error(), kExitUsage);

  std::list<Loop> loops(static_cast<size_t>(options.workers));
  auto scans = (*scanner)->open_scans(loops.size());
  if (!scans) return report(scans.error(), kExitFailed);
  InForce<policy::Policy> policy(std::make_shared<const policy::Policy>(source->policy));
  Server server(loops, std::move(*scans), [&](const auto& question) { return policy.get()->judge(question); });
  if (auto ok = server.listen(std::move(*sockets)); !ok) return report(ok.error(), kExitFailed);
  const auto follower =
      reload::Follower::start(loops.front(), std::move(*source),
                              {.prepare = [&](policy::Policy next) -> Result<reload::Follower::Switch> {
                                 if (auto ok = (*scanner)->check(next); !ok) return failed(ok);
                                 return [&, next = std::make_shared<const policy::Policy>(std::move(next))] {
                                   (*scanner)->set_limits(next->limits());
                                   policy.set(next);
                                 };
                               },
                               .record = nullptr});
  if (!follower) return report(follower.error(), kExitFailed);
  if (auto ok = confine(confinement(options)); !ok) return report(ok.error(), kExitFailed);
  log::info("{}", (*scanner)->describe());
  return server.run_until_signal();
}

}  // namespace
}  // namespace gatehouse::dlp

int main(int argc, char** argv) {
  gatehouse::hold_standard_descriptors();
  gatehouse::log::start("gatehouse-dlp");
  return gatehouse::dlp::run(argc, argv);
}
