// One request of the git gate's to git-upload-pack of the repository that is pushed to, on behalf of a push under way:
// an exchange like the guest's own, whose guest is the gate. So it is judged, scanned, counted, logged (on the push's
// trace), given credentials and forwarded as if the guest had asked, and to nowhere else.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/git/gate_client.h"
#include "proxy/guest_leg.h"
#include "proxy/judgement.h"
#include "proxy/outside.h"

namespace gatehouse::proxy {

class Exchange;

class GitRead final : private GuestLeg {
 public:
  // All outlives this.
  struct For {
    Outside& outside;
    const Origin& origin;
    const RequestHead& push;
    const Fields& fields;  // of the push, that this request has too
    const std::string& trace_id;
    git::Judging& judging;                                        // is told what comes
    std::function<void(std::chrono::milliseconds)> set_deadline;  // on_deadline() follows
    std::function<void()> over;                                   // no more deadlines
  };
  // `body`: of the POST; empty for the GET of what the repository offers.
  static std::unique_ptr<GitRead> start(For with, std::string body);
  ~GitRead() override;

  void on_drained();   // of `judging`
  bool on_deadline();  // false: it is over

 private:
  explicit GitRead(For with);
  void ask(std::string body);
  void end(std::string_view why_not);

  void send_interim(const ResponseHead&) override {}
  void send_head(const ResponseHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const Fields& trailers) override;
  void send_denial(const Denial& denial) override;
  void flush() override {}
  size_t queued() const override { return with_.judging.queued(); }
  void want_request(bool wanted) override { wanted_ = wanted; }
  void set_deadline(std::chrono::milliseconds after) override;
  void over() override {}
  void cut() override;

  For with_;
  std::string why_not_;  // the answer is of no use
  bool wanted_ = false;
  bool ended_ = false;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace gatehouse::proxy
