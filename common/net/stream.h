// Connected byte streams (TCP and Unix), listeners, outgoing connections, name look-up.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/net/endpoint.h"
#include "common/net/loop.h"

namespace gatehouse {

// One connected stream. Destroying it closes the descriptor at once and drops what was not yet written.
class Stream {
 public:
  struct Callbacks {
    std::function<void(std::string_view bytes)> data;  // valid during the call only
    std::function<void()> end;                         // the peer has shut down its sending side
    std::function<void(Error)> error;                  // reset, or a write failed: called once, nothing follows
    std::function<void()> drained;                     // queued() has come back to 0 after having been above
  };

  // Takes over a connected stream socket and makes it non-blocking.
  static Result<std::unique_ptr<Stream>> adopt(Loop& loop, Fd socket);

  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }

  void start_reading();
  void stop_reading();
  bool reading() const { return reading_; }

  // Writes at once what the kernel takes and queues the rest; the caller caps queued() and stops reading its other
  // side above the cap. Failure arrives by the error callback, never from within write().
  void write(std::string_view bytes);
  size_t queued() const { return queued_; }

  // Sends FIN once everything queued is out. The reading side goes on.
  void shutdown();

  // Makes the close a reset (RST) where the transport knows one.
  void reset_on_close();

  int fd() const;

 private:
  Stream(Loop& loop, bool tcp);

  uv_stream_t* raw() const;
  struct WriteRequest;
  void queue_write(std::string_view bytes);
  void wrote(size_t bytes, int status);
  void fail_later(int status);
  void fail_now(std::string_view what, int status);

  Loop& loop_;
  UvHandle<uv_tcp_t> tcp_;
  UvHandle<uv_pipe_t> pipe_;
  Callbacks callbacks_;
  size_t queued_ = 0;
  bool reading_ = false;
  bool failed_ = false;
  std::shared_ptr<bool> alive_;
};

// Accepts connections on a listening TCP or Unix stream socket until destroyed. When descriptors run out, waiting
// connections stay in the kernel's queue and are retried.
class Listener {
 public:
  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;
  static Result<std::unique_ptr<Listener>> start(Loop& loop, Fd socket, OnAccept on_accept);

 private:
  Listener(Loop& loop, Fd socket, OnAccept on_accept);
  void accept_ready();

  Loop& loop_;
  Fd socket_;
  OnAccept on_accept_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> retry_;
  std::shared_ptr<bool> alive_;
};

// An outgoing connection under way; destroying it abandons the attempt and the callback is never called.
class Connecting {
 public:
  using OnDone = std::function<void(Result<std::unique_ptr<Stream>>)>;
  virtual ~Connecting() = default;
};
// `endpoint` is tcp or unix_stream. The callback never runs from within this call.
std::unique_ptr<Connecting> connect_stream(Loop& loop, const Endpoint& endpoint, Connecting::OnDone on_done);
// The same for an address of any family; `name` stands in the error.
std::unique_ptr<Connecting> connect_stream(Loop& loop, const SocketAddress& to, std::string name,
                                           Connecting::OnDone on_done);

// A getaddrinfo look-up under way, on libuv's thread pool; destroying it abandons it.
class Resolving {
 public:
  using OnDone = std::function<void(Result<std::vector<IpAddress>>)>;
  virtual ~Resolving() = default;
};
// All addresses of `host`, at least one, in the resolver's order and without duplicates.
std::unique_ptr<Resolving> resolve(Loop& loop, const std::string& host, Resolving::OnDone on_done);

}  // namespace gatehouse
