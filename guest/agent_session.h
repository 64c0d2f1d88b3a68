// One connection to the exec agent, as far as bytes go: which requests the host may make, and when
// (common/ipc/agent_protocol.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/result.h"
#include "common/ipc/agent_protocol.h"
#include "common/ipc/frame.h"

namespace gatehouse::guest {

struct HelloRequest {};
struct StdinData {
  std::string bytes;
};
struct StdinEnd {};
struct SignalRequest {
  int number = 0;
};
using AgentRequest =
    std::variant<HelloRequest, ipc::Boot, ipc::Exec, StdinData, StdinEnd, SignalRequest, ipc::TerminalSize>;

class AgentSession {
 public:
  void feed(std::string_view bytes) { reader_.feed(bytes); }

  // The next request, nothing while it is incomplete, or an error after which the connection has to be closed: a frame
  // that cannot be read, is of no type a host sends, or comes out of order. The order is hello, at most one boot, one
  // exec, then input, signals and sizes.
  Result<std::optional<AgentRequest>> next();

 private:
  enum class Stage { greeting, idle, running, input_ended };

  Result<AgentRequest> read(const ipc::Frame& frame);

  ipc::FrameReader reader_;
  Stage stage_ = Stage::greeting;
  bool booted_ = false;
};

}  // namespace gatehouse::guest
