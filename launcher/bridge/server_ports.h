// The port table: which Unix socket stands behind which vsock port, and the connections to them under way.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/loop.h"
#include "launcher/bridge/muxer.h"

namespace gatehouse::bridge {

// Guest ports to socket paths.
using PortTable = std::map<uint32_t, std::string>;

// Reads "53=unix:/run/dns.sock", once for each port; a port given twice is an error.
Result<PortTable> parse_port_table(const std::vector<std::string>& entries);

// Connects the guest's tickets to their sockets. A service that is slow to accept (its backlog is full, EAGAIN) is
// tried again until the muxer gives the ticket up; its queue does not hold up other services.
class PortConnector {
 public:
  // `muxer` answers the tickets; `on_answered` is called after some were, never from within connect().
  PortConnector(Loop& loop, Muxer& muxer, PortTable table, std::function<void()> on_answered);

  bool serves(uint32_t port) const { return table_.contains(port); }
  void connect(const Ticket& ticket);

 private:
  void answer_all();
  bool answer(const Ticket& ticket);

  Loop& loop_;
  Muxer& muxer_;
  PortTable table_;
  std::function<void()> on_answered_;
  std::map<uint32_t, std::deque<Ticket>> waiting_;  // by port, in order of arrival
  Timer retry_;
};

}  // namespace gatehouse::bridge
