// The scanner's command line.
#pragma once

#include <optional>
#include <string>

#include "common/base/confine.h"
#include "common/base/options.h"

namespace gatehouse::dlp {

inline constexpr int kMaxWorkers = 64;
inline constexpr int kMostDefaultWorkers = 4;

struct ScannerOptions {
  GateOptions gate;
  std::string rules;             // --rules DIR; empty: rules_directory()
  std::string secrets;           // --secrets FILE or fd:N; empty: none are known
  std::string cache;             // --cache DIR; "none"; empty: $XDG_CACHE_HOME/gatehouse/dlp
  int workers = 1;               // --workers N: event loops, a thread each
  std::optional<int> exit_code;  // end at once with this code
};
ScannerOptions parse_options(int argc, char** argv);

// What cannot be left out (policy and session name), and what the scanner cannot be asked to do (write an audit log).
Result<void> require(const GateOptions& options);

// Where compiled tables are kept; empty for nowhere: --cache none, or neither XDG_CACHE_HOME nor HOME is set.
std::string cache_directory(const ScannerOptions& options);

// Nothing but its sockets.
Confinement confinement(const ScannerOptions& options);

}  // namespace gatehouse::dlp
