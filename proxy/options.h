// The proxy's command line.
#pragma once

#include <optional>
#include <string>

#include "common/base/confine.h"
#include "common/base/options.h"
#include "common/net/endpoint.h"

namespace gatehouse::proxy {

inline constexpr int kMaxWorkers = 64;

struct ProxyOptions {
  GateOptions gate;
  std::string dns;               // --dns unix:PATH; empty: trust CONNECT, SNI and Host alone
  std::string ca;                // --ca FILE or fd:N; empty: make one
  std::string ca_cert_out;       // --ca-cert-out FILE
  std::string upstream_ca;       // --upstream-ca FILE, besides the system's roots; or empty
  int workers = 1;               // --workers N: event loops, a thread each
  std::optional<int> exit_code;  // end at once with this code
};
ProxyOptions parse_options(int argc, char** argv);

// What cannot be left out: policy, audit log and session name.
Result<void> require(const GateOptions& options);

// Where gatehouse-dns listens; nothing when --dns is not given. Must be a Unix socket.
Result<std::optional<Endpoint>> dns_endpoint(const ProxyOptions& options);

// What the proxy still needs once its sockets are bound: the network, the resolver's files, the system's roots, and the
// audit log's folder.
Confinement confinement(const ProxyOptions& options);

}  // namespace gatehouse::proxy
