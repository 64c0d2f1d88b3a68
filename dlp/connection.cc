#include "dlp/connection.h"

#include "common/base/log.h"

namespace gatehouse::dlp {

Connection::Connection(Loop& loop, std::unique_ptr<gatehouse::Stream> stream, const OpenScan& open_scan,
                       const JudgeFinding& judge, std::function<void()> closed)
    : loop_(loop), stream_(std::move(stream)), session_(open_scan, judge), closed_(std::move(closed)) {
  stream_->set_callbacks({.data = [this](std::string_view bytes) { work(bytes); },
                          .end = [this] { close({}); },
                          .error = [this](const Error&) { close({}); },
                          .drained = [this] { resume(); }});
  stream_->start_reading();
}

std::optional<Connection::Clock::time_point> Connection::waiting_since() const {
  if (!session_.in_stream() || waiting_) return std::nullopt;
  return last_work_;
}

void Connection::work(std::string_view bytes) {
  const auto until = Clock::now() + kTurn;
  bool spent = false;
  while (!bytes.empty() && !spent) {
    const auto taken = session_.advance(bytes);
    if (!taken) return close(taken.error().message());
    bytes.remove_prefix(*taken);
    last_work_ = Clock::now();
    spent = last_work_ > until;
  }
  stream_->write(session_.take_output());
  if (spent) return yield(bytes);
  resume();
}

// Stops reading even when nothing is left: libuv would read on and on from a socket that is never empty.
void Connection::yield(std::string_view rest) {
  rest_ = rest;
  waiting_ = true;
  stream_->stop_reading();
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) take_turn();
  });
}

void Connection::take_turn() {
  waiting_ = false;
  const std::string rest = std::exchange(rest_, {});
  work(rest);
}

void Connection::resume() {
  if (waiting_) return;
  if (stream_->queued() > kMaxQueuedBytes) {
    stream_->stop_reading();
  } else {
    stream_->start_reading();
  }
}

void Connection::close(std::string_view why) {
  if (!why.empty()) log::warn("closed a connection: {}", log::printable(why));
  if (session_.in_stream()) log::debug("a stream was given up before its end");
  closed_();
}

}  // namespace gatehouse::dlp
