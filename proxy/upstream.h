// A connection to an upstream, as bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::proxy {

// Who uses an upstream connection. Each call may destroy the connection that makes it.
class UpstreamListener {
 public:
  virtual ~UpstreamListener() = default;
  virtual void on_upstream_bytes(std::string_view bytes) = 0;  // valid during the call only
  virtual void on_upstream_end(bool clean) = 0;                // not clean: TLS without close_notify, perhaps cut short
  virtual void on_upstream_error(const Error& error) = 0;      // nothing follows
  virtual void on_upstream_drained() = 0;                      // queued() is 0 again
};

// A connection to a checked address; over TLS, with a verified certificate.
class Upstream {
 public:
  virtual ~Upstream() = default;
  virtual void set_listener(UpstreamListener* listener) = 0;  // null: nobody
  virtual void send(std::string_view bytes) = 0;              // never calls back from within
  virtual void end_output() = 0;  // nothing is sent after what is queued; what comes is still read
  virtual size_t queued() const = 0;
  virtual void read(bool wanted) = 0;              // initially not; a kept connection is already read
  virtual const std::string& address() const = 0;  // "93.184.216.34:443"
  virtual bool reused() const = 0;                 // has carried an exchange before
};

}  // namespace gatehouse::proxy
