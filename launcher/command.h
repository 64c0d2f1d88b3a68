// The subcommands of `gatehouse`. Each registers itself with its options; when the command line chooses it, it sets
// `run`, which main() then calls for the exit code (common/base/options.h).
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace gatehouse::launcher {

using Run = std::function<int()>;

void add_run_command(CLI::App& app, Run& run);
void add_check_command(CLI::App& app, Run& run);
void add_policy_command(CLI::App& app, Run& run);  // check, test, explain
void add_approvals_command(CLI::App& app, Run& run);
void add_audit_command(CLI::App& app, Run& run);  // list, verify
void add_scan_command(CLI::App& app, Run& run);
void add_mcp_command(CLI::App& app, Run& run);  // pins, approve
void add_dlp_command(CLI::App& app, Run& run);  // rules check, rules import

}  // namespace gatehouse::launcher
