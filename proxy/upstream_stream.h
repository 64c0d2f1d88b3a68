// An Upstream on a socket: plain or TLS.
#pragma once

#include <memory>
#include <string>

#include "common/net/stream.h"
#include "proxy/outside.h"
#include "proxy/tls_session.h"

namespace gatehouse::proxy {

class UpstreamStream final : public Upstream {
 public:
  // Over TLS when `tls` is given; then handshake() comes first.
  UpstreamStream(std::unique_ptr<Stream> stream, std::unique_ptr<TlsSession> tls, std::string address,
                 std::shared_ptr<const Generation> generation = nullptr);

  // Shakes hands; `on_done` is called once, never from within, and may destroy this object.
  using OnDone = std::function<void(Result<void>)>;
  void handshake(OnDone on_done);

  void set_listener(UpstreamListener* listener) override { listener_ = listener; }
  void send(std::string_view bytes) override;
  void end_output() override;
  size_t queued() const override { return stream_->queued(); }
  void read(bool wanted) override;
  const std::string& address() const override { return address_; }
  bool reused() const override { return reused_; }

  // After a handshake that failed: it was for the peer's certificate.
  bool certificate_refused() const { return tls_ != nullptr && tls_->certificate_refused(); }

  std::string_view alpn() const { return tls_ ? tls_->alpn() : std::string_view(); }
  void mark_reused() { reused_ = true; }
  // Under which it was dialled.
  const std::shared_ptr<const Generation>& generation() const { return generation_; }

 private:
  void received(std::string_view bytes);
  void ended();
  void broke(const Error& error);
  void handshake_done(Result<void> outcome);

  std::unique_ptr<Stream> stream_;
  std::unique_ptr<TlsSession> tls_;
  std::string address_;
  const std::shared_ptr<const Generation> generation_;
  OnDone on_handshake_;
  std::string early_;  // came with the end of the handshake; told with what comes next
  UpstreamListener* listener_ = nullptr;
  bool reused_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
