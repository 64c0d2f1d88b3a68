// What servers of tools over HTTP are asked, as bytes for gatehouse-proxy, which puts credentials in: none is known
// here. Pure. Specification basic/transports, Streamable HTTP, of both eras.
#pragma once

#include <string>
#include <string_view>

#include "mcp-gateway/upstream.h"

namespace gatehouse::mcp {

struct LinkPlace {
  std::string host;  // with the port where it is not 443
  std::string path;  // with the query
};

// Of the session era, as far as it is known; both empty before and without one.
struct LinkSession {
  std::string id;
  std::string_view revision;
};

// Whether a revision has no sessions: 2026-07-28 and what follows it.
bool is_stateless(std::string_view revision);

std::string post_request(const LinkPlace& place, const LinkSession& session, const Outgoing& message);
// For a stream of events: of what nobody asked for, or behind an event of it (`last_id` is not empty), or of another.
std::string stream_request(const LinkPlace& place, const LinkSession& session, std::string_view last_id);
// The session is over.
std::string farewell_request(const LinkPlace& place, const LinkSession& session);

// A text as fields of HTTP mirror it: itself, or "=?base64?...?=" where it could not be read back
// (specification 2026-07-28, basic/transports/streamable-http, Value Encoding).
std::string mirrored(std::string_view text);

}  // namespace gatehouse::mcp
