// `gatehouse-guest mcp`: what an agent's configuration names as the command of its MCP server. It carries standard
// input and output to the host's MCP gateway and back, and understands none of it.
#pragma once

#include "common/base/fd.h"

namespace gatehouse::guest {

// Carries `input` to `host`, and `host` to `output` until the gateway has nothing more to say. The descriptors may be
// anything that blocks: pipes, sockets, files, terminals. When `input` ends the gateway is told, and may still answer.
Result<void> carry(Fd host, int input, int output);

// The same for the standard streams and the host's MCP port. Returns an exit code, having said on standard error what
// is wrong if it is not 0.
int relay_mcp();

}  // namespace gatehouse::guest
