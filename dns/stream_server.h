// Queries over Unix and TCP streams (RFC 7766): several at once on a connection, answered in the order in which their
// rows are committed.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "common/net/stream.h"
#include "dns/framing.h"
#include "dns/recorder.h"
#include "dns/resolver.h"

namespace gatehouse::dns {

// Well below the usual limit of 1024 descriptors. At the limit the connection that has been silent longest is closed:
// the proxy's, if that is the one, comes back at its next question.
inline constexpr size_t kMaxConnections = 512;
inline constexpr size_t kMaxOutstanding = 64;         // queries of one connection whose rows are not yet committed
inline constexpr size_t kMaxUnsentBytes = 64 * 1024;  // replies a connection has not taken; then it is not read
inline constexpr std::chrono::seconds kIdleTimeout{30};
inline constexpr std::chrono::seconds kProgressTimeout{10};  // to finish a message begun, and to take a reply

class StreamServer {
 public:
  // The arguments outlive the server.
  StreamServer(Loop& loop, Resolver& resolver, Recorder& recorder);
  ~StreamServer();

  // Accepts connections on a listening socket.
  Result<void> listen(Fd socket);

  // To be called when the recorder has room again, and once a second for the timeouts.
  void resume();
  void close_overdue(Time now);

  size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  using Connections = std::list<std::shared_ptr<Connection>>;
  void accept(std::unique_ptr<Stream> stream);
  void touched(Connection& connection);
  void remove(Connection& connection);

  Loop& loop_;
  Resolver& resolver_;
  Recorder& recorder_;
  Draft draft_;
  std::string unsent_;       // replies of the turn, written at once
  Connections connections_;  // the one that has been silent longest first
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace gatehouse::dns
