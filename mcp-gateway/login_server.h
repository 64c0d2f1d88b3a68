// Where `gatehouse mcp login` is heard, on a socket of its own that no guest reaches: whoever may connect to it may log
// in for the session. Lines of JSON:
//
//   {"login": SERVER, "redirect": URI}  ->  {"url": what to open in a browser}
//   {"query": what it came back with}   ->  {"done": true}
//
// or {"error": words} and the end. A connection that ends before is a login that is broken off.
#pragma once

#include <list>
#include <memory>

#include "common/net/endpoint.h"
#include "common/net/stream.h"
#include "mcp-gateway/http_links.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxLogins = 16;  // connections at once
inline constexpr size_t kMaxLoginLineBytes = 64 << 10;
inline constexpr char kLoginSocket[] = "login";  // its name when it is passed

class LoginServer {
 public:
  // `links` outlives it.
  LoginServer(Loop& loop, HttpLinks& links) : loop_(loop), links_(links) {}
  ~LoginServer();

  // A Unix stream socket.
  Result<void> listen(InheritedSocket socket);

 private:
  class Connection;
  Loop& loop_;
  HttpLinks& links_;
  std::unique_ptr<Listener> listener_;
  std::list<std::shared_ptr<Connection>> connections_;
};

// Whether a redirect URI is one of this machine's, by address (RFC 8252 section 7.3): "http://127.0.0.1:PORT/callback".
bool is_loopback_redirect(std::string_view uri);

}  // namespace gatehouse::mcp
