// A client of the MCP gateway on the host, on the socket that the guest's calls come by: what it is shown and what
// becomes of its calls is what the guest would be shown and told.
#pragma once

#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/json/strict.h"

namespace gatehouse::launcher {

class McpClient {
 public:
  // Connects and greets. Blocks, as all of it does.
  static Result<McpClient> open(const std::string& socket);

  // The message that answers: it has "result" or "error".
  Result<json::Value> ask(std::string_view method, json::Value params);

 private:
  explicit McpClient(Fd socket) : socket_(std::move(socket)) {}
  Result<void> tell(json::Value message);
  Result<json::Value> read();

  Fd socket_;
  std::string held_;  // read, and not yet used
  int64_t last_id_ = 0;
};

}  // namespace gatehouse::launcher
