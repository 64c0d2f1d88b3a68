// The gateway on its sockets: lines or HTTP, as whoever connects begins to speak.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "common/net/endpoint.h"
#include "common/net/stream.h"
#include "mcp-gateway/gateway.h"
#include "mcp-gateway/http_front.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxConnections = 4096;           // at once
inline constexpr size_t kMaxClientQueuedBytes = 8 << 20;  // above it a client is not read
inline constexpr size_t kCrowdedClientBytes = 256 << 10;  // above it, what need not be said is not
inline constexpr std::chrono::seconds kLingerTime{2};     // that a client has to read the last of an answer

class Server {
 public:
  Server(Loop& loop, Gateway& gateway, HttpFront::Record record);
  ~Server();

  // Unix stream sockets, where whoever may connect may ask, in lines or HTTP; and TCP on loopback, for HTTP alone,
  // which tells who asks by mistake. Any other one is an error.
  Result<void> listen(std::vector<InheritedSocket> sockets);

 private:
  class Connection;
  void accept(std::unique_ptr<Stream> stream, bool lines_too);

  Loop& loop_;
  Gateway& gateway_;
  HttpFront front_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Timer tick_;
};

}  // namespace gatehouse::mcp
