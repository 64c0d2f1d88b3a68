#include "proxy/connection.h"

namespace gatehouse::proxy {

Connection::Connection(const Gate& gate, GuestSession::Entry entry, std::unique_ptr<Stream> stream,
                       std::function<void()> on_closed)
    : gate_(gate),
      stream_(std::move(stream)),
      on_closed_(std::move(on_closed)),
      deadline_(gate.loop, [this] { session_.on_deadline(); }),
      session_(entry, *this, *this, gate.tls) {
  stream_->set_callbacks({.data = [this](std::string_view bytes) { session_.on_bytes(bytes); },
                          .end = [this] { session_.on_end(); },
                          .error = [this](const Error& error) { session_.on_error(error); },
                          .drained = [this] { session_.on_drained(); }});
  session_.start();
}

Connection::~Connection() = default;

void Connection::read(bool wanted) {
  if (closed_) return;
  if (wanted) {
    stream_->start_reading();
  } else {
    stream_->stop_reading();
  }
}

// The session may be in the middle of something, so that the end of its life waits for the end of the turn.
void Connection::close(bool reset) {
  if (closed_) return;
  closed_ = true;
  deadline_.stop();
  stream_->stop_reading();
  if (reset) stream_->reset_on_close();
  gate_.loop.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    const auto on_closed = std::move(on_closed_);
    on_closed();
  });
}

void Connection::find_name(const IpAddress& address, OnName on_name) {
  gate_.names->find(address,
                    [this, address, on_name = std::move(on_name), alive = std::weak_ptr(alive_)](const auto& name) {
                      if (alive.expired() || closed_) return;
                      if (name && *name) lease_ = gate_.names->hold(address);
                      on_name(name);
                    });
}

void Connection::commit(audit::Event event, OnCommitted on_committed) {
  gate_.audit.append(
      std::move(event), gate_.loop,
      [this, on_committed = std::move(on_committed), alive = std::weak_ptr(alive_)](Result<void> committed) {
        if (!alive.expired() && !closed_) on_committed(std::move(committed));
      });
}

}  // namespace gatehouse::proxy
