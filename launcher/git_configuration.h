// What git is told in the guest.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/ipc/agent_protocol.h"

namespace gatehouse::launcher {

// The guest's system configuration of git: remotes of `hosts` ("https://host[:port]") that are written for ssh, which
// has no way out, lead over https. Nothing without hosts.
std::optional<ipc::BootFile> git_configuration(const std::vector<std::string>& hosts);

}  // namespace gatehouse::launcher
