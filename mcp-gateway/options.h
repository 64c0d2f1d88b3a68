// The gateway's command line.
#pragma once

#include <optional>
#include <string>

#include "common/base/confine.h"
#include "common/base/options.h"
#include "common/net/endpoint.h"
#include "common/policy/mcp.h"
#include "mcp-gateway/http_links.h"

namespace gatehouse::mcp {

struct McpOptions {
  GateOptions gate;
  std::string dlp;               // --dlp unix:PATH; required
  std::string approvals;         // --approvals unix:PATH
  std::string proxy;             // --proxy unix:PATH
  std::string secrets;           // --secrets fd:N or FILE: what servers are given
  std::string call_key;          // --call-key fd:N or FILE; empty: calls are linked to no model
  std::string work;              // --work DIR: servers' own folders; required
  std::string pins;              // --pins FILE: what was approved of tools; required
  std::string client_secrets;    // --client-secrets fd:N or FILE: of the gateway itself, for access tokens
  std::string tokens;            // --tokens FILE: what people's logins came to; empty: it ends with the process
  std::string login;             // --login unix:PATH: where people log in, unless a socket is passed; never the guest's
  std::optional<int> exit_code;  // end at once with this code
};
McpOptions parse_options(int argc, char** argv);

// What cannot be left out.
Result<void> require(const McpOptions& options);

struct Endpoints {
  Endpoint scanner;
  std::optional<Endpoint> approver;  // nothing: nobody can be asked
  std::optional<Endpoint> proxy;     // through which servers over HTTP are reached; nothing: none is
};
Result<Endpoints> endpoints(const McpOptions& options);

// What cannot be left out when some of the servers are over HTTP.
Result<void> require_proxy(const McpOptions& options, const std::vector<policy::McpServer>& servers);

// What access tokens are had with. Secrets that a server's "oauth" names must be there.
Result<Oauth> open_oauth(const McpOptions& options, const std::vector<policy::McpServer>& servers);

// Out of those that were passed, the one where people log in; or the one that --login says; or nothing.
Result<std::optional<InheritedSocket>> take_login_socket(const McpOptions& options, std::vector<InheritedSocket>& from);

// Its sockets, the scanner's, the approver's, and the audit log's folder. Servers are not its children.
Confinement confinement(const McpOptions& options);

}  // namespace gatehouse::mcp
