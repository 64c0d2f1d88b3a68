// One `gatehouse run`: from a checked policy to the command's exit code, with nothing left behind.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/policy/policy.h"
#include "launcher/accelerator.h"
#include "launcher/secrets.h"
#include "launcher/vm.h"

namespace gatehouse::launcher {

struct SessionSettings {
  std::string name;
  std::string image;
  Accelerator accelerator = Accelerator::tcg;
  int cpus = kDefaultCpus;
  int memory_mib = kDefaultMemoryMiB;
  std::vector<std::string> policies;  // absolute paths
  std::string upstream_ca;            // absolute path, or empty
  std::vector<std::pair<std::string, std::string>> environment;
  std::optional<std::chrono::milliseconds> time_limit;
  std::vector<std::string> command;
};

// `secrets` are what policy.secrets() names. Boots, runs the command with the launcher's standard streams, tears
// everything down, prints one line about what was allowed and denied. Returns the command's exit code, 124 at the time
// limit, or kExitGatehouse after having said why.
int run_session(const SessionSettings& settings, const policy::Policy& policy, const std::vector<Secret>& secrets);

}  // namespace gatehouse::launcher
