// HTTP/1.1 towards an upstream: one exchange on a connection that carries nothing else meanwhile (RFC 9112). Passive.
#pragma once

#include <memory>
#include <string>

#include "proxy/response_reader.h"
#include "proxy/upstream_leg.h"

namespace gatehouse::proxy {

class Http1Upstream final : public UpstreamLeg, private UpstreamListener {
 public:
  // Nobody listens to `connection`, which is new or has been released.
  explicit Http1Upstream(std::unique_ptr<Upstream> connection);
  ~Http1Upstream() override;

  void send_head(const RequestHead& head, ResponseListener& listener) override;
  void send_body(std::string_view bytes) override;
  void send_end(const Fields& trailers) override;
  size_t queued() const override { return connection_->queued(); }
  void read(bool wanted) override { connection_->read(wanted); }
  const std::string& address() const override { return connection_->address(); }
  std::unique_ptr<Upstream> release() override;

 private:
  void on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_end(bool clean) override;
  void on_upstream_error(const Error& error) override;
  void on_upstream_drained() override { listener_->on_upstream_drained(); }
  bool tell(const ReadEvent& event, bool more_follows);
  void lose(const std::string& reason);

  std::unique_ptr<Upstream> connection_;
  ResponseListener* listener_ = nullptr;
  ResponseReader reader_{""};
  bool chunked_ = false;  // the request's body
  bool all_sent_ = false;
  bool keep_alive_ = false;  // says the response's head
  bool reusable_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
