// The upstream's side of one exchange as messages, whatever version of HTTP is spoken there. upstream_http1.* speaks
// HTTP/1.1.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/http_message.h"
#include "proxy/upstream.h"

namespace gatehouse::proxy {

// Why no whole response comes.
struct UpstreamLoss {
  // Whether the request may be sent once more on another connection, if it is still there to be sent.
  enum class Retry {
    never,
    if_idempotent,  // the connection was used before and ended without a byte of the response (RFC 9112 section 9.3.1)
    always,         // the upstream says that it has not looked at the request (RFC 9113 section 8.7)
  };
  std::string rule = "upstream.closed";  // or "upstream.malformed"
  std::string reason;
  Retry retry = Retry::never;
};

// Who waits for a response. Each call may destroy the leg that makes it.
class ResponseListener {
 public:
  virtual ~ResponseListener() = default;
  virtual void on_interim(ResponseHead head) = 0;            // a 1xx other than 101
  virtual void on_head(ResponseHead head) = 0;               // once; framing tells what follows
  virtual void on_body(std::string_view bytes) = 0;          // decoded, not empty; valid during the call only
  virtual void on_response_end(const Fields& trailers) = 0;  // once; nothing follows, and there was nothing amiss
  virtual void on_pause() = 0;                               // all that has come by now has been told
  virtual void on_lost(const UpstreamLoss& loss) = 0;        // once, in place of the end; nothing follows
  virtual void on_upstream_drained() = 0;                    // queued() is 0 again
};

// One request and its response on a connection to a checked address. Destroying it abandons what is unfinished.
class UpstreamLeg {
 public:
  virtual ~UpstreamLeg() = default;
  // After a 101 to a request with `websocket`, on_body() and send_body() are of what is spoken then, to the end of
  // both. Once, first: only what travels on is sent, and the framing decides what may follow. `listener` outlives the
  // leg. Reading begins. None of these calls back from within.
  virtual void send_head(const RequestHead& head, ResponseListener& listener) = 0;
  virtual void send_body(std::string_view bytes) = 0;  // not empty
  virtual void send_end(const Fields& trailers) = 0;   // once, also for a request without body
  virtual size_t queued() const = 0;                   // bytes that the upstream has not taken
  virtual void read(bool wanted) = 0;                  // whether more of the response may come
  virtual const std::string& address() const = 0;      // "93.184.216.34:443"
  // After on_response_end: the connection, if it was this leg's alone and can carry another exchange; otherwise null.
  virtual std::unique_ptr<Upstream> release() = 0;
};

}  // namespace gatehouse::proxy
