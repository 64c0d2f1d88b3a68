// The servers' processes on the event loop: what they write goes to their protocol, what that says goes to them, and
// one that ends is started again.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/net/stream.h"
#include "mcp-gateway/gateway.h"
#include "mcp-gateway/spawner.h"

namespace gatehouse::mcp {

inline constexpr std::chrono::seconds kGreetingTime{30};
inline constexpr std::chrono::milliseconds kFirstRestart{500};
inline constexpr std::chrono::milliseconds kLastRestart{60'000};
inline constexpr size_t kMaxServerQueuedBytes = 16 << 20;  // that a server has not read
inline constexpr size_t kMaxSaidBytes = 32 << 10;          // of a process's standard error that is logged

class Processes {
 public:
  Processes(Loop& loop, std::vector<policy::McpServer> servers, Fd spawner,
            std::function<void(audit::ProcessEvent)> record);
  ~Processes();

  // What the gateway tells them by.
  Gateway::Callbacks callbacks();
  // Starts them all.
  void start(Gateway& gateway);

 private:
  class Process;
  void read_reply();
  void ask(SpawnRequest::What what, uint32_t server);
  Process* find(const std::string& server);

  Loop& loop_;
  const std::vector<policy::McpServer> servers_;
  Fd spawner_;
  std::function<void(audit::ProcessEvent)> record_;
  Gateway* gateway_ = nullptr;
  std::vector<std::unique_ptr<Process>> processes_;  // in the order of servers_
  std::unique_ptr<FdWatch> watch_;
};

}  // namespace gatehouse::mcp
