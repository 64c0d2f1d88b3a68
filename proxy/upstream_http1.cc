#include "proxy/upstream_http1.h"

#include <fmt/format.h>

namespace gatehouse::proxy {

Http1Upstream::Http1Upstream(std::unique_ptr<Upstream> connection) : connection_(std::move(connection)) {}

Http1Upstream::~Http1Upstream() {
  if (connection_) connection_->set_listener(nullptr);
}

void Http1Upstream::send_head(const RequestHead& head, ResponseListener& listener) {
  listener_ = &listener;
  reader_ = ResponseReader(head.method, head.websocket.has_value());
  chunked_ = head.framing.kind == Framing::Kind::chunked;
  connection_->set_listener(this);
  connection_->send(serialize_request_head(head, false));
  connection_->read(true);
}

void Http1Upstream::send_body(std::string_view bytes) {
  if (!chunked_) return connection_->send(bytes);
  std::string chunk;
  append_chunk(chunk, bytes);
  connection_->send(chunk);
}

void Http1Upstream::send_end(const Fields& trailers) {
  all_sent_ = true;
  if (chunked_) connection_->send(serialize_last_chunk(trailers));
}

std::unique_ptr<Upstream> Http1Upstream::release() {
  if (!reusable_) return nullptr;
  connection_->set_listener(nullptr);
  return std::move(connection_);
}

void Http1Upstream::on_upstream_bytes(std::string_view bytes) {
  const std::weak_ptr alive(alive_);
  for (;;) {
    const auto event = reader_.feed(bytes);
    if (!event) {
      return listener_->on_lost(
          {"upstream.malformed",
           fmt::format("the upstream's response is not proper HTTP ({}): {}", event.error().id, event.error().reason),
           UpstreamLoss::Retry::never});
    }
    bytes.remove_prefix(event->consumed);
    if (event->kind == ReadEvent::Kind::need_more) return listener_->on_pause();
    if (!tell(*event, !bytes.empty()) || alive.expired()) return;
  }
}

// False when nothing follows.
bool Http1Upstream::tell(const ReadEvent& event, bool more_follows) {
  switch (event.kind) {
    case ReadEvent::Kind::need_more:
      break;
    case ReadEvent::Kind::interim:
      listener_->on_interim(reader_.head());
      break;
    case ReadEvent::Kind::head:
      keep_alive_ = reader_.head().keep_alive;
      listener_->on_head(reader_.take_head());
      break;
    case ReadEvent::Kind::body:
      listener_->on_body(event.body);
      break;
    case ReadEvent::Kind::complete:
      reusable_ = !more_follows && all_sent_ && keep_alive_;
      listener_->on_response_end(reader_.trailers());
      return false;
  }
  return true;
}

void Http1Upstream::on_upstream_end(bool clean) {
  const bool untouched = reader_.idle();
  if (!untouched && reader_.finish() && clean) return listener_->on_response_end(reader_.trailers());
  lose("the upstream closed the connection before its response was complete");
}

void Http1Upstream::on_upstream_error(const Error& error) { lose(error.message()); }

// A kept connection may be closed by its other end at any time.
void Http1Upstream::lose(const std::string& reason) {
  const bool stale = connection_->reused() && reader_.idle();
  listener_->on_lost(
      {"upstream.closed", reason, stale ? UpstreamLoss::Retry::if_idempotent : UpstreamLoss::Retry::never});
}

}  // namespace gatehouse::proxy
