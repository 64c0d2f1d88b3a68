#include "mcp-gateway/server.h"

#include "common/base/log.h"
#include "mcp-gateway/http_connection.h"

namespace gatehouse::mcp {

namespace {

constexpr std::chrono::seconds kTick{1};

HttpFront::Time now() { return std::chrono::steady_clock::now(); }

// No JSON begins with a capital letter, and every request of HTTP does.
bool begins_http(std::string_view bytes) { return bytes.front() >= 'A' && bytes.front() <= 'Z'; }

}  // namespace

class Server::Connection {
 public:
  Connection(Server& server, std::unique_ptr<Stream> stream, bool lines_too, std::function<void()> closed)
      : server_(server),
        stream_(std::move(stream)),
        lines_too_(lines_too),
        closed_(std::move(closed)),
        room_(server.gateway_.room()),
        linger_(server.loop_, [this] { close(); }) {
    stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                            .end = [this] { ended(); },
                            .error = [this](const Error&) { close(); },
                            .drained = [this] { drained(); }});
    stream_->start_reading();
  }
  ~Connection() {
    http_.reset();
    if (client_ != nullptr) server_.gateway_.remove_client(client_);
  }

  void tick() {
    if (http_) http_->tick(now());
  }

 private:
  void received(std::string_view bytes) {
    if (closing_) return;
    if (client_ == nullptr && !http_) begin(bytes);
    if (client_ != nullptr) client_->take(bytes);
    if (http_) http_->take(bytes, now());
    keep_pace();
    keep_within_room();
  }

  void write(std::string_view bytes) {
    if (closing_) return;  // it is about what is left of what it sent
    stream_->write(bytes);
    keep_within_room();
  }

  // What it has sent of a message, and what it has not read of the answers.
  void keep_within_room() {
    if (closing_) return;
    const size_t held = (client_ != nullptr ? client_->held() : 0) + (http_ ? http_->held() : 0) + stream_->queued();
    if (room_.resize(held)) return;
    server_.gateway_.turned_away();
    close();
  }

  void begin(std::string_view bytes) {
    if (begins_http(bytes)) {
      http_ = std::make_unique<HttpConnection>(
          server_.front_,
          HttpConnection::Callbacks{.write = [this](std::string_view text) { write(text); },
                                    .queued = [this] { return stream_->queued(); },
                                    .close = [this] { close_after_writing(); },
                                    .wake =
                                        [this] {
                                          server_.loop_.post([this, alive = std::weak_ptr(alive_)] {
                                            if (!alive.expired()) go_on();
                                          });
                                        }},
          now());
    } else if (lines_too_) {
      client_ = server_.gateway_.add_client({
          .send = [this](std::string_view line) { write(line); },
          .broken =
              [this](const Error& why) {
                log::warn("a client is closed: {}", log::printable(why.message()));
                close();
              },
          .crowded = [this] { return stream_->queued() > kCrowdedClientBytes; },
      });
    } else {
      close();
    }
  }

  void go_on() {
    if (closing_) return;
    http_->go_on(now());
    keep_pace();
  }

  void keep_pace() {
    const bool full = stream_->queued() > kMaxClientQueuedBytes || (http_ && !http_->wants_bytes());
    if (full) {
      stream_->stop_reading();
    } else if (!ended_ && !stream_->reading()) {
      stream_->start_reading();
    }
  }

  // One that writes no more still reads what it asked for.
  void ended() {
    ended_ = true;
    if (http_ && !closing_) http_->ended();
    if (closing_ || (client_ == nullptr && !http_)) return close();
    close_if_done();
  }

  void drained() {
    if (closing_) return;
    keep_pace();
    keep_within_room();
    close_if_done();
  }

  void close_if_done() {
    if (ended_ && client_ != nullptr && !client_->busy() && stream_->queued() == 0) close();
  }

  // What it still sends is read and dropped: a connection closed over it would be reset, and the answer with it.
  void close_after_writing() {
    if (std::exchange(closing_, true)) return;
    stream_->shutdown();
    if (ended_ && stream_->queued() == 0) return close();
    if (!ended_ && !stream_->reading()) stream_->start_reading();
    linger_.start(kLingerTime);
  }

  void close() {
    closing_ = true;
    if (client_ != nullptr) client_->give_up();
    if (http_) http_->give_up();
    stream_->stop_reading();
    if (closed_) server_.loop_.post([closed = std::exchange(closed_, nullptr)] { closed(); });
  }

  Server& server_;
  std::unique_ptr<Stream> stream_;
  const bool lines_too_;
  std::function<void()> closed_;
  Client* client_ = nullptr;              // it speaks in lines
  std::unique_ptr<HttpConnection> http_;  // it speaks HTTP
  Room::Share room_;
  bool ended_ = false;
  bool closing_ = false;  // nothing of it is read any more
  Timer linger_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Server::Server(Loop& loop, Gateway& gateway, HttpFront::Record record)
    : loop_(loop), gateway_(gateway), front_(gateway, std::move(record)), tick_(loop, [this] {
        front_.tick(now());
        for (const auto& connection : connections_) connection->tick();
      }) {
  tick_.repeat(kTick);
}

Server::~Server() = default;

Result<void> Server::listen(std::vector<InheritedSocket> sockets) {
  for (auto& socket : sockets) {
    const std::string name = local_address(socket.fd.get());
    const auto endpoint = parse_endpoint(name);
    const bool local =
        endpoint && endpoint->kind == Endpoint::Kind::tcp && special_purpose(endpoint->address) == "loopback";
    if (socket.datagram || (name != "unix" && !local)) {
      return fail("the MCP gateway listens on Unix stream sockets and on loopback only, not on {}", name);
    }
    auto listener = Listener::start(loop_, std::move(socket.fd), [this, local](std::unique_ptr<Stream> stream) {
      accept(std::move(stream), !local);
    });
    if (!listener) return failed(listener);
    listeners_.push_back(std::move(*listener));
    log::info("listening on {}", name);
  }
  return {};
}

void Server::accept(std::unique_ptr<Stream> stream, bool lines_too) {
  if (connections_.size() >= kMaxConnections) {
    gateway_.turned_away();
    return stream->reset_on_close();
  }
  const auto place = connections_.emplace(connections_.end());
  *place =
      std::make_unique<Connection>(*this, std::move(stream), lines_too, [this, place] { connections_.erase(place); });
}

}  // namespace gatehouse::mcp
