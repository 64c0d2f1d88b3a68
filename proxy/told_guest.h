// For tests: a guest's leg that keeps what it is told.
#pragma once

#include <fmt/format.h>

#include <string>

#include "proxy/guest_leg.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

// In messages; a denial as its status and rule.
class ToldGuest final : public GuestLeg {
 public:
  void send_interim(const ResponseHead& head) override { told += serialize_interim_head(head); }
  void send_head(const ResponseHead& head) override { told += serialize_response_head(head, head.framing, false); }
  void send_body(std::string_view bytes) override { told += bytes; }
  void send_end(const Fields& trailers) override { told += serialize_last_chunk(trailers); }
  void send_denial(const Denial& denial) override { told += fmt::format("{} {}", denial.status, denial.rule); }
  void flush() override {}
  size_t queued() const override { return 0; }
  void want_request(bool) override {}
  void set_deadline(std::chrono::milliseconds) override {}
  void over() override { ended = true; }
  void cut() override { ended = true; }

  std::string told;
  bool ended = false;
};

}  // namespace gatehouse::proxy
