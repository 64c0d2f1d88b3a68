// Holding a server of tools to what the policy lets it reach on the host.
#pragma once

#include <string>

#include "common/policy/mcp.h"

namespace gatehouse::mcp {

// For the process that is about to become a server, and all that it starts: files by Landlock, sockets by seccomp.
// `program` may be run, `folder` is its own. Needs no_new_privs. 0 or an errno, with which it must not go on: ENOSYS
// where the kernel has no Landlock.
int enter_sandbox(const policy::McpSandbox& sandbox, const std::string& program, const std::string& folder);

}  // namespace gatehouse::mcp
