#include "dns/stream_server.h"

#include <utility>

namespace gatehouse::dns {

namespace {
Time clock_now() { return std::chrono::steady_clock::now(); }
}  // namespace

class StreamServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(StreamServer& server, std::unique_ptr<Stream> stream) : server_(server), stream_(std::move(stream)) {}

  void start() {
    stream_->set_callbacks({
        [this](std::string_view bytes) {
          reader_.feed(bytes);
          serve();
        },
        [this] {
          ended_ = true;
          serve();
        },
        [this](const Error&) { server_.remove(*this); },
        [this] { serve(); },
    });
    serve();
  }

  // Answers what has been read and not yet been looked at, as far as there is room, and sees whether to read on. May
  // destroy the connection, as its last act.
  void serve() {
    server_.touched(*this);
    bool open = true;
    while (open && has_room()) {
      const bool more = answer_some(open);
      if (!server_.unsent_.empty()) stream_->write(server_.unsent_);
      server_.unsent_.clear();
      if (!more) break;
    }
    const bool room = has_room();
    waiting_for_bytes_ = room && reader_.pending();
    if (!open || (ended_ && room && outstanding_ == 0 && stream_->queued() == 0)) {
      server_.remove(*this);
    } else if (room && !ended_) {
      stream_->start_reading();
    } else {
      stream_->stop_reading();
    }
  }

  bool overdue(Time now) const {
    if (outstanding_ > 0) return false;  // the audit log is slow, not the peer
    if (stream_->queued() > 0 || waiting_for_bytes_) return now - last_progress_ > kProgressTimeout;
    return now - last_progress_ > kIdleTimeout;
  }

 private:
  friend class StreamServer;

  bool has_room() const {
    return outstanding_ < kMaxOutstanding && stream_->queued() == 0 && !server_.recorder_.full();
  }

  // Returns false when no whole message is left. Sets `open` to false for bytes that are no DNS at all: there is no way
  // to tell their sender so.
  bool answer_some(bool& open) {
    while (server_.unsent_.size() < kMaxUnsentBytes && outstanding_ < kMaxOutstanding && !server_.recorder_.full()) {
      const auto message = reader_.next();
      if (!message) return false;
      last_progress_ = clock_now();
      auto step = server_.resolver_.handle(*message, Transport::stream, last_progress_, server_.draft_);
      if (step.kind != Step::Kind::answer) {
        ++outstanding_;
        server_.recorder_.hold(std::move(step), server_.draft_, [self = weak_from_this()](std::string_view reply) {
          if (const auto connection = self.lock()) connection->answer_held(reply);
        });
      } else if (server_.recorder_.pass_on(step); server_.draft_.reply.empty()) {
        open = false;
        return false;
      } else {
        append_frame(server_.draft_.reply, server_.unsent_);
      }
    }
    return true;
  }

  void answer_held(std::string_view reply) {
    if (removed_) return;
    --outstanding_;
    if (reply.empty()) {
      server_.remove(*this);
      return;
    }
    last_progress_ = clock_now();
    std::string frame;
    append_frame(reply, frame);
    stream_->write(frame);
    serve();
  }

  StreamServer& server_;
  std::unique_ptr<Stream> stream_;
  MessageReader reader_;
  size_t outstanding_ = 0;
  bool ended_ = false;              // the peer will send no more
  bool waiting_for_bytes_ = false;  // of a message it has begun
  bool removed_ = false;
  Time last_progress_ = clock_now();
  Connections::iterator place_;
};

StreamServer::StreamServer(Loop& loop, Resolver& resolver, Recorder& recorder)
    : loop_(loop), resolver_(resolver), recorder_(recorder) {}

StreamServer::~StreamServer() = default;

Result<void> StreamServer::listen(Fd socket) {
  auto listener =
      Listener::start(loop_, std::move(socket), [this](std::unique_ptr<Stream> stream) { accept(std::move(stream)); });
  if (!listener) return failed(listener);
  listeners_.push_back(std::move(*listener));
  return {};
}

void StreamServer::accept(std::unique_ptr<Stream> stream) {
  if (connections_.size() >= kMaxConnections) remove(*connections_.front());
  const auto connection = std::make_shared<Connection>(*this, std::move(stream));
  connection->place_ = connections_.insert(connections_.end(), connection);
  connection->start();
}

void StreamServer::touched(Connection& connection) {
  connections_.splice(connections_.end(), connections_, connection.place_);
}

void StreamServer::remove(Connection& connection) {
  if (std::exchange(connection.removed_, true)) return;
  const auto last = std::move(*connection.place_);  // destroyed at the end, when the list is in order again
  connections_.erase(connection.place_);
}

void StreamServer::resume() {
  // serve() may remove its own connection and moves the others to the end of the list.
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) {
    if (!connection->removed_) connection->serve();
  }
}

void StreamServer::close_overdue(Time now) {
  for (auto next = connections_.begin(); next != connections_.end();) {
    auto& connection = **next++;
    if (connection.overdue(now)) remove(connection);
  }
}

}  // namespace gatehouse::dns
