#include <filesystem>

#include "common/base/confine.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/options.h"
#include "common/dlp/scanner_option.h"
#include "common/policy/policy.h"
#include "common/reload/follower.h"
#include "dns/restore.h"
#include "dns/server.h"

namespace gatehouse::dns {
namespace {

Result<void> require(const GateOptions& options) {
  if (!options.has_policy()) return fail("--policy FILE is required: it says which names are answered");
  if (options.audit.empty()) return fail("--audit FILE is required: nothing is answered without its row");
  if (options.session.empty()) return fail("--session NAME is required: the audit log is kept by session");
  return {};
}

int run(int argc, char** argv) {
  std::string dlp;
  const auto [options, exit_code] =
      parse_gate_options("gatehouse-dns", "Answers the names a policy allows from a private pool; asks nobody.", argc,
                         argv, [&](CLI::App& app) { dlp::add_scanner_option(app, dlp); });
  if (exit_code) return *exit_code;
  if (auto ok = require(options); !ok) return report(ok.error(), kExitUsage);
  const auto scanner_endpoint = dlp::scanner_endpoint(dlp);
  if (!scanner_endpoint) return report(scanner_endpoint.error(), kExitUsage);
  auto source = reload::open_policy(options);
  if (!source) return report(source.error(), kExitUsage);
  if (options.check_config) return kExitOk;
  auto sockets = gather_listening_sockets(options.listen);
  if (!sockets) return report(sockets.error(), kExitUsage);

  Loop loop;
  const auto audit = audit::AuditLog::open({options.audit, options.session, "dns"});
  if (!audit) return report(audit.error(), kExitFailed);
  Pool pool;
  if (auto ok = restore_pool(options.audit, pool, std::chrono::steady_clock::now()); !ok)
    return report(ok.error(), kExitFailed);
  auto policy = source->policy;
  std::unique_ptr<dlp::ScanClient> scanner;
  if (*scanner_endpoint) {
    scanner =
        dlp::ScanClient::create(loop, **scanner_endpoint, [&policy] { return dlp::scan_deadline(policy.limits()); });
  }
  Resolver resolver([&policy](const policy::DnsQuestion& question) { return policy.judge(question); }, pool,
                    scanner != nullptr);
  Server server(loop, resolver, **audit, scanner.get());
  if (auto ok = server.listen(std::move(*sockets)); !ok) return report(ok.error(), kExitFailed);
  const auto follower = reload::Follower::start(
      loop, std::move(*source),
      {.prepare = [&](policy::Policy next) -> Result<reload::Follower::Switch> {
         return [&, next = std::move(next)] {
           policy = next;
           resolver.forget_answers();
         };
       },
       .record = [&](audit::PolicyEvent row,
                     auto on_recorded) { (*audit)->append(std::move(row), loop, on_recorded); }});
  if (!follower) return report(follower.error(), kExitFailed);
  const auto folder = std::filesystem::absolute(options.audit).parent_path().string();
  if (auto ok = confine({.outbound = scanner ? Outbound::unix_sockets : Outbound::none, .write_paths = {folder}});
      !ok) {
    return report(ok.error(), kExitFailed);
  }
  return loop.run_until_signal();
}

}  // namespace
}  // namespace gatehouse::dns

int main(int argc, char** argv) {
  gatehouse::hold_standard_descriptors();
  gatehouse::log::start("gatehouse-dns");
  return gatehouse::dns::run(argc, argv);
}
