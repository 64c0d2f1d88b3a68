// A version of HTTP on a connection of the guest, and what it needs of the connection. guest_http1.* is one.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/http_message.h"

namespace gatehouse::proxy {

inline constexpr std::chrono::seconds kKeepAliveTimeout{120};

class GuestProtocol {
 public:
  virtual ~GuestProtocol() = default;
  virtual void start() = 0;                       // once, first
  virtual void on_bytes(std::string& bytes) = 0;  // decrypted; takes all of them out
  virtual void on_end() = 0;                      // the guest says no more
  virtual void on_drained() = 0;
  virtual void on_deadline() = 0;
  // The connection is gone: nothing follows.
  virtual void abort(std::string_view why) = 0;
  // Whether the guest is to be read on.
  virtual bool wants_bytes() const = 0;
  // A request, good or bad, has its row, or will have one.
  virtual bool judged_one() const = 0;
};

class GuestConnection {
 public:
  virtual ~GuestConnection() = default;
  virtual void send(std::string_view bytes) = 0;
  virtual size_t queued() const = 0;
  virtual void read(bool wanted) = 0;
  virtual void set_deadline(std::chrono::milliseconds after) = 0;  // GuestProtocol::on_deadline()

  // The last calls. The protocol that makes one is not called any more, and destroyed after the current turn.

  // The guest asks an explicit proxy for a tunnel; `rest` is what it has sent behind that.
  virtual void start_tunnel(const RequestHead& connect, std::string rest) = 0;
  // It came to no request: the connection leaves a row, and is closed once that is committed.
  virtual void refuse_connection(std::string_view rule, std::string_view reason) = 0;
  // What is queued goes out, what the guest still says is discarded, within limits.
  virtual void end_output() = 0;
  virtual void close(bool reset) = 0;
};

}  // namespace gatehouse::proxy
