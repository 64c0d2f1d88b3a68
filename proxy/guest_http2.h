// HTTP/2 towards the guest (RFC 9113): a connection of many streams, each with an Exchange of its own. nghttp2 reads
// the frames and keeps the streams' states; what it lets through and costs too much ends the connection here. Passive.
//
//   flow control   a stream's window opens again only by what its exchange has taken: a scanner or upstream that is
//                  behind makes the guest wait. The response is not read past kMaxQueuedBytes a stream.
//   limits         streams at once; header lists (http2_message.h); frames that cost more here than there (resets,
//                  settings, pings, empty ones) by a bucket that refills with time; CONTINUATION frames by nghttp2.
//   errors         of a request: 4xx with its row; of a stream: a row and RST_STREAM; of the connection: a row and
//                  GOAWAY.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/guest_http2_stream.h"
#include "proxy/guest_protocol.h"
#include "proxy/http2_session.h"

namespace gatehouse::proxy {

inline constexpr uint32_t kMaxStreams = 100;  // at once, of one connection
inline constexpr int32_t kStreamWindowBytes = 256 * 1024;
inline constexpr int32_t kConnectionWindowBytes = 1 << 20;
// Of frames that make work and carry nothing: so many at once, and so many more each second.
inline constexpr double kMaxIdleFrames = 400;
inline constexpr double kIdleFramesPerSecond = 40;
inline constexpr size_t kMaxPassedOver = 64;  // ranges of stream ids that the guest has left out, remembered

class Http2Guest final : public GuestProtocol, private Http2StreamOwner {
 public:
  // All outlive this.
  Http2Guest(Outside& outside, GuestConnection& connection, const Origin& origin);
  ~Http2Guest() override;

  void start() override;
  void on_bytes(std::string& bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_deadline() override;
  void abort(std::string_view why) override;
  bool wants_bytes() const override { return connection_.queued() <= kMaxQueuedBytes; }
  bool judged_one() const override { return judged_one_; }

 private:
  using Clock = Http2GuestStream::Clock;
  struct Fault {
    std::string_view rule;
    std::string reason;
    uint32_t code = NGHTTP2_ENHANCE_YOUR_CALM;  // for GOAWAY, if nghttp2 has not said it yet
  };
  struct Callbacks;  // nghttp2's

  nghttp2_session* session() override { return session_.get(); }
  void pump() override;
  void arm(Clock::time_point deadline) override;
  void on_late_head() override;
  std::unique_ptr<Exchange> make_exchange(GuestLeg& leg) override;
  Scheme scheme() const override { return origin_.tls ? Scheme::https : Scheme::http; }

  // Between the turns of all exchanges.
  void turn();
  void send_pending();
  void settle();
  void give_up(const Fault& fault);
  void end();
  bool afford_frame();
  bool goes_back(int32_t id);
  std::chrono::milliseconds head_time() const;
  Clock::time_point idle_until() const;
  bool accept_frame(const nghttp2_frame_hd& frame);
  Http2GuestStream* find(int32_t id);

  Outside& outside_;
  GuestConnection& connection_;
  const Origin& origin_;
  Http2Session session_;
  std::map<int32_t, std::unique_ptr<Http2GuestStream>> streams_;
  std::vector<std::unique_ptr<Http2GuestStream>> closed_;  // may be on the stack
  std::string wire_;                                       // to be sent
  Fault fault_;                                            // why the connection cannot go on
  int32_t last_id_ = -1;                                   // of the streams that the guest has opened
  std::vector<std::pair<int32_t, int32_t>> passed_over_;   // ids below it that it has not
  Clock::time_point armed_ = Clock::time_point::max();
  Clock::time_point idle_since_;
  double afforded_ = kMaxIdleFrames;
  Clock::time_point refilled_;
  bool receiving_ = false;
  bool sending_ = false;
  bool safe_ = false;   // no call of an exchange is under way
  bool ready_ = false;  // the preface has come
  bool judged_one_ = false;
  bool guest_ended_ = false;
  bool over_ = false;
};

}  // namespace gatehouse::proxy
