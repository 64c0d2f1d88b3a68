#include "launcher/bridge/server.h"

#include "common/base/log.h"
#include "launcher/bridge/server_stream.h"

namespace gatehouse::bridge {

namespace {

Time now() { return std::chrono::steady_clock::now(); }

}  // namespace

Server::Server(Loop& loop, audit::AuditLog* audit, PortTable ports, uint64_t guest_cid)
    : loop_(loop),
      audit_(audit),
      muxer_(*this, guest_cid),
      device_(*this, muxer_, guest_cid),
      ports_(loop, muxer_, std::move(ports), [this] { work(); }),
      more_work_(loop, [this] { work(); }),
      second_(loop, [this] { second_passed(); }) {
  second_.repeat(std::chrono::seconds(1));
}

Server::~Server() { record(refusals_.flush()); }

void Server::start(Fd vhost, Fd host) {
  control_door_ =
      std::make_unique<Acceptor>(loop_, std::move(vhost), [this](Fd socket) { accept_control(std::move(socket)); });
  if (!host) return;
  host_door_ = std::make_unique<HostDoor>(loop_, std::move(host),
                                          [this](uint32_t port, Fd socket) { connect_guest(port, std::move(socket)); });
}

void Server::accept_control(Fd socket) {
  // A QEMU that has just died may not have been noticed yet when its successor comes.
  if (control_ != nullptr && control_->hung_up()) control_closed("closed by QEMU");
  if (control_ != nullptr) {
    log::warn("refused a second QEMU while the first is connected");
    return;
  }
  log::info("QEMU is connected");
  control_ = std::make_unique<ControlConnection>(
      loop_, std::move(socket), [this](VhostMessage message) { return device_.handle(std::move(message), now()); },
      [this](const std::string& why) { control_closed(why); });
}

void Server::control_closed(const std::string& why) {
  log::info("connection to QEMU ended: {}", why);
  device_.disconnect(now());
  control_.reset();
}

// The guest's driver may not be up yet: then the client is closed and tries again.
void Server::connect_guest(uint32_t port, Fd socket) {
  if (!device_.ready()) return;
  muxer_.open(port, std::make_unique<UnixStream>(loop_, std::move(socket)), now());
  work();
}

void Server::work() {
  if (device_.work(now())) more_work_.start(std::chrono::milliseconds(0));
}

void Server::watch_kick(size_t queue, int fd) {
  kicks_[queue].reset();
  if (fd < 0) return;
  kicks_[queue] = std::make_unique<FdWatch>(loop_, fd, [this, queue](bool, bool) {
    device_.take_kick(queue);
    work();
  });
  kicks_[queue]->want(true, false);
}

void Server::ring_broken(const std::string& why) {
  log::error("the guest's ring is malformed, the device stops: {}", why);
  refused({0, "vsock.ring", "the guest's ring is malformed, the device stops: " + why});
}

void Server::refused(const Refusal& refusal) { record(refusals_.add(refusal)); }

void Server::second_passed() {
  record(refusals_.flush());
  muxer_.tick(now());
  work();
}

void Server::record(std::vector<audit::NetEvent> events) {
  for (auto& event : events) {
    log::info("denied ({}): {} {}", event.decision.rule_id, event.decision.reason, event.detail);
    if (audit_ != nullptr) audit_->append(std::move(event));
  }
}

}  // namespace gatehouse::bridge
