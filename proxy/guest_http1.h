// HTTP/1.1 towards the guest: requests, one Exchange after another (RFC 9112). Passive.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/exchange.h"
#include "proxy/guest_protocol.h"
#include "proxy/request_reader.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxAheadBytes = 64 * 1024;  // read and not looked at while an exchange cannot take more

class Http1Guest final : public GuestProtocol, private GuestLeg {
 public:
  // All outlive this. A CONNECT is understood when `may_tunnel`.
  Http1Guest(Outside& outside, GuestConnection& connection, const Origin& origin, bool may_tunnel);
  ~Http1Guest() override;

  void start() override { await_request(); }
  void on_bytes(std::string& bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_deadline() override;
  void abort(std::string_view why) override;
  bool wants_bytes() const override;
  bool judged_one() const override { return judged_one_; }

 private:
  enum class State { request, exchanging, over };

  void process();
  bool read_request();
  bool feed_exchange();
  bool feed_raw();
  void await_request();
  void begin_exchange();
  void refuse_request(const Refusal& refusal);
  void end_output();
  bool answers_are_taken() const { return connection_.queued() <= kMaxQueuedBytes; }
  std::string_view input() const { return std::string_view(input_).substr(consumed_); }

  void send_interim(const ResponseHead& head) override;
  void send_head(const ResponseHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const Fields& trailers) override;
  void send_denial(const Denial& denial) override;
  void flush() override;
  size_t queued() const override { return output_.size() + connection_.queued(); }
  void want_request(bool wanted) override;
  void set_deadline(std::chrono::milliseconds after) override { connection_.set_deadline(after); }
  void over() override;
  void cut() override;

  Outside& outside_;
  GuestConnection& connection_;
  const Origin& origin_;
  const bool may_tunnel_;
  State state_ = State::request;
  RequestReader reader_;
  std::unique_ptr<Exchange> exchange_;
  std::string input_;    // what was sent and not yet looked at
  size_t consumed_ = 0;  // of input_
  std::string output_;   // goes with the next flush()
  Framing framing_;      // of the response
  bool judged_one_ = false;
  bool head_begun_ = false;
  bool request_wanted_ = false;  // the exchange takes more of the body
  bool request_done_ = false;
  bool raw_ = false;          // the protocol was changed: there are no requests any more
  bool refused_ = false;      // what came is no request, and what follows it cannot be told
  bool close_after_ = false;  // this response
  bool guest_ended_ = false;
  bool end_told_ = false;  // to the exchange, once raw
  bool processing_ = false;
};

}  // namespace gatehouse::proxy
