// Carries the guest's TCP connections to the host, one vsock connection each, with the original destination in front
// where the service wants to know it.
//
// Bytes are copied both ways with half-close. Each direction holds at most about kMaxQueuedBytes: above that its source
// is not read. A connection the host does not take, or that breaks on one side, is reset on the other.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "guest/vsock.h"

namespace gatehouse::guest {

class TcpRelay {
 public:
  static constexpr size_t kMaxConnections = 8192;  // one more is reset at once
  static constexpr size_t kMaxQueuedBytes = 64 * 1024;

  enum class Front { destination, nothing };

  // `listening` accepts connections whose getsockname() is where they wanted to go.
  static Result<std::unique_ptr<TcpRelay>> start(Loop& loop, Fd listening, Connect connect,
                                                 Front front = Front::destination);
  ~TcpRelay();

  size_t connections() const { return connections_.size(); }

 private:
  class Connection;

  TcpRelay(Connect connect, Front front);
  void accept(std::unique_ptr<Stream> client);
  void forget(uint64_t id);

  Connect connect_;
  const Front front_;
  std::unique_ptr<Listener> listener_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t next_id_ = 0;
};

}  // namespace gatehouse::guest
