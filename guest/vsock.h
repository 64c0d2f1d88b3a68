// AF_VSOCK sockets, the guest's one wire to the host (vsock(7)).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/fd.h"
#include "common/net/stream.h"

namespace gatehouse::guest {

// Opens a connection to one service of the host; as connect_stream(), the callback never runs from within the call.
using Connect = std::function<std::unique_ptr<Connecting>(Connecting::OnDone)>;

// Connects to `port` of the host. The kernel gives up after two seconds.
Connect vsock_connector(Loop& loop, uint32_t port);

// A listening, non-blocking socket on `port` of every CID.
Result<Fd> listen_vsock(uint32_t port);

// True when the other end of a connected vsock socket is the host itself.
bool peer_is_host(int fd);

}  // namespace gatehouse::guest
