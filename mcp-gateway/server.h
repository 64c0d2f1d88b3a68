// The gateway on its sockets: one client a connection.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "common/net/endpoint.h"
#include "common/net/stream.h"
#include "mcp-gateway/gateway.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxClients = 1024;               // at once
inline constexpr size_t kMaxClientQueuedBytes = 8 << 20;  // above it a client is not read
inline constexpr size_t kCrowdedClientBytes = 256 << 10;  // above it, what need not be said is not

class Server {
 public:
  Server(Loop& loop, Gateway& gateway);
  ~Server();

  // Unix stream sockets only: whoever may connect may ask. Any other one is an error.
  Result<void> listen(std::vector<InheritedSocket> sockets);

 private:
  class Connection;
  void accept(std::unique_ptr<Stream> stream);

  Loop& loop_;
  Gateway& gateway_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace gatehouse::mcp
