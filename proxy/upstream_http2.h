// HTTP/2 towards an upstream (RFC 9113): one connection, many exchanges at once, each by a leg of its own. Passive.
//
//   flow control   what has come of a response is told at once; the stream's window opens again only while its leg is
//                  read, so that at most a window comes above what is wanted.
//   retries        what the upstream says it has not looked at (REFUSED_STREAM, GOAWAY) may be sent again elsewhere.
#pragma once

#include <nghttp2/nghttp2.h>

#include <map>
#include <memory>
#include <string>

#include "proxy/http2_message.h"
#include "proxy/http2_session.h"
#include "proxy/upstream_leg.h"

namespace gatehouse::proxy {

inline constexpr int32_t kUpstreamStreamWindowBytes = 256 * 1024;
inline constexpr int32_t kUpstreamConnectionWindowBytes = 4 << 20;
inline constexpr size_t kMaxUpstreamStreams = 100;  // at once, of one connection, if it allows as many

class Http2Upstream final : public std::enable_shared_from_this<Http2Upstream>, private UpstreamListener {
 public:
  // Nobody listens to `connection`, which is new. Says the preface.
  static std::shared_ptr<Http2Upstream> create(std::unique_ptr<Upstream> connection);
  ~Http2Upstream() override;
  Http2Upstream(const Http2Upstream&) = delete;
  Http2Upstream& operator=(const Http2Upstream&) = delete;

  // For one more exchange; null when the connection takes no more. The leg keeps the connection alive.
  std::unique_ptr<UpstreamLeg> open_leg();
  bool usable() const;
  // Nothing is under way.
  bool idle() const { return legs_ == 0; }

 private:
  class Leg;
  struct Callbacks;  // nghttp2's

  explicit Http2Upstream(std::unique_ptr<Upstream> connection);
  void on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_end(bool clean) override;
  void on_upstream_error(const Error& error) override;
  void on_upstream_drained() override;

  Leg* find(int32_t id) const;
  void pump();
  // For all streams, in turn; each call may end any of them.
  template <class Call>
  void each(Call call);
  void lose_all(const std::string& rule, const std::string& reason);

  std::unique_ptr<Upstream> connection_;
  Http2Session session_;
  std::map<int32_t, Leg*> streams_;
  std::string wire_;
  size_t legs_ = 0;
  bool used_ = false;  // by an exchange
  bool receiving_ = false;
  bool sending_ = false;
  bool going_away_ = false;  // says the upstream
  bool lost_ = false;
};

}  // namespace gatehouse::proxy
