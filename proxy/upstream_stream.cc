#include "proxy/upstream_stream.h"

namespace gatehouse::proxy {

UpstreamStream::UpstreamStream(std::unique_ptr<Stream> stream, std::unique_ptr<TlsSession> tls, std::string address,
                               std::shared_ptr<const Generation> generation)
    : stream_(std::move(stream)),
      tls_(std::move(tls)),
      address_(std::move(address)),
      generation_(std::move(generation)) {
  stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                          .end = [this] { ended(); },
                          .error = [this](const Error& error) { broke(error); },
                          .drained =
                              [this] {
                                if (listener_ != nullptr) listener_->on_upstream_drained();
                              }});
}

void UpstreamStream::handshake(OnDone on_done) {
  on_handshake_ = std::move(on_done);
  std::string plain, wire;
  (void)tls_->receive("", plain, wire);  // begins the handshake; nothing can fail before an answer
  stream_->write(wire);
  stream_->start_reading();
}

void UpstreamStream::handshake_done(Result<void> outcome) {
  stream_->stop_reading();
  const auto on_done = std::exchange(on_handshake_, nullptr);
  on_done(std::move(outcome));
}

void UpstreamStream::send(std::string_view bytes) {
  if (!tls_) return stream_->write(bytes);
  std::string wire;
  // Fails only for want of memory or after a fatal alert; the read side then reports the end of the connection.
  if (tls_->send(bytes, wire)) stream_->write(wire);
}

void UpstreamStream::end_output() {
  std::string wire;
  if (tls_) tls_->close(wire);
  if (!wire.empty()) stream_->write(wire);
  stream_->shutdown();
}

void UpstreamStream::read(bool wanted) {
  if (wanted) {
    stream_->start_reading();
  } else {
    stream_->stop_reading();
  }
}

void UpstreamStream::received(std::string_view bytes) {
  if (!tls_) {
    if (listener_ != nullptr) listener_->on_upstream_bytes(bytes);
    return;
  }
  std::string plain = std::exchange(early_, {}), wire;
  const auto outcome = tls_->receive(bytes, plain, wire);
  if (!wire.empty()) stream_->write(wire);
  if (on_handshake_) {
    // Bytes behind the handshake before any request are no HTTP/1.1; the exchange would not know what they answer. In
    // HTTP/2 they are the server's settings.
    if (outcome && tls_->established() && tls_->alpn() == "h2") early_ = std::exchange(plain, {});
    if (!outcome || !plain.empty()) {
      return handshake_done(outcome ? fail("the upstream spoke before it was asked") : Result<void>(failed(outcome)));
    }
    if (tls_->established()) handshake_done({});
    return;
  }
  const std::weak_ptr alive(alive_);
  if (!plain.empty() && listener_ != nullptr) listener_->on_upstream_bytes(plain);
  if (alive.expired() || listener_ == nullptr) return;
  if (!outcome) return listener_->on_upstream_error(outcome.error());
  if (tls_->peer_closed()) {
    stream_->stop_reading();
    listener_->on_upstream_end(true);
  }
}

void UpstreamStream::ended() {
  if (on_handshake_) return handshake_done(fail("the upstream closed the connection within the TLS handshake"));
  if (listener_ != nullptr) listener_->on_upstream_end(!tls_ || tls_->peer_closed());
}

void UpstreamStream::broke(const Error& error) {
  if (on_handshake_) return handshake_done(tl::unexpected(error));
  if (listener_ != nullptr) listener_->on_upstream_error(error);
}

}  // namespace gatehouse::proxy
