#include "guest/tcp_relay.h"

#include <sys/socket.h>

#include "guest/proxy_header.h"

namespace gatehouse::guest {

namespace {

using GetName = int (*)(int, sockaddr*, socklen_t*);

Result<TcpAddress> name_of(int fd, GetName get_name) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (get_name(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return fail_errno("address of a connection");
  return tcp_address(storage);
}

}  // namespace

class TcpRelay::Connection {
 public:
  Connection(TcpRelay& relay, uint64_t id, std::unique_ptr<Stream> client)
      : relay_(relay), id_(id), client_{std::move(client)} {}

  void start(std::string header) {
    connecting_ = relay_.connect_([this, header = std::move(header)](Result<std::unique_ptr<Stream>> host) {
      if (!host) return give_up();
      host_.stream = std::move(*host);
      if (!header.empty()) host_.stream->write(header);
      copy(client_, host_);
      copy(host_, client_);
    });
  }

 private:
  struct Side {
    std::unique_ptr<Stream> stream;
    bool ended = false;  // it sends no more
  };

  void copy(Side& from, Side& to) {
    Stream::Callbacks callbacks;
    callbacks.data = [&from, &to](std::string_view bytes) {
      to.stream->write(bytes);
      if (to.stream->queued() > kMaxQueuedBytes) from.stream->stop_reading();
    };
    callbacks.end = [this, &from, &to] {
      from.ended = true;
      to.stream->shutdown();
      finish_if_done();
    };
    callbacks.error = [this](const Error&) { give_up(); };
    callbacks.drained = [this, &to] {  // what `to` sent is out
      if (!to.ended) to.stream->start_reading();
      finish_if_done();
    };
    from.stream->set_callbacks(std::move(callbacks));
    from.stream->start_reading();
  }

  void finish_if_done() {
    if (client_.ended && host_.ended && client_.stream->queued() == 0 && host_.stream->queued() == 0) {
      relay_.forget(id_);
    }
  }

  void give_up() {
    client_.stream->reset_on_close();
    relay_.forget(id_);
  }

  TcpRelay& relay_;
  uint64_t id_;
  Side client_;
  Side host_;
  std::unique_ptr<Connecting> connecting_;
};

TcpRelay::TcpRelay(Connect connect, Front front) : connect_(std::move(connect)), front_(front) {}
TcpRelay::~TcpRelay() = default;

void TcpRelay::forget(uint64_t id) { connections_.erase(id); }

Result<std::unique_ptr<TcpRelay>> TcpRelay::start(Loop& loop, Fd listening, Connect connect, Front front) {
  std::unique_ptr<TcpRelay> relay(new TcpRelay(std::move(connect), front));
  auto listener = Listener::start(loop, std::move(listening),
                                  [r = relay.get()](std::unique_ptr<Stream> client) { r->accept(std::move(client)); });
  if (!listener) return failed(listener, "TCP relay");
  relay->listener_ = std::move(*listener);
  return relay;
}

void TcpRelay::accept(std::unique_ptr<Stream> client) {
  const auto source = name_of(client->fd(), ::getpeername);
  const auto destination = name_of(client->fd(), ::getsockname);
  if (!source || !destination || connections_.size() >= kMaxConnections) {
    client->reset_on_close();
    return;
  }
  const uint64_t id = next_id_++;
  auto connection = std::make_unique<Connection>(*this, id, std::move(client));
  Connection& started = *connection;
  connections_.emplace(id, std::move(connection));
  started.start(front_ == Front::destination ? proxy_header(*source, *destination) : "");
}

}  // namespace gatehouse::guest
