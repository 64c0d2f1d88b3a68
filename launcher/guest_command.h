// One command in the guest, from the first attempt to reach the agent to its exit code: standard streams, signals,
// window size and time-out in between.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/ipc/agent_protocol.h"
#include "common/net/loop.h"
#include "common/net/stream.h"
#include "launcher/agent_client.h"
#include "launcher/standard_streams.h"
#include "launcher/terminal.h"

namespace gatehouse::launcher {

class GuestCommand {
 public:
  struct Settings {
    std::string host_socket;  // the bridge's
    ipc::Boot boot;
    ipc::Exec exec;  // with a terminal size when interactive
    std::chrono::seconds boot_limit{0};
    std::optional<std::chrono::milliseconds> time_limit;  // from the command's start
  };
  struct Callbacks {
    std::function<void(std::string_view stage)> stage;  // "connected", "running"
    std::function<void(Result<AgentExited>)> done;      // called once
  };

  // Input, output and errors are the launcher's own standard streams.
  GuestCommand(Loop& loop, Settings settings, Callbacks callbacks);
  ~GuestCommand();
  GuestCommand(const GuestCommand&) = delete;
  GuestCommand& operator=(const GuestCommand&) = delete;

  Result<void> start();

  // A signal to the launcher: passed on to the running command (SIGWINCH as the new size); one that would end a
  // program ends the attempt to boot with code 128+number.
  void signal(int number);

 private:
  void connect();
  void connected(std::unique_ptr<Stream> stream);
  void lost(const Error& error);
  void received(std::string_view bytes);
  void handle(AgentEvent event);
  void begin();  // the command runs
  void take_input(std::string_view bytes);
  void flush();
  void apply_backpressure();
  void time_out();
  void finish_when_drained();
  void finish(Result<AgentExited> outcome);

  Loop& loop_;
  Settings settings_;
  Callbacks callbacks_;
  std::unique_ptr<AgentClient> client_;
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Timer> retry_;
  std::unique_ptr<Timer> limit_;  // of the boot, then of the command, then of its end
  std::unique_ptr<InputStream> input_;
  std::unique_ptr<OutputStream> output_;
  std::unique_ptr<OutputStream> errors_;
  std::optional<RawMode> raw_mode_;
  std::optional<AgentExited> exited_;
  std::string last_error_;
  bool timed_out_ = false;
};

}  // namespace gatehouse::launcher
