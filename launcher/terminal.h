// The user's terminal: raw mode while a command in the guest has a pty of its own, and the window's size.
#pragma once

#include <termios.h>

#include <optional>
#include <string_view>

#include "common/base/result.h"
#include "common/ipc/agent_protocol.h"

namespace gatehouse::launcher {

// True when both are terminals: the command then runs on a pty.
bool is_interactive(int input_fd, int output_fd);

// The window's size; the usual 24 by 80 when the terminal does not know.
ipc::TerminalSize terminal_size(int fd);

// What leaves a terminal fit for our own words after a guest has written to it, whatever it wrote: ST ends a string it
// began, DECSTR and SGR 0 undo hidden text, colours and character sets, and its last line may lack its end (ECMA-48
// sections 8.3.143 and 8.3.117; DECSTR is DEC's).
inline constexpr std::string_view kAfterGuest = "\x1b\\\x1b[!p\x1b[0m\n";

// Passes every key through to the guest, ^C and ^Z included, until it is destroyed.
class RawMode {
 public:
  static Result<RawMode> enter(int fd);
  RawMode(RawMode&& other) noexcept;
  RawMode& operator=(RawMode&&) = delete;
  ~RawMode();

 private:
  RawMode(int fd, const termios& before) : fd_(fd), before_(before) {}
  int fd_;
  termios before_;
};

}  // namespace gatehouse::launcher
