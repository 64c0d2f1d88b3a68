// The Model Context Protocol in a policy's terms: the servers that are started for a session, which calls of their
// tools pass, which resources may be read, and which prompts be had.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/verdict.h"
#include "common/policy/quota.h"

namespace gatehouse::policy {

inline constexpr uint64_t kDefaultToolResultBytes = 1 << 20;
inline constexpr std::chrono::milliseconds kDefaultCallTime{60'000};

// What becomes of a tool that nobody has seen before.
enum class NewTools {
  pin,      // it is taken as it is, and must stay so
  approve,  // it waits until somebody approves it
};
inline constexpr std::string_view kNewToolsNames[] = {"pin", "approve"};

// What a server may ask of the client while it works for it.
enum class McpAsk { elicitation, sampling, roots };
inline constexpr std::string_view kMcpAskNames[] = {"elicitation", "sampling", "roots"};

// What a server may reach on the host, besides its own folder and what programs need to run: the system's programs and
// libraries, to read and run. Never a Unix socket of somebody else's.
struct McpSandbox {
  std::vector<std::string> read;   // files and folders with all below them
  std::vector<std::string> write;  // likewise, to read and change
  bool network = false;

  bool operator==(const McpSandbox&) const = default;
};

// Where a server of tools is that is spoken to over HTTP and TLS.
struct McpEndpoint {
  std::string host;  // lower case
  uint16_t port = 443;
  std::string path;  // with the query

  bool operator==(const McpEndpoint&) const = default;
};

// Host and port of an HTTPS URL.
struct McpOrigin {
  std::string host;  // lower case
  uint16_t port = 443;

  bool operator==(const McpOrigin&) const = default;
};

enum class McpGrant {
  authorization_code,  // a person logs in: `gatehouse mcp login`
  client_credentials,  // the client has a secret of its own
};
inline constexpr std::string_view kMcpGrantNames[] = {"authorization_code", "client_credentials"};

// How the gateway comes by access tokens for a server that is elsewhere.
struct McpOauth {
  std::vector<McpOrigin> authorization_servers = {};  // that may issue them, besides the server's own origin
  McpGrant grant = McpGrant::authorization_code;
  std::string client_id = {};      // empty: the gateway registers itself; an https URL: where its metadata is
  std::string client_secret = {};  // a secret's name; empty: a public client
  std::optional<std::vector<std::string>> scopes = {};  // that are asked for, and no others; nothing: what is wanted

  // Whether tokens for a server there may come from this origin.
  bool trusts(const McpEndpoint& server, std::string_view host, uint16_t port) const;
  bool operator==(const McpOauth&) const = default;
};

// One that the gateway starts on the host and speaks to over its standard streams; or one that is there already.
struct McpServer {
  std::string name;
  std::vector<std::string> command =
      {};                      // a program, looked up in the PATH of servers unless it has a slash, and arguments
  std::string directory = {};  // in which it is started; empty: an empty one of its own
  std::vector<std::string> secrets = {};                   // that it is given, each in a variable of its name
  std::chrono::milliseconds call_time = kDefaultCallTime;  // that one call of its may take
  std::optional<Allowance> budget = {};                    // of all calls of its tools
  std::optional<McpSandbox> sandbox = {};                  // nothing: it may do what the user may
  NewTools new_tools = NewTools::pin;
  std::vector<std::string> shares_names_with = {};  // servers whose tools may be called as its own are, either way
  bool own_names = false;                           // shown as it calls them itself; then there is no other server
  std::vector<McpAsk> asks = {};                    // none: nothing
  std::optional<McpEndpoint> endpoint = {};         // where it is; then there is no command, and nothing is started
  std::optional<McpOauth> oauth = {};               // nothing: it is given what "secrets" bind to its host, if anything

  bool operator==(const McpServer&) const = default;
};

// A call as the guest makes it: `tool` is the server's own name for it.
struct McpCall {
  std::string_view server;
  std::string_view tool;
  const nlohmann::json& arguments;  // an object
};

// A resource to be read, by the server's own URI.
struct McpRead {
  std::string_view server;
  std::string_view uri;
};

// A prompt to be had, by the server's own name.
struct McpPrompt {
  std::string_view server;
  std::string_view prompt;
};

inline bool McpOauth::trusts(const McpEndpoint& server, std::string_view host, uint16_t port) const {
  if (host == server.host && port == server.port) return true;
  for (const auto& origin : authorization_servers) {
    if (origin.host == host && origin.port == port) return true;
  }
  return false;
}

struct McpDecision : Decision {
  uint64_t result_bytes = kDefaultToolResultBytes;  // of what is not denied: the narrowest of all rules that match
  std::string result_rule;                          // which says so; empty: the default
  std::vector<Quota> quotas;                        // what such a call is counted against
};

}  // namespace gatehouse::policy
