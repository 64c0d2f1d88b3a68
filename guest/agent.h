// The exec agent: runs the host's commands, one connection each (common/ipc/agent_protocol.h).
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "common/ipc/agent_protocol.h"
#include "common/net/stream.h"
#include "guest/child_reaper.h"

namespace gatehouse::guest {

class AgentConnection;

class Agent {
 public:
  struct Host {
    std::function<bool(int fd)> may_connect;                  // judges each connection's other end
    std::function<Result<void>(const ipc::Boot& boot)> boot;  // what a boot message does
  };

  static constexpr size_t kMaxConnections = 256;

  static Result<std::unique_ptr<Agent>> start(Loop& loop, ChildReaper& reaper, Fd listening, Host host);
  ~Agent();

 private:
  Agent(Loop& loop, ChildReaper& reaper, Host host);
  void accept(std::unique_ptr<Stream> stream);

  Loop& loop_;
  ChildReaper& reaper_;
  Host host_;
  bool booted_ = false;
  std::unique_ptr<Listener> listener_;
  std::unordered_map<uint64_t, std::unique_ptr<AgentConnection>> connections_;
  uint64_t next_id_ = 0;
};

}  // namespace gatehouse::guest
