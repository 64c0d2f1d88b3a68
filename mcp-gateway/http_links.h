// The servers of tools over HTTP on the event loop: each request is a connection of its own to gatehouse-proxy, which
// keeps those to the servers.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/net/stream.h"
#include "common/policy/mcp.h"
#include "mcp-gateway/gateway.h"
#include "mcp-gateway/token_store.h"

namespace gatehouse::mcp {

inline constexpr std::chrono::seconds kLinkGreetingTime{30};
inline constexpr std::chrono::milliseconds kFirstAgain{500};  // after a server is given up, before the next try
inline constexpr std::chrono::milliseconds kLastAgain{60'000};

// What is known of the gateway's own clients, from before anybody could connect.
struct Oauth {
  std::map<std::string, SecretBytes> secrets = {};  // of clients, by the names of the policy's secrets
  std::optional<TokenStore> store = {};             // nothing: what is given ends with the process
};

class HttpLinks {
 public:
  // `proxy`: the Unix socket on which it takes requests of this gateway. `oauth`: what access tokens are had with.
  HttpLinks(Loop& loop, const std::vector<policy::McpServer>& servers, std::optional<Endpoint> proxy, Oauth oauth);
  ~HttpLinks();

  // What the gateway tells them by; nothing is heard of servers that are not theirs.
  Gateway::Callbacks callbacks();
  void start(Gateway& gateway);
  // Tells servers that their sessions are over, and returns when they know or kFarewellTime has passed. Not from within
  // the loop, which runs meanwhile.
  void end();

  // Of a person, as of Authorization.
  void begin_login(const std::string& server, std::string redirect, Authorization::ToldUrl url);
  void finish_login(const std::string& server, std::string_view query, Authorization::ToldEnd end);
  void abandon_login(const std::string& server);

 private:
  class Link;
  Link* find(const std::string& server);

  Loop& loop_;
  const std::optional<Endpoint> proxy_;
  Oauth oauth_;
  Gateway* gateway_ = nullptr;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace gatehouse::mcp
