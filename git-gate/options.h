// The git gate's command line.
#pragma once

#include <optional>
#include <string>

#include "common/base/confine.h"
#include "common/base/options.h"

namespace gatehouse::git_gate {

struct GitGateOptions {
  GateOptions gate;
  std::string dlp;               // --dlp unix:PATH; required
  std::string quarantine;        // --quarantine DIR: where packs are looked into
  std::optional<int> exit_code;  // end at once with this code
};
GitGateOptions parse_options(int argc, char** argv);

// What cannot be left out (policy, session, scanner, quarantine), and what the gate cannot be asked to do (write an
// audit log: the proxy writes its rows).
Result<void> require(const GitGateOptions& options);

// Its sockets, the scanner's, files below its quarantine, and git.
Confinement confinement(const GitGateOptions& options);

}  // namespace gatehouse::git_gate
