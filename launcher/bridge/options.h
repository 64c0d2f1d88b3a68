// The command line of gatehouse-bridge.
#pragma once

#include <optional>

#include "common/base/options.h"
#include "launcher/bridge/packet.h"
#include "launcher/bridge/server_ports.h"

namespace gatehouse::bridge {

struct Options {
  GateOptions gate;
  PortTable ports;                        // --guest-port PORT=unix:PATH, repeatable
  std::string host;                       // --host unix:PATH, besides LISTEN_FDS
  uint64_t guest_cid = kDefaultGuestCid;  // --guest-cid
};

// The options, or the exit code to end with at once (what was wrong has been printed).
struct BridgeOptions {
  Options options;
  std::optional<int> exit_code;
};
BridgeOptions parse_options(int argc, char** argv);

struct ListeningSockets {
  Fd vhost;
  Fd host;  // none when host-initiated connections are not wanted
};
// From LISTEN_FDS those named "vhost" and "host"; --listen is the former, --host the latter. Two of a kind, another
// name, or no socket for QEMU is an error.
Result<ListeningSockets> take_sockets(const Options& options);

// Takes from the process all but its open sockets, new Unix sockets (one for each connection) and the audit log's
// folder.
Result<void> give_up_the_rest(const Options& options);

}  // namespace gatehouse::bridge
