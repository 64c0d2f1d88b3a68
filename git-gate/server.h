// The gate on its sockets: one push a connection, a few at a time.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "common/net/endpoint.h"
#include "common/net/stream.h"
#include "git-gate/push.h"

namespace gatehouse::git_gate {

inline constexpr size_t kMaxPushes = 8;  // at once; what comes above is refused, to be tried again

class Server {
 public:
  explicit Server(PushTools tools);
  ~Server();

  // Unix stream sockets only: whoever may connect may ask. Any other one is an error.
  Result<void> listen(std::vector<InheritedSocket> sockets);

 private:
  class Connection;
  void accept(std::unique_ptr<Stream> stream);

  PushTools tools_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace gatehouse::git_gate
