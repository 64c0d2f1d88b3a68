#include "mcp-gateway/server.h"

#include "common/base/log.h"

namespace gatehouse::mcp {

class Server::Connection {
 public:
  Connection(Server& server, std::unique_ptr<Stream> stream, std::function<void()> closed)
      : server_(server), stream_(std::move(stream)), closed_(std::move(closed)) {
    client_ = server_.gateway_.add_client({
        .send = [this](std::string_view line) { stream_->write(line); },
        .broken = [this](const Error& why) { close(why.message()); },
        .crowded = [this] { return stream_->queued() > kCrowdedClientBytes; },
    });
    stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                            .end =
                                [this] {
                                  ended_ = true;
                                  close_if_done();
                                },
                            .error = [this](const Error&) { close(""); },
                            .drained =
                                [this] {
                                  if (!ended_ && !stream_->reading()) stream_->start_reading();
                                  close_if_done();
                                }});
    stream_->start_reading();
  }
  ~Connection() { server_.gateway_.remove_client(client_); }

 private:
  void received(std::string_view bytes) {
    client_->take(bytes);
    if (stream_->queued() > kMaxClientQueuedBytes) stream_->stop_reading();
  }

  // One that writes no more still reads what it asked for.
  void close_if_done() {
    if (ended_ && !client_->busy() && stream_->queued() == 0) close("");
  }

  void close(const std::string& why) {
    if (!why.empty()) log::warn("a client is closed: {}", log::printable(why));
    stream_->stop_reading();
    if (closed_) server_.loop_.post([closed = std::exchange(closed_, nullptr)] { closed(); });
  }

  Server& server_;
  std::unique_ptr<Stream> stream_;
  std::function<void()> closed_;
  Client* client_ = nullptr;
  bool ended_ = false;
};

Server::Server(Loop& loop, Gateway& gateway) : loop_(loop), gateway_(gateway) {}

Server::~Server() = default;

Result<void> Server::listen(std::vector<InheritedSocket> sockets) {
  for (auto& socket : sockets) {
    const std::string name = local_address(socket.fd.get());
    if (socket.datagram || name != "unix") {
      return fail("the MCP gateway listens on Unix stream sockets only, not on {}", name);
    }
    auto listener = Listener::start(loop_, std::move(socket.fd),
                                    [this](std::unique_ptr<Stream> stream) { accept(std::move(stream)); });
    if (!listener) return failed(listener);
    listeners_.push_back(std::move(*listener));
    log::info("listening on {}", name);
  }
  return {};
}

void Server::accept(std::unique_ptr<Stream> stream) {
  if (connections_.size() >= kMaxClients) return stream->reset_on_close();
  const auto place = connections_.emplace(connections_.end());
  *place = std::make_unique<Connection>(*this, std::move(stream), [this, place] { connections_.erase(place); });
}

}  // namespace gatehouse::mcp
