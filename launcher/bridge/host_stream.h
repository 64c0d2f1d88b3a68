// The host's end of a connection, as the passive core sees it.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>

namespace gatehouse::bridge {

// A connected, non-blocking byte stream. Destroying it closes it.
class HostStream {
 public:
  enum class Status {
    ok,
    would_block,
    ended,   // reading: the peer has shut down its sending side
    failed,  // reset, or (writing) the peer reads no more
  };
  struct Moved {
    Status status = Status::ok;
    size_t bytes = 0;  // more than 0 if and only if ok
  };

  virtual ~HostStream() = default;

  virtual Moved read(std::span<const iovec> into) = 0;
  virtual Moved write(std::span<const iovec> bytes) = 0;
  virtual void shutdown_sending() = 0;
  virtual void shutdown_receiving() = 0;
  // True when the peer has closed both directions.
  virtual bool hung_up() const = 0;

  // Chooses what on_ready tells of; level-triggered. false, false pauses.
  virtual void watch(bool readable, bool writable) = 0;
  // May destroy the stream.
  std::function<void(bool readable, bool writable, std::chrono::steady_clock::time_point now)> on_ready;
};

}  // namespace gatehouse::bridge
