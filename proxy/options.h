// The proxy's command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/confine.h"
#include "common/base/options.h"
#include "common/net/endpoint.h"
#include "common/policy/policy.h"

namespace gatehouse::proxy {

inline constexpr int kMaxWorkers = 64;

struct ProxyOptions {
  GateOptions gate;
  std::string dns;          // --dns unix:PATH; empty: trust CONNECT, SNI and Host alone
  std::string dlp;          // --dlp unix:PATH; empty: nothing is scanned
  std::string approvals;    // --approvals unix:PATH; empty: what asks for approval is denied
  std::string tools;        // --tools unix:PATH; empty: nothing is taken from an MCP gateway, unless a socket is passed
  std::string git_gate;     // --git-gate unix:PATH; empty: nothing may be pushed
  std::string ca;           // --ca FILE or fd:N; empty: make one
  std::string ca_cert_out;  // --ca-cert-out FILE
  std::string credentials;  // --credentials FILE or fd:N; empty: none
  std::string call_key;     // --call-key FILE or fd:N; empty: calls of tools are linked to nothing
  std::string upstream_ca;  // --upstream-ca FILE, besides the system's roots; or empty
  int workers = 1;          // --workers N: event loops, a thread each
  std::optional<int> exit_code;  // end at once with this code
};
ProxyOptions parse_options(int argc, char** argv);

// What cannot be left out: policy, audit log and session name.
Result<void> require(const GateOptions& options);

// Where gatehouse-dns listens; nothing when --dns is not given. Must be a Unix socket.
Result<std::optional<Endpoint>> dns_endpoint(const ProxyOptions& options);

// Where approval is asked for; nothing when --approvals is not given. Must be a Unix socket.
Result<std::optional<Endpoint>> approver_endpoint(const ProxyOptions& options);

// Who looks through pushes; nothing when --git-gate is not given. Must be a Unix socket.
Result<std::optional<Endpoint>> git_gate_endpoint(const ProxyOptions& options);

// Opens the socket for --tools, where that is given, and adds it under the name it would be passed by.
Result<void> add_tools_socket(const ProxyOptions& options, std::vector<InheritedSocket>& sockets);

// Refuses a policy that names secrets, or says what becomes of findings, when there is no --dlp to find any.
Result<void> require_scanner(const ProxyOptions& options, const policy::Policy& policy);

// Where the audit log is: the one folder that the proxy may write to.
std::string audit_folder(const ProxyOptions& options);

// What the proxy still needs once its sockets are bound: the network, the resolver's files, the system's roots, and the
// audit log's folder.
Confinement confinement(const ProxyOptions& options);

}  // namespace gatehouse::proxy
