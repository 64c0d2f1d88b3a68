#include "launcher/bridge/server_hosts.h"

#include <sys/socket.h>

#include <cerrno>
#include <charconv>

#include "common/base/log.h"

namespace gatehouse::bridge {

Result<uint32_t> parse_connect_line(std::string_view line) {
  constexpr std::string_view kVerb = "CONNECT ";
  uint32_t port = 0;
  if (line.starts_with(kVerb) && line.ends_with('\n')) {
    const auto digits = line.substr(kVerb.size(), line.size() - kVerb.size() - 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!digits.empty() && error == std::errc() && end == digits.data() + digits.size()) return port;
  }
  return fail("'{}': expected CONNECT and a port", log::printable(line));
}

struct HostDoor::Client {
  Fd socket;
  std::string line;
  std::unique_ptr<FdWatch> watch;
  std::unique_ptr<Timer> patience;
};

HostDoor::HostDoor(Loop& loop, Fd listening, OnConnect on_connect)
    : loop_(loop),
      on_connect_(std::move(on_connect)),
      acceptor_(loop, std::move(listening), [this](Fd socket) { accept(std::move(socket)); }) {}

HostDoor::~HostDoor() = default;

void HostDoor::accept(Fd socket) {
  if (clients_.size() == kMaxConnectsReading) return;  // closes it
  const auto client = clients_.insert(clients_.end(), Client{std::move(socket), {}, nullptr, nullptr});
  client->watch =
      std::make_unique<FdWatch>(loop_, client->socket.get(), [this, client](bool, bool) { read_line(client); });
  client->watch->want(true, false);
  client->patience = std::make_unique<Timer>(loop_, [this, client] { clients_.erase(client); });
  client->patience->start(kConnectLineTimeout);
}

// Byte by byte, so that exactly the line is taken: what follows it is the guest's.
void HostDoor::read_line(std::list<Client>::iterator client) {
  std::string& line = client->line;
  while (line.size() < kMaxConnectLineBytes && !line.ends_with('\n')) {
    char byte = 0;
    const ssize_t got = ::recv(client->socket.get(), &byte, 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      clients_.erase(client);
      return;
    }
    line += byte;
  }
  const auto port = parse_connect_line(line);
  if (!port) log::warn("a client of the host socket was refused: {}", port.error().message());
  Fd socket = std::move(client->socket);
  clients_.erase(client);
  if (port) on_connect_(*port, std::move(socket));
}

}  // namespace gatehouse::bridge
