// One HTTP/1.1 connection to the gateway: requests out of its bytes, one after the other, and their answers into bytes.
// Passive.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "mcp-gateway/http_front.h"
#include "proxy/request_reader.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxAheadBytes = 64 << 10;  // sent ahead of the answer under way; above it is not read
inline constexpr size_t kCrowdedReplyBytes = 256
                                             << 10;  // not read by the client; above it, what need not be said is not
inline constexpr std::chrono::seconds kRequestTime{60};          // from a request's first byte to its last
inline constexpr std::chrono::seconds kIdleConnectionTime{300};  // between requests

class HttpConnection final : private HttpReply {
 public:
  using Time = HttpFront::Time;
  struct Callbacks {
    std::function<void(std::string_view bytes)> write;
    std::function<size_t()> queued;  // of what was written, what is not out yet
    std::function<void()> close;     // it is over once what was written is out; take() is of no use any more
    std::function<void()> wake;      // go_on() is due; it is to be called from outside
  };
  HttpConnection(HttpFront& front, Callbacks callbacks, Time now)
      : front_(front), callbacks_(std::move(callbacks)), since_(now) {}
  ~HttpConnection() override;

  void take(std::string_view bytes, Time now);
  void go_on(Time now);
  // The connection is closed: what is left of the requests is dropped.
  void give_up() { state_ = State::over; }
  // The client sends no more; it may still wait for an answer.
  void ended();
  // About once a second.
  void tick(Time now);

  size_t held() const { return body_.size() + ahead_.size(); }  // bytes of requests that are not whole, or wait
  bool wants_bytes() const { return ahead_.size() < kMaxAheadBytes; }

 private:
  enum class State { reading, answering, events, over };
  void read(Time now);
  bool take_event(const proxy::ReadEvent& event, Time now);
  void answered();
  void refuse(int status, std::string_view words);
  void close();

  void answer(int status, std::string_view session, std::string_view body) override;
  void begin_events() override;
  void write_events(std::string_view events) override;
  void end_events() override;
  bool crowded() const override { return callbacks_.queued() > kCrowdedReplyBytes; }

  HttpFront& front_;
  Callbacks callbacks_;
  proxy::RequestReader reader_{proxy::Scheme::http};
  State state_ = State::reading;
  bool within_ = false;  // read() is running
  bool ended_ = false;
  std::string body_;
  std::string ahead_;  // came while an answer was under way
  Time since_;         // that the request began, or the last one was answered
};

}  // namespace gatehouse::mcp
