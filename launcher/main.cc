// gatehouse: the command line. Each subcommand is in a file of its own.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/options.h"
#include "launcher/command.h"

int main(int argc, char** argv) {
  using namespace gatehouse;
  hold_standard_descriptors();
  log::start("gatehouse", log::Level::warn);
  CLI::App app("Runs an untrusted agent in a micro-VM whose only way out is a policy.", "gatehouse");
  app.set_version_flag("--version", "gatehouse " GATEHOUSE_VERSION);
  app.require_subcommand(0, 1);  // none is refused below, where an unknown one has been named
  launcher::Run run;
  launcher::add_run_command(app, run);
  launcher::add_check_command(app, run);
  launcher::add_policy_command(app, run);
  launcher::add_approvals_command(app, run);
  launcher::add_audit_command(app, run);
  launcher::add_scan_command(app, run);
  launcher::add_dlp_command(app, run);
  launcher::add_mcp_command(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (!run) {
    fmt::print(stderr, "{}", app.help());
    return kExitUsage;
  }
  return run();
}
