#include "launcher/bridge/server_ports.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <system_error>

#include "common/net/endpoint.h"
#include "launcher/bridge/server_stream.h"

namespace gatehouse::bridge {

namespace {

constexpr std::chrono::milliseconds kBacklogRetry{5};

// errno, or 0 with a connected socket in `socket`. Unix sockets connect at once or not at all.
int connect_unix(const std::string& path, Fd& socket) {
  socket = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);  // parse_endpoint has checked the length
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

}  // namespace

Result<PortTable> parse_port_table(const std::vector<std::string>& entries) {
  PortTable table;
  for (const auto& entry : entries) {
    uint32_t port = 0;
    const char* end = entry.data() + entry.size();
    const auto [stop, error] = std::from_chars(entry.data(), end, port);
    if (error != std::errc() || stop == end || *stop != '=') return fail("'{}': expected PORT=unix:PATH", entry);
    const auto endpoint = parse_endpoint(std::string_view(stop + 1, static_cast<size_t>(end - stop - 1)));
    if (!endpoint) return failed(endpoint, entry);
    if (endpoint->kind != Endpoint::Kind::unix_stream) return fail("'{}': expected PORT=unix:PATH", entry);
    if (!table.emplace(port, endpoint->path).second) return fail("'{}': port {} is given twice", entry, port);
  }
  return table;
}

PortConnector::PortConnector(Loop& loop, Muxer& muxer, PortTable table, std::function<void()> on_answered)
    : loop_(loop), muxer_(muxer), table_(std::move(table)), on_answered_(std::move(on_answered)), retry_(loop, [this] {
        answer_all();
      }) {}

void PortConnector::connect(const Ticket& ticket) {
  waiting_[ticket.key.host_port].push_back(ticket);
  retry_.start(std::chrono::milliseconds(0));
}

void PortConnector::answer_all() {
  for (auto service = waiting_.begin(); service != waiting_.end();) {
    auto& tickets = service->second;
    // A ticket the guest has given up must not hold a place, nor grow the queue while the service is stuck.
    std::erase_if(tickets, [this](const Ticket& ticket) { return !muxer_.wanted(ticket); });
    while (!tickets.empty() && answer(tickets.front())) tickets.pop_front();
    service = tickets.empty() ? waiting_.erase(service) : std::next(service);
  }
  if (!waiting_.empty()) retry_.start(kBacklogRetry);
  on_answered_();
}

// False when it has to be tried again.
bool PortConnector::answer(const Ticket& ticket) {
  const auto& path = table_.at(ticket.key.host_port);
  Fd socket;
  const int error = connect_unix(path, socket);
  if (error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) return false;
  if (error != 0) {
    muxer_.refused(ticket, fmt::format("the service of vsock port {} does not answer: {}", ticket.key.host_port,
                                       std::generic_category().message(error)));
    return true;
  }
  muxer_.connected(ticket, std::make_unique<UnixStream>(loop_, std::move(socket)));
  return true;
}

}  // namespace gatehouse::bridge
