#include "launcher/approval_server.h"

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"

namespace gatehouse::launcher {

namespace {

using approval::FrameType;

constexpr size_t kMaxPeers = 256;
constexpr size_t kMaxAskBytes = 64 * 1024;  // of one frame: nine short texts

struct Credentials {
  pid_t pid = -1;
  uid_t uid = static_cast<uid_t>(-1);
};

Credentials credentials_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  return {peer.pid, peer.uid};
}

std::string name_of(uid_t uid) {
  const passwd* user = ::getpwuid(uid);
  return user != nullptr ? user->pw_name : fmt::format("uid {}", uid);
}

}  // namespace

struct ApprovalServer::Peer {
  uint64_t number = 0;
  bool person = false;
  std::string name;
  std::unique_ptr<Stream> stream;
  ipc::FrameReader frames{kMaxAskBytes};
};

ApprovalServer::ApprovalServer(Loop& loop, audit::AuditLog& audit, Callbacks callbacks)
    : loop_(loop), audit_(audit), callbacks_(std::move(callbacks)), clock_(loop, [this] {
        record(approvals_.expire(std::chrono::steady_clock::now()));
        watch_clock();
      }) {}

ApprovalServer::~ApprovalServer() = default;

Result<std::unique_ptr<ApprovalServer>> ApprovalServer::start(Loop& loop, audit::AuditLog& audit, Fd gates, Fd people,
                                                              Callbacks callbacks) {
  std::unique_ptr<ApprovalServer> server(new ApprovalServer(loop, audit, std::move(callbacks)));
  auto gate_listener = Listener::start(loop, std::move(gates),
                                       [raw = server.get()](auto stream) { raw->accept(std::move(stream), false); });
  if (!gate_listener) return failed(gate_listener);
  server->gates_ = std::move(*gate_listener);
  auto people_listener = Listener::start(loop, std::move(people),
                                         [raw = server.get()](auto stream) { raw->accept(std::move(stream), true); });
  if (!people_listener) return failed(people_listener);
  server->people_ = std::move(*people_listener);
  return server;
}

// The directory is the user's own, so that nobody else comes this far but root; a gate that was taken over is of the
// same user, and must not approve of itself.
void ApprovalServer::accept(std::unique_ptr<Stream> stream, bool person) {
  if (peers_.size() >= kMaxPeers) return;
  const Credentials peer = credentials_of(stream->fd());
  if (peer.uid != ::geteuid() && peer.uid != 0) return;
  if (person && (peer.pid <= 0 || callbacks_.is_gate(peer.pid))) return;
  peers_.push_back(std::make_unique<Peer>());
  Peer& added = *peers_.back();
  added.number = next_peer_++;
  added.person = person;
  added.name = name_of(peer.uid);
  added.stream = std::move(stream);
  added.stream->set_callbacks({.data = [this, &added](std::string_view bytes) { receive(added, bytes); },
                               .end = [this, &added] { drop(added); },
                               .error = [this, &added](const Error&) { drop(added); },
                               .drained = nullptr});
  added.stream->start_reading();
}

void ApprovalServer::drop(Peer& peer) {
  approvals_.withdraw_all(peer.number);
  watch_clock();
  peers_.remove_if([&peer](const auto& one) { return one.get() == &peer; });
}

void ApprovalServer::receive(Peer& peer, std::string_view bytes) {
  peer.frames.feed(bytes);
  for (;;) {
    const auto frame = peer.frames.next();
    if (frame && !*frame) return;
    const auto taken = frame ? take(peer, **frame) : failed(frame);
    if (taken) continue;
    log::warn("approvals: {} is dropped: {}", peer.person ? "a client" : "a gate", taken.error().message());
    return drop(peer);
  }
}

Result<void> ApprovalServer::take(Peer& peer, const ipc::Frame& frame) {
  const auto type = static_cast<FrameType>(frame.type);
  if (!peer.person && type == FrameType::wanted) {
    auto wanted = approval::parse_wanted(frame.payload);
    if (!wanted) return failed(wanted);
    ask(peer, std::move(*wanted));
    return {};
  }
  if (!peer.person && type == FrameType::withdrawn) {
    const auto id = approval::parse_withdrawn(frame.payload);
    if (!id) return failed(id);
    approvals_.withdraw(peer.number, *id);
    watch_clock();
    return {};
  }
  if (peer.person && type == FrameType::list) {
    peer.stream->write(approval::encode(approvals_.pending(std::chrono::steady_clock::now())));
    return {};
  }
  if (peer.person && type == FrameType::decide) {
    const auto wish = approval::parse_decide(frame.payload);
    if (!wish) return failed(wish);
    peer.stream->write(approval::encode(decide(peer, *wish)));
    return {};
  }
  if (peer.person && type == FrameType::reload) {
    reload(peer);
    return {};
  }
  return fail("a frame of type {} is not for this socket", frame.type);
}

void ApprovalServer::ask(Peer& peer, approval::Wanted wanted) {
  const auto now = std::chrono::steady_clock::now();
  const auto time = wanted.time;
  auto asked = approvals_.ask(peer.number, wanted, now);
  if (auto* settled = std::get_if<Approvals::Settled>(&asked)) {
    std::vector<Approvals::Settled> one;
    one.push_back(std::move(*settled));
    return record(std::move(one));
  }
  callbacks_.asked({std::get<uint64_t>(asked), {}, time, std::move(wanted)});
  watch_clock();
}

approval::Reply ApprovalServer::decide(const Peer& peer, const approval::Decide& decide) {
  auto settled = approvals_.decide(decide, peer.name);
  if (!settled) return {false, settled.error().message()};
  std::string message = fmt::format("{}: {}", decide.allow ? "allowed" : "denied", settled->front().wanted.what);
  record(std::move(*settled));
  watch_clock();
  return {true, std::move(message)};
}

void ApprovalServer::record(std::vector<Approvals::Settled> settled) {
  for (auto& one : settled) {
    audit::Approval row;
    row.trace_id = one.wanted.trace_id;
    row.decision = {one.decided.allowed ? Verdict::allow : Verdict::deny, one.wanted.rule, one.decided.reason};
    row.channel = one.wanted.channel;
    row.what = one.wanted.what;
    row.by = one.decided.by;
    row.scope = to_string(one.decided.scope);
    audit_.append(std::move(row), loop_,
                  [this, asker = one.asker, decided = std::move(one.decided),
                   alive = std::weak_ptr(alive_)](const Result<void>& committed) mutable {
                    if (alive.expired()) return;
                    if (!committed) {
                      decided.allowed = false;
                      decided.reason = "the decision cannot be written to the audit log";
                    }
                    tell(asker, approval::encode(decided));
                  });
  }
}

// What was decided for the session was decided about rules that may be gone.
void ApprovalServer::reload(const Peer& peer) {
  callbacks_.reload(peer.name,
                    [this, number = peer.number, alive = std::weak_ptr(alive_)](const approval::Reply& reply) {
                      if (alive.expired()) return;
                      if (reply.done) approvals_.forget_decisions();
                      tell(number, approval::encode(reply));
                    });
}

void ApprovalServer::tell(uint64_t number, const std::string& frames) {
  for (const auto& peer : peers_) {
    if (peer->number == number) return peer->stream->write(frames);
  }
}

void ApprovalServer::watch_clock() {
  const auto next = approvals_.next_expiry();
  if (!next) return clock_.stop();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - std::chrono::steady_clock::now());
  clock_.start(std::max(left, std::chrono::milliseconds(0)));
}

}  // namespace gatehouse::launcher
