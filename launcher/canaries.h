// Decoys: credentials that open nothing, made for one session and left in the guest where a thief would look first. The
// scanner knows them; whoever sends one has been reading what is not his.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/ipc/agent_protocol.h"

namespace gatehouse::launcher {

struct Canary {
  std::string name;  // "aws-secret-key"
  std::string value;
};

struct Canaries {
  std::vector<Canary> values;
  std::vector<ipc::BootFile> files;  // that hold them
};

// Fresh ones. They have their vendors' forms, but in profiles that no tool uses by itself.
Result<Canaries> make_canaries();

}  // namespace gatehouse::launcher
