// Whether a request may go: first the names must agree, then the policy is asked. Pure.
#pragma once

#include <optional>
#include <string>

#include "common/base/verdict.h"
#include "common/policy/policy.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

// What is known of a connection before its first request.
struct Origin {
  enum class Way {
    transparent,  // the guest dialled `address` and the relay told us
    tunnel,       // inside an explicit CONNECT
    forward,      // an explicit proxy's plain requests: each names its own host
    tools,        // not the guest's: the MCP gateway's, to servers of tools that the policy declares
  };
  Way way = Way::transparent;
  std::string address;  // what the guest dialled; empty for explicit proxying
  uint16_t port = 0;    // 0 with Way::forward and Way::tools
  std::optional<std::string>
      name;  // of the address (by PTR) or of the CONNECT; nothing: unknown, trust SNI and Host alone
  std::optional<Decision> fault;  // why no request of this connection can be allowed ("address.unknown")
  bool tls = false;               // of Way::tools: there is none on this side, and will be on the other
  bool uninspected = false;       // TLS that is not intercepted
  std::string sni;
};

// Of requests by Way::tools: the trace that their rows are to share. Like all of that prefix it goes no further.
inline constexpr std::string_view kTraceField = "Gatehouse-Trace";
// Its requests that are for an access token, and not for a server of tools: judged by another rule, and not scanned,
// since all that they say is the gateway's own.
inline constexpr std::string_view kPurposeField = "Gatehouse-Purpose";
inline constexpr std::string_view kAuthorizationPurpose = "authorization";
inline constexpr std::string_view kAuthorizationRule = "mcp.authorization";
// The access token for a server of tools: it goes there as "Authorization: Bearer", unseen by log and scanner.
inline constexpr std::string_view kBearerField = "Gatehouse-Bearer";

// The built-in rules are "name.mismatch", "protocol.upgrade", "protocol.connect", "protocol.form", "http.override",
// "mcp.server", "mcp.authorization" and the origin's fault; all others are the policy's.
policy::HttpDecision judge_request(const policy::Policy& policy, const Origin& origin, const RequestHead& head);

// By its field; only to be asked of Way::tools.
bool is_for_authorization(const RequestHead& head);

// "https", "http"; of a request that opens a WebSocket "wss", "ws".
std::string_view scheme_of(const RequestHead& head);

// The port the request goes to.
uint16_t target_port(const Origin& origin, const RequestHead& head);

// `path` up to its query.
std::string_view without_query(std::string_view path);

// "https", "http", or "tls" where it is not known what is in it; for the audit row.
std::string channel_of(const Origin& origin);

}  // namespace gatehouse::proxy
