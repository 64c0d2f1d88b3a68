// The command-line options every gate takes, read one way.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace CLI {
class App;
}

namespace gatehouse {

struct GateOptions {
  std::vector<std::string> policies;  // --policy FILE, repeatable: each file is a layer, all are judged
  std::string policy_snapshot;        // --policy-snapshot FILE, by the launcher: all layers, in place of --policy
  std::string control;                // --control fd:N, by the launcher: what comes after the snapshot
  std::string audit;                  // --audit FILE
  std::string session;                // --session NAME
  std::vector<std::string> listen;    // --listen tcp:ADDR:PORT|udp:ADDR:PORT|unix:PATH, besides LISTEN_FDS
  bool check_config = false;          // --check-config: read everything, say what is wrong, listen to nothing

  bool has_policy() const { return !policies.empty() || !policy_snapshot.empty(); }
};

// What a command line comes to: go on with the options, or end at once with this exit code (0 after --help and
// --version, 2 after a usage error, which has been printed).
struct ParsedOptions {
  GateOptions gate;
  std::optional<int> exit_code;
};

// Parses argv with the common options plus whatever `add_own` adds to the CLI11 app.
ParsedOptions parse_gate_options(const std::string& program, const std::string& description, int argc, char** argv,
                                 const std::function<void(CLI::App&)>& add_own = {});

// Exit codes of every Gatehouse binary.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;       // failed at run time
inline constexpr int kExitUsage = 2;        // usage or configuration
inline constexpr int kExitNo = 3;           // the answer is no: findings, denied, a test failed
inline constexpr int kExitGatehouse = 125;  // `run`: Gatehouse itself failed, not the command

// Prints "<program>: <error>" on stderr and returns `code`.
int report(const Error& error, int code);

}  // namespace gatehouse
