#include "guest/dns_relay.h"

#include <netinet/in.h>

#include <array>
#include <cstring>
#include <optional>

#include "guest/dns_message.h"

namespace gatehouse::guest {

namespace {

constexpr int kMostDatagramsPerTurn = 64;

struct Datagram {
  sockaddr_in6 from{};
  in6_addr to{};  // IPv4 in mapped form
  std::string message;
};

// The next datagram, or nothing when none waits. A larger one than DNS allows arrives cut, as nothing a client sends.
std::optional<Datagram> receive_from(int udp) {
  static std::array<char, kMaxDnsMessageBytes> bytes;
  alignas(cmsghdr) std::array<char, 256> control;
  Datagram datagram;
  iovec part{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_name = &datagram.from;
  header.msg_namelen = sizeof datagram.from;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(udp, &header, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::nullopt;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != IPPROTO_IPV6 || item->cmsg_type != IPV6_PKTINFO) continue;
    in6_pktinfo info;
    std::memcpy(&info, CMSG_DATA(item), sizeof info);
    datagram.to = info.ipi6_addr;
  }
  datagram.message.assign(bytes.data(), static_cast<size_t>(got));
  return datagram;
}

// Back to where a query came from, from the address it was sent to. UDP may lose it; the client asks again.
void send_back(int udp, const Datagram& query, const std::string& message) {
  in6_pktinfo info{};
  info.ipi6_addr = query.to;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof info)> control{};
  iovec part{const_cast<char*>(message.data()), message.size()};
  msghdr header{};
  header.msg_name = const_cast<sockaddr_in6*>(&query.from);
  header.msg_namelen = sizeof query.from;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = IPPROTO_IPV6;
  item->cmsg_type = IPV6_PKTINFO;
  item->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(item), &info, sizeof info);
  (void)::sendmsg(udp, &header, 0);
}

}  // namespace

struct DnsRelay::TcpClient {
  std::unique_ptr<Stream> stream;
  DnsFrameReader reader;
  size_t waiting = 0;  // queries not yet answered
  bool ended = false;  // it asks no more
};

DnsRelay::DnsRelay(Loop& loop, Fd udp, Connect connect)
    : udp_(std::move(udp)),
      uplink_(loop, std::move(connect)),
      watch_(std::make_unique<FdWatch>(loop, udp_.get(), [this](bool, bool) { receive_datagrams(); })) {
  watch_->want(true, false);
}

DnsRelay::~DnsRelay() = default;

Result<std::unique_ptr<DnsRelay>> DnsRelay::start(Loop& loop, Fd udp, Fd tcp, Connect connect) {
  std::unique_ptr<DnsRelay> relay(new DnsRelay(loop, std::move(udp), std::move(connect)));
  auto listener = Listener::start(loop, std::move(tcp),
                                  [r = relay.get()](std::unique_ptr<Stream> stream) { r->accept(std::move(stream)); });
  if (!listener) return failed(listener, "DNS relay");
  relay->listener_ = std::move(*listener);
  return relay;
}

void DnsRelay::receive_datagrams() {
  for (int i = 0; i < kMostDatagramsPerTurn; ++i) {
    auto datagram = receive_from(udp_.get());
    if (!datagram) return;
    if (!is_query(datagram->message)) continue;
    const size_t limit = udp_answer_limit(datagram->message);
    std::string query = std::exchange(datagram->message, {});
    uplink_.ask(std::move(query), [this, limit, from = std::move(*datagram)](std::string message) {
      send_back(udp_.get(), from, fit_to_udp(std::move(message), limit));
    });
  }
}

void DnsRelay::accept(std::unique_ptr<Stream> stream) {
  if (clients_.size() >= kMaxTcpClients) clients_.erase(clients_.begin());
  const uint64_t id = next_client_++;
  auto& client = *clients_.emplace(id, std::make_unique<TcpClient>()).first->second;
  client.stream = std::move(stream);
  Stream::Callbacks callbacks;
  callbacks.data = [this, id](std::string_view bytes) { receive(id, bytes); };
  callbacks.end = [this, id] {
    TcpClient& ending = *clients_.at(id);
    ending.ended = true;
    if (ending.waiting == 0 && ending.stream->queued() == 0) forget(id);
  };
  callbacks.error = [this, id](const Error&) { forget(id); };
  callbacks.drained = [this, id] {
    const TcpClient& drained = *clients_.at(id);
    if (drained.ended && drained.waiting == 0) forget(id);
  };
  client.stream->set_callbacks(std::move(callbacks));
  client.stream->start_reading();
}

void DnsRelay::receive(uint64_t id, std::string_view bytes) {
  clients_.at(id)->reader.feed(bytes);
  // An answer may come within ask() and end the client, so it is looked up anew each time.
  for (auto found = clients_.find(id); found != clients_.end(); found = clients_.find(id)) {
    auto query = found->second->reader.next();
    if (!query) return;
    if (!is_query(*query)) {
      forget(id);
      return;
    }
    ++found->second->waiting;
    uplink_.ask(std::move(*query), [this, id](std::string message) { answer(id, std::move(message)); });
  }
}

void DnsRelay::answer(uint64_t id, std::string message) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;  // gone meanwhile
  TcpClient& client = *found->second;
  --client.waiting;
  client.stream->write(frame_dns(message));
  const size_t queued = client.stream->queued();
  if (queued > kMaxQueuedBytes || (client.ended && client.waiting == 0 && queued == 0)) forget(id);
}

void DnsRelay::forget(uint64_t id) { clients_.erase(id); }

}  // namespace gatehouse::guest
