// One connection of the exec agent and the command that runs on it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/net/stream.h"
#include "guest/agent_session.h"
#include "guest/child_reaper.h"
#include "guest/command.h"

namespace gatehouse::guest {

// Owned by the agent. When the host ends the connection, or breaks the protocol, the command's process group is
// killed. Output is not read from the command while kMaxQueuedBytes wait for the host; the host is not read from while
// kMaxInputBytes wait for the command.
class AgentConnection {
 public:
  static constexpr size_t kMaxQueuedBytes = 256 * 1024;
  static constexpr size_t kMaxInputBytes = 1024 * 1024;

  struct Owner {
    std::function<Result<void>(const ipc::Boot& boot)> boot;
    std::function<bool()> booted;
    std::function<void()> forget;  // destroys this connection
  };

  AgentConnection(Loop& loop, ChildReaper& reaper, std::unique_ptr<Stream> stream, Owner owner);
  ~AgentConnection();

 private:
  // One of the command's output pipes, or its terminal.
  struct Output {
    ipc::AgentFrame frame;
    int fd = -1;
    std::unique_ptr<FdWatch> watch;
    bool open = false;
    size_t left = 0;  // once the command has ended: bytes it has written that are still to be read
  };

  void received(std::string_view bytes);
  Result<void> take(AgentRequest request);
  void run(const ipc::Exec& exec);
  void send(ipc::AgentFrame type, std::string_view payload);
  void open_output(Output& output, ipc::AgentFrame type, int fd);
  void read_output(Output& output);
  void watch_streams();
  void write_input();
  void update_reading();
  void command_ended(int wait_status);
  void finish_if_drained();
  void end();

  Loop& loop_;
  ChildReaper& reaper_;
  std::unique_ptr<Stream> stream_;
  Owner owner_;
  AgentSession session_;
  Command command_;
  Output output_;
  Output errors_;
  std::string input_;         // not yet taken by the command
  bool input_ended_ = false;  // the host has no more
  std::unique_ptr<FdWatch> input_watch_;
  std::optional<int> wait_status_;
  Timer drain_;       // bounds how long output may be held open after the command has ended
  Timer peer_check_;  // notices the host's leaving while it is not read from
  bool exit_sent_ = false;
};

}  // namespace gatehouse::guest
