// gatehouse-bridge on the event loop: QEMU's control socket, the guest's ports, the host's door, and the audit of what
// was refused.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/audit/log.h"
#include "common/net/loop.h"
#include "launcher/bridge/device.h"
#include "launcher/bridge/refusals.h"
#include "launcher/bridge/server_accept.h"
#include "launcher/bridge/server_control.h"
#include "launcher/bridge/server_hosts.h"
#include "launcher/bridge/server_ports.h"

namespace gatehouse::bridge {

class Server final : private HostSide, private DeviceHost {
 public:
  // `audit` outlives the server; nullptr when refusals are logged to stderr only.
  Server(Loop& loop, audit::AuditLog* audit, PortTable ports, uint64_t guest_cid);
  ~Server() override;

  // Listens for QEMU, and for host clients if a socket is given. At most one QEMU at a time.
  void start(Fd vhost, Fd host);

  size_t connections() const { return muxer_.size(); }

 private:
  // HostSide
  bool serves(uint32_t port) override { return ports_.serves(port); }
  void connect(const Ticket& ticket) override { ports_.connect(ticket); }
  void refused(const Refusal& refusal) override;
  void output_ready() override { work(); }
  // DeviceHost
  void watch_kick(size_t queue, int fd) override;
  void ring_broken(const std::string& why) override;

  void accept_control(Fd socket);
  void control_closed(const std::string& why);
  void connect_guest(uint32_t port, Fd socket);
  void work();
  void second_passed();
  void record(std::vector<audit::NetEvent> events);

  Loop& loop_;
  audit::AuditLog* audit_;
  Muxer muxer_;
  Device device_;
  PortConnector ports_;
  Refusals refusals_;
  Timer more_work_;
  Timer second_;
  std::array<std::unique_ptr<FdWatch>, Device::kQueues> kicks_;
  std::unique_ptr<ControlConnection> control_;
  std::unique_ptr<Acceptor> control_door_;
  std::unique_ptr<HostDoor> host_door_;
};

}  // namespace gatehouse::bridge
