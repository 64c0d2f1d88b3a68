// The host's side of the exec agent's protocol (common/ipc/agent_protocol.h) for one command, from the bridge's host
// socket on. Passive: bytes in, events and bytes out.
//
// The bridge's host socket speaks the hybrid convention: "CONNECT <port>\n", answered by "OK <host port>\n" once the
// guest has accepted. After it the connection is the guest's own, and every byte hostile.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/ipc/agent_protocol.h"
#include "common/ipc/frame.h"

namespace gatehouse::launcher {

// What the guest did.
struct AgentReady {};  // booted; the command is being started
struct AgentOutput {
  bool to_stderr = false;
  std::string bytes;
};
struct AgentExited {
  int code = 0;         // the command's own, or 126/127 when it could not be started
  std::string message;  // why it could not be started; empty when it ran. Hostile text.
};
using AgentEvent = std::variant<AgentReady, AgentOutput, AgentExited>;

class AgentClient {
 public:
  // `boot` makes the guest this session's (its clock is set from receive()'s) and `exec` is what it is to run.
  AgentClient(const ipc::Boot& boot, const ipc::Exec& exec);

  // What arrived, and the time now. An error is a breach of the protocol: the connection is of no use any more.
  Result<std::vector<AgentEvent>> receive(std::string_view bytes, int64_t now_utc_us);

  // What is to be sent next; asking takes it.
  std::string take_output();

  // True once the bridge has said that the guest listens.
  bool connected() const { return state_ != State::connecting; }
  // True while input, signals and sizes make sense; before and after they are dropped.
  bool running() const { return state_ == State::running; }

  void send_input(std::string_view bytes);  // cut into frames
  void end_input();
  void send_signal(int number);
  void resize(const ipc::TerminalSize& size);

 private:
  enum class State { connecting, greeting, booting, running, done };

  Result<void> read_connect_answer(std::string_view& bytes);
  Result<AgentEvent> read_running_frame(const ipc::Frame& frame);
  void send(ipc::AgentFrame type, std::string_view payload);

  State state_ = State::connecting;
  ipc::Boot boot_;
  std::string exec_;
  std::string answer_;  // the line from the bridge, as far as it has come
  ipc::FrameReader reader_;
  std::string output_;
};

}  // namespace gatehouse::launcher
