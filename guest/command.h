// Starts a command of the host's in the guest.
#pragma once

#include <sys/types.h>

#include <string>
#include <variant>
#include <vector>

#include "common/base/fd.h"
#include "common/ipc/agent_protocol.h"

namespace gatehouse::guest {

// A running command: leader of its own session and process group. The descriptors are the agent's ends, non-blocking.
// On a terminal, `input` and `output` are two descriptors of its master, and `errors` is none.
struct Command {
  pid_t pid = -1;
  Fd input;
  Fd output;
  Fd errors;
  bool terminal = false;
};

// Starts `exec`. Its environment is default_environment() with exec.env over it and nothing else; its directory
// exec.directory or /root. A failure carries the exit code a shell would give: 127 for a command that is not found, 126
// for one that is there and cannot be run.
std::variant<Command, ipc::Exit> start_command(const ipc::Exec& exec);

// "NAME=value" of what every command in the guest finds.
std::vector<std::string> default_environment(bool terminal);

// The file a shell would run for `name`: itself if it has a slash, otherwise the first executable in `path`
// (a PATH value). 127 and 126 as above.
std::variant<std::string, ipc::Exit> find_command(const std::string& name, const std::string& path);

void resize_terminal(int master, const ipc::TerminalSize& size);

// A shell's exit code for what waitpid() told: the command's own, or 128 plus the number of the signal.
int exit_code(int wait_status);

}  // namespace gatehouse::guest
