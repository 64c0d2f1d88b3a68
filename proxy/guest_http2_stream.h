// One stream of a guest's HTTP/2 connection: a request, its Exchange, and the response on its way. Passive.
#pragma once

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/exchange.h"
#include "proxy/http2_message.h"

namespace gatehouse::proxy {

// What a stream needs of its connection.
class Http2StreamOwner {
 public:
  virtual ~Http2StreamOwner() = default;
  virtual nghttp2_session* session() = 0;
  // Sends what is to be sent, unless the connection does so anyhow once it has read what there is.
  virtual void pump() = 0;
  virtual void arm(std::chrono::steady_clock::time_point deadline) = 0;
  // The connection cannot go on. From within the stream's on_deadline() alone.
  virtual void on_late_head() = 0;
  virtual std::unique_ptr<Exchange> make_exchange(GuestLeg& leg) = 0;
  virtual Scheme scheme() const = 0;
};

inline constexpr size_t kMaxDiscardedBytes = 64 << 20;  // of a request that is answered before it has ended
inline constexpr std::chrono::seconds kDiscardTimeout{30};

class Http2GuestStream final : public GuestLeg {
 public:
  using Clock = std::chrono::steady_clock;

  // `owner` outlives the stream; the deadline is for the head.
  Http2GuestStream(Http2StreamOwner& owner, int32_t id, std::chrono::milliseconds head_timeout);
  ~Http2GuestStream() override;
  Http2GuestStream(const Http2GuestStream&) = delete;
  Http2GuestStream& operator=(const Http2GuestStream&) = delete;

  // From the connection's callbacks. A header block, field by field: the head, or the trailers.
  void add_field(std::string_view name, std::string_view value) { block_.add(name, value); }
  void mark_unsound() { block_.unsound = true; }
  void on_block(bool ended);
  void on_data(std::string_view bytes);
  void on_end();
  // nghttp2 has found the request malformed, and resets the stream.
  void on_malformed(std::string_view why);
  // Nothing can be said on the stream any more. With `safe` no call of the exchange is under way.
  void on_closed(uint32_t error_code, bool safe);
  // For the next frame of data; RFC 9113 section 6.1.
  ssize_t next_data(size_t length, uint32_t& flags);
  void take_data(std::string& wire, size_t length);

  void on_deadline();
  Clock::time_point deadline() const { return deadline_; }
  // The exchange may go on when the guest has taken enough.
  void tell_drained();
  void abort(std::string_view why);
  bool request_ended() const { return ended_; }

 private:
  void begin();
  void deliver();
  void consume(size_t bytes);
  void reset(uint32_t error_code);

  void send_interim(const ResponseHead& head) override;
  void send_head(const ResponseHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const Fields& trailers) override;
  void send_denial(const Denial& denial) override;
  void flush() override;
  size_t queued() const override { return closed_ ? 0 : output_.size() - sent_; }
  void want_request(bool wanted) override;
  void set_deadline(std::chrono::milliseconds after) override;
  void over() override;
  void cut() override;
  void submit_response(const Http2Fields& head, bool with_body);

  Http2StreamOwner& owner_;
  const int32_t id_;
  std::unique_ptr<Exchange> exchange_;
  Clock::time_point deadline_;

  Http2Block block_;
  bool head_request_ = false;
  bool grpc_ = false;
  bool begun_ = false;                                             // the head has come
  bool ended_ = false;                                             // the guest has sent all of the request
  bool told_ended_ = false;                                        // and the exchange knows
  enum class Tunnel { none, asked, open } tunnel_ = Tunnel::none;  // by an extended CONNECT
  bool told_opening_ = false;                                      // the exchange knows that it has no body
  bool wanted_ = false;                                            // the exchange takes more of the body
  bool delivering_ = false;
  std::string ahead_;  // of the body: came and not yet wanted; what the stream's window allows at most
  Fields trailers_;
  size_t discarded_ = 0;  // bytes of the body that came after the answer

  std::string output_;     // of the response's body
  size_t sent_ = 0;        // of output_
  Fields end_;             // the response's trailers
  bool finished_ = false;  // output_ and end_ are all that follows
  bool deferred_ = false;  // nghttp2 waits for more
  bool behind_ = false;    // the guest had not taken all of it
  bool closed_ = false;
};

}  // namespace gatehouse::proxy
