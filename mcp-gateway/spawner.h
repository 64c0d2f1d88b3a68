// A process of its own that starts servers of tools. It is made before the gateway confines itself, and is asked by
// number: whoever takes over the gateway by what a guest or a server wrote can start what the policy declares and
// nothing else, and never sees the secrets that servers are given.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/policy/mcp.h"

namespace gatehouse::mcp {

// On a sequenced-packet socket, each a datagram.
struct SpawnRequest {
  enum class What : uint32_t { start = 1, stop = 2 };
  What what = What::start;
  uint32_t server = 0;  // its place in the list
};
struct SpawnReply {
  enum class What : uint32_t {
    started = 1,  // `value` is its process; comes with its standard input, output and error
    failed = 2,   // `value` is the errno
    ended = 3,    // `value` is its wait status
  };
  What what = What::started;
  uint32_t server = 0;
  int32_t value = 0;
};
inline constexpr size_t kServerStreams = 3;

// Forks it; call it while there is one thread, nothing secret in memory and no socket to be kept from it. Its end of
// the socket is what is returned: when that is closed, every server is ended (SIGTERM to its process group, SIGKILL two
// seconds later) and so is the spawner. `secrets` is where the values are read from (secret_source.h), by it alone;
// empty: there are none. Each server has a folder of its own below `work`.
Result<Fd> start_spawner(const std::vector<policy::McpServer>& servers, const std::string& secrets,
                         const std::string& work);

}  // namespace gatehouse::mcp
