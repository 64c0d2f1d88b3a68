// gatehouse mcp login SERVER: a person's consent for a server of tools, in a browser on this machine (RFC 8252).
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace gatehouse::launcher {

struct LoginOptions {
  std::string server;
  std::string socket;   // where the gateway hears logins
  std::string browser;  // a program that is given the URL; empty: $BROWSER, xdg-open, or nobody
  uint16_t port = 0;    // of the redirect URI, for clients that are registered with one; 0: any
};

// Blocks until the gateway has a token, or it is known why not. Prints the URL.
Result<void> log_in(const LoginOptions& options);

// The query of a request for the redirect URI; nothing: it is for something else. Of the head's first bytes.
std::string callback_query(std::string_view request);

}  // namespace gatehouse::launcher
