#include "mcp-gateway/http_connection.h"

#include "proxy/denial.h"

namespace gatehouse::mcp {

namespace {

constexpr int kNoContent = 204;

// No field in it comes from anybody else: ours, and the id that we made.
std::string head_of(int status, std::string_view session, bool close, std::string_view more) {
  return fmt::format("HTTP/1.1 {} {}\r\nCache-Control: no-store\r\n{}{}{}{}{}{}\r\n", status,
                     proxy::status_phrase(status), session.empty() ? "" : "Mcp-Session-Id: ", session,
                     session.empty() ? "" : "\r\n", status == 405 ? "Allow: POST, GET, DELETE\r\n" : "",
                     close ? "Connection: close\r\n" : "", more);
}

}  // namespace

HttpConnection::~HttpConnection() {
  if (gone) gone();
}

void HttpConnection::take(std::string_view bytes, Time now) {
  if (state_ == State::over) return;
  ahead_ += bytes;
  read(now);
}

void HttpConnection::go_on(Time now) { read(now); }

void HttpConnection::read(Time now) {
  if (within_) return;
  within_ = true;
  std::string input = std::exchange(ahead_, {});
  std::string_view left = input;
  // The end of a message without a body takes no bytes.
  while (state_ == State::reading && (!left.empty() || !reader_.idle())) {
    if (reader_.idle()) since_ = now;
    const auto event = reader_.feed(left);
    if (!event) {
      refuse(event.error().status, event.error().reason);
      break;
    }
    left.remove_prefix(event->consumed);
    if (!take_event(*event, now)) break;
  }
  if (state_ != State::over) ahead_.assign(left);
  within_ = false;
  if (ended_ && state_ == State::reading) close();
}

// Whether there is more to be had.
bool HttpConnection::take_event(const proxy::ReadEvent& event, Time now) {
  switch (event.kind) {
    case proxy::ReadEvent::Kind::head:
      if (reader_.head().minor_version == 0) return refuse(505, "HTTP/1.1 is spoken here"), false;
      if (reader_.head().framing.length > kMessageLimits.bytes) return refuse(413, "the message is too large"), false;
      if (reader_.head().expects_continue) callbacks_.write(proxy::kContinue);
      return true;
    case proxy::ReadEvent::Kind::body:
      if (body_.size() + event.body.size() > kMessageLimits.bytes)
        return refuse(413, "the message is too large"), false;
      body_ += event.body;
      return true;
    case proxy::ReadEvent::Kind::complete:
      state_ = State::answering;
      front_.request(reader_.head(), body_, *this, now);
      body_.clear();
      if (state_ == State::reading) {
        since_ = now;
        reader_.next_message();
      }
      return true;
    default:
      return false;
  }
}

void HttpConnection::answer(int status, std::string_view session, std::string_view body) {
  const bool close_after = !reader_.head().keep_alive;
  const std::string framing =
      status == kNoContent ? ""
      : body.empty()       ? "Content-Length: 0\r\n"
                           : fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  callbacks_.write(head_of(status, session, close_after, framing).append(body));
  answered();
}

void HttpConnection::begin_events() {
  state_ = State::events;
  callbacks_.write(head_of(200, "", !reader_.head().keep_alive,
                           "Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
                           "Transfer-Encoding: chunked\r\n"));
}

void HttpConnection::write_events(std::string_view events) {
  std::string chunk;
  proxy::append_chunk(chunk, events);
  callbacks_.write(chunk);
}

void HttpConnection::end_events() {
  callbacks_.write(proxy::serialize_last_chunk({}));
  answered();
}

// The next request is read by whoever is reading, or else once we are called from outside.
void HttpConnection::answered() {
  if (state_ == State::over) return;
  if (!reader_.head().keep_alive) return close();
  state_ = State::reading;
  if (within_) return;
  reader_.next_message();
  callbacks_.wake();
}

// What is no request of HTTP, or none that will be read to its end.
void HttpConnection::refuse(int status, std::string_view words) {
  front_.unsound();
  std::string body = error_line(nullptr, {kInvalidRequest, std::string(words)});
  callbacks_.write(
      head_of(status, "", true, fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size()))
          .append(body));
  close();
}

void HttpConnection::close() {
  state_ = State::over;
  if (const auto told = std::exchange(gone, nullptr)) told();
  callbacks_.close();
}

void HttpConnection::ended() {
  ended_ = true;
  // A stream of events has no end of its own: who has left reads it no more.
  if (state_ == State::events || state_ == State::reading) close();
}

void HttpConnection::tick(Time now) {
  if (state_ != State::reading) return;
  if (reader_.idle() ? now - since_ < kIdleConnectionTime : now - since_ < kRequestTime) return;
  if (reader_.idle()) return close();
  refuse(408, "the request did not come in time");
}

}  // namespace gatehouse::mcp
