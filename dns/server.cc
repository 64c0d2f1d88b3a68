#include "dns/server.h"

#include "common/base/log.h"

namespace gatehouse::dns {

namespace {
constexpr std::chrono::seconds kTick{1};
}

Server::Server(Loop& loop, Resolver& resolver, audit::AuditLog& audit)
    : loop_(loop),
      resolver_(resolver),
      audit_(audit),
      recorder_(resolver,
                [this](audit::DnsEvent event, Recorder::Committed committed) {
                  audit_.append(std::move(event), loop_, std::move(committed));
                }),
      streams_(loop, resolver, recorder_),
      tick_(loop, [this] { tick(); }) {
  recorder_.set_on_room([this] {
    for (const auto& datagrams : datagrams_) datagrams->resume();
    streams_.resume();
  });
  tick_.repeat(kTick);
}

Server::~Server() {
  for (auto& event : resolver_.last_summaries()) audit_.append(std::move(event));
}

Result<void> Server::listen(std::vector<InheritedSocket> sockets) {
  for (auto& socket : sockets) {
    const auto address = local_address(socket.fd.get());
    if (socket.datagram) {
      auto datagrams = DatagramServer::start(loop_, std::move(socket.fd), resolver_, recorder_);
      if (!datagrams) return failed(datagrams, address);
      datagrams_.push_back(std::move(*datagrams));
    } else if (auto ok = streams_.listen(std::move(socket.fd)); !ok) {
      return failed(ok, address);
    }
    log::info("answering on {}", address);
  }
  return {};
}

void Server::tick() {
  const auto now = std::chrono::steady_clock::now();
  for (auto& event : resolver_.summaries(now)) audit_.append(std::move(event));
  streams_.close_overdue(now);
}

}  // namespace gatehouse::dns
