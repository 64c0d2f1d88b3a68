#include "launcher/bridge/server_hosts.h"

#include <sys/socket.h>

#include <array>
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
  const auto client = clients_.insert(clients_.end(), Client{std::move(socket), nullptr, nullptr});
  client->watch =
      std::make_unique<FdWatch>(loop_, client->socket.get(), [this, client](bool, bool) { read_line(client); });
  client->watch->want(true, false);
  client->patience = std::make_unique<Timer>(loop_, [this, client] { clients_.erase(client); });
  client->patience->start(kConnectLineTimeout);
}

// Takes exactly the line from the socket: what follows it is the guest's.
void HostDoor::read_line(std::list<Client>::iterator client) {
  std::array<char, kMaxConnectLineBytes> bytes;
  const ssize_t seen = ::recv(client->socket.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (seen < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const std::string_view text(bytes.data(), seen > 0 ? static_cast<size_t>(seen) : 0);
  const size_t newline = text.find('\n');
  if (newline == std::string_view::npos && seen > 0 && text.size() < bytes.size()) {
    // Not whole yet. What is there stays readable, so look again only when the low-water mark has been passed.
    const int more = static_cast<int>(text.size()) + 1;
    ::setsockopt(client->socket.get(), SOL_SOCKET, SO_RCVLOWAT, &more, sizeof more);
    return;
  }
  const auto port = parse_connect_line(text.substr(0, newline == std::string_view::npos ? newline : newline + 1));
  Fd socket;
  if (port &&
      ::recv(client->socket.get(), bytes.data(), newline + 1, MSG_DONTWAIT) == static_cast<ssize_t>(newline + 1)) {
    socket = std::move(client->socket);
  } else if (seen > 0) {
    log::warn("a client of the host socket was refused: {}", port ? "read failed" : port.error().message());
  }
  clients_.erase(client);
  if (socket) on_connect_(*port, std::move(socket));
}

}  // namespace gatehouse::bridge
