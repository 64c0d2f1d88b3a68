#include "guest/agent.h"

#include "guest/agent_connection.h"

namespace gatehouse::guest {

Agent::Agent(Loop& loop, ChildReaper& reaper, Host host) : loop_(loop), reaper_(reaper), host_(std::move(host)) {}
Agent::~Agent() = default;

Result<std::unique_ptr<Agent>> Agent::start(Loop& loop, ChildReaper& reaper, Fd listening, Host host) {
  std::unique_ptr<Agent> agent(new Agent(loop, reaper, std::move(host)));
  auto listener = Listener::start(loop, std::move(listening),
                                  [a = agent.get()](std::unique_ptr<Stream> stream) { a->accept(std::move(stream)); });
  if (!listener) return failed(listener, "agent");
  agent->listener_ = std::move(*listener);
  return agent;
}

void Agent::accept(std::unique_ptr<Stream> stream) {
  if (connections_.size() >= kMaxConnections || !host_.may_connect(stream->fd())) return;
  const uint64_t id = next_id_++;
  AgentConnection::Owner owner;
  owner.booted = [this] { return booted_; };
  owner.forget = [this, id] { connections_.erase(id); };
  owner.boot = [this](const ipc::Boot& boot) -> Result<void> {
    if (booted_) return fail("the guest has been given its boot message already");
    if (auto ok = host_.boot(boot); !ok) return ok;
    booted_ = true;
    return {};
  };
  connections_.emplace(id, std::make_unique<AgentConnection>(loop_, reaper_, std::move(stream), std::move(owner)));
}

}  // namespace gatehouse::guest
