// The guest's side of one exchange as messages, whatever version of HTTP the guest speaks. guest_http1.* speaks
// HTTP/1.1.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "proxy/denial.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

class GuestLeg {
 public:
  virtual ~GuestLeg() = default;

  // The response, in this order; it goes out with flush() at the latest. Of the fields only those travel on that may
  // (keep_end_to_end). The head's framing tells what follows it; a body whose length is not declared has
  // any of the others. None of these calls back from within.
  virtual void send_interim(const ResponseHead& head) = 0;  // 1xx other than 101
  // After a 101, send_body() and Exchange::on_request_body() are of what is spoken then, to the end of both.
  virtual void send_head(const ResponseHead& head) = 0;
  virtual void send_body(std::string_view bytes) = 0;  // not empty
  virtual void send_end(const Fields& trailers) = 0;
  // In place of all that.
  virtual void send_denial(const Denial& denial) = 0;
  virtual void flush() = 0;
  virtual size_t queued() const = 0;  // bytes that the guest has not taken; Exchange::on_guest_drained() follows

  // Whether more of the request may come. It may come from within.
  virtual void want_request(bool wanted) = 0;
  // Exchange::on_deadline() follows after this time; replaces what was set before.
  virtual void set_deadline(std::chrono::milliseconds after) = 0;

  // The exchange's last act in the turn, by which it is destroyed: the response is out; or cannot be completed, which
  // the guest must notice.
  virtual void over() = 0;
  virtual void cut() = 0;
};

}  // namespace gatehouse::proxy
