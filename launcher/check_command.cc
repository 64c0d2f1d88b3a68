// `gatehouse check`: whether a session can run on this host, and what to do about it if not.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/base/options.h"
#include "launcher/command.h"
#include "launcher/preflight.h"

namespace gatehouse::launcher {

void add_check_command(CLI::App& app, Run& chosen) {
  CLI::App* command =
      app.add_subcommand("check", "tell whether this host can run sessions, with a remedy for each failure");
  command->callback([&chosen] {
    chosen = [] {
      const auto findings = inspect_host();
      fmt::print("{}", describe(findings));
      return can_run(findings) ? kExitOk : kExitFailed;
    };
  });
}

}  // namespace gatehouse::launcher
