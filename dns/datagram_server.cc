#include "dns/datagram_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace gatehouse::dns {

namespace {

constexpr unsigned kBatch = 64;              // messages a system call
constexpr int kMaxBatchesPerTurn = 8;        // then streams and timers get their turn
constexpr int kSocketBufferBytes = 1 << 20;  // a burst of some thousand queries, as far as net.core.rmem_max lets us
constexpr size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo));  // the larger of the two pktinfo messages

// A socket bound to every address must answer from the one it was asked at: the kernel tells it with IP_PKTINFO, and
// the same control message on the reply sets it.
Result<void> ask_for_destination(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return fail_errno("getsockname");
  const int on = 1;
  int status = 0;
  if (address.ss_family == AF_INET) {
    if (reinterpret_cast<const sockaddr_in*>(&address)->sin_addr.s_addr != INADDR_ANY) return {};
    status = ::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  } else if (address.ss_family == AF_INET6) {
    if (!IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr)) return {};
    status = ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  } else {
    return fail("a datagram socket must be UDP");
  }
  if (status != 0) return fail_errno("cannot learn where queries are sent to");
  return {};
}

}  // namespace

// Who asked, and at which of our addresses (empty control: the one we are bound to).
struct DatagramServer::Peer {
  sockaddr_storage address;
  socklen_t address_bytes;
  alignas(cmsghdr) std::array<char, kControlBytes> control;
  size_t control_bytes;
};

struct DatagramServer::Batch {
  std::array<std::array<char, kMaxUdpBytes>, kBatch> queries;
  std::array<Draft, kBatch> drafts;
  std::array<Peer, kBatch> peers;
  std::array<iovec, kBatch> in_bytes, out_bytes;
  std::array<mmsghdr, kBatch> in, out;

  Batch() {
    for (unsigned i = 0; i < kBatch; ++i) {
      in_bytes[i] = {queries[i].data(), queries[i].size()};
      in[i] = {};
      in[i].msg_hdr.msg_iov = &in_bytes[i];
      in[i].msg_hdr.msg_iovlen = 1;
      in[i].msg_hdr.msg_name = &peers[i].address;
      in[i].msg_hdr.msg_control = peers[i].control.data();
    }
  }

  // recvmmsg overwrites lengths with what it found: back to what there is room for.
  void make_room(unsigned used) {
    for (unsigned i = 0; i < used; ++i) {
      in[i].msg_hdr.msg_namelen = sizeof peers[i].address;
      in[i].msg_hdr.msg_controllen = peers[i].control.size();
    }
  }
};

Result<std::unique_ptr<DatagramServer>> DatagramServer::start(Loop& loop, Fd socket, Resolver& resolver,
                                                              Recorder& recorder) {
  if (auto ok = ask_for_destination(socket.get()); !ok) return failed(ok);
  // Smaller buffers lose more queries in a burst and nothing else, so a refusal is no error.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  return std::unique_ptr<DatagramServer>(new DatagramServer(loop, std::move(socket), resolver, recorder));
}

DatagramServer::DatagramServer(Loop& loop, Fd socket, Resolver& resolver, Recorder& recorder)
    : socket_(std::move(socket)),
      resolver_(resolver),
      recorder_(recorder),
      batch_(std::make_unique<Batch>()),
      watch_(loop, socket_.get(), [this](bool, bool) { readable(); }) {
  batch_->make_room(kBatch);
  watch_.want(true, false);
}

DatagramServer::~DatagramServer() = default;

void DatagramServer::resume() { watch_.want(true, false); }

void DatagramServer::readable() {
  for (int i = 0; i < kMaxBatchesPerTurn; ++i) {
    if (recorder_.full()) {
      watch_.want(false, false);
      return;
    }
    if (!serve_batch()) return;
  }
}

// Returns false when nothing more is waiting.
bool DatagramServer::serve_batch() {
  const int got = ::recvmmsg(socket_.get(), batch_->in.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (got <= 0) return false;  // an ICMP error of an earlier reply is reported here once, and is nobody's business
  const auto now = std::chrono::steady_clock::now();
  unsigned replies = 0;
  for (int i = 0; i < got; ++i) {
    auto& in = batch_->in[i];
    auto& peer = batch_->peers[i];
    peer.address_bytes = in.msg_hdr.msg_namelen;
    peer.control_bytes = in.msg_hdr.msg_controllen;
    // A query longer than we announce was cut by the kernel: only its header is shown, so that it is found malformed.
    const size_t length = (in.msg_hdr.msg_flags & MSG_TRUNC) != 0 ? kHeaderBytes : in.msg_len;
    auto& draft = batch_->drafts[replies];
    auto step = resolver_.handle({batch_->queries[i].data(), length}, Transport::datagram, now, draft);
    if (step.kind != Step::Kind::answer) {
      recorder_.hold(std::move(step), draft, [this, peer, alive = std::weak_ptr(alive_)](std::string_view reply) {
        if (!alive.expired()) send_later(peer, reply);
      });
    } else if (recorder_.pass_on(step); !draft.reply.empty()) {
      batch_->out_bytes[replies] = {const_cast<char*>(draft.reply.data()), draft.reply.size()};
      auto& out = batch_->out[replies].msg_hdr;
      out = {};
      out.msg_name = &peer.address;
      out.msg_namelen = peer.address_bytes;
      out.msg_iov = &batch_->out_bytes[replies];
      out.msg_iovlen = 1;
      if (peer.control_bytes > 0) {
        out.msg_control = peer.control.data();
        out.msg_controllen = peer.control_bytes;
      }
      ++replies;
    }
  }
  // What the kernel has no room for is lost, as datagrams are: the client asks again. An error stops the call at its
  // message, which is then left out.
  for (unsigned sent = 0; sent < replies;) {
    const int put = ::sendmmsg(socket_.get(), batch_->out.data() + sent, replies - sent, MSG_DONTWAIT);
    if (put < 0 && (errno == EAGAIN || errno == ENOBUFS)) break;
    sent += put > 0 ? static_cast<unsigned>(put) : 1;
  }
  batch_->make_room(static_cast<unsigned>(got));
  return static_cast<unsigned>(got) == kBatch;
}

void DatagramServer::send_later(const Peer& peer, std::string_view reply) {
  if (reply.empty()) return;
  iovec bytes{const_cast<char*>(reply.data()), reply.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_storage*>(&peer.address);
  message.msg_namelen = peer.address_bytes;
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (peer.control_bytes > 0) {
    message.msg_control = const_cast<char*>(peer.control.data());
    message.msg_controllen = peer.control_bytes;
  }
  ::sendmsg(socket_.get(), &message, MSG_DONTWAIT);
}

}  // namespace gatehouse::dns
