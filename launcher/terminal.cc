#include "launcher/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace gatehouse::launcher {

bool is_interactive(int input_fd, int output_fd) { return ::isatty(input_fd) == 1 && ::isatty(output_fd) == 1; }

ipc::TerminalSize terminal_size(int fd) {
  winsize window{};
  if (::ioctl(fd, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0) return {};
  return {window.ws_row, window.ws_col};
}

Result<RawMode> RawMode::enter(int fd) {
  termios before{};
  if (::tcgetattr(fd, &before) != 0) return fail_errno("cannot read the terminal's mode");
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSADRAIN, &raw) != 0) return fail_errno("cannot set the terminal's mode");
  return RawMode(fd, before);
}

RawMode::RawMode(RawMode&& other) noexcept : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}

RawMode::~RawMode() {
  if (fd_ >= 0) ::tcsetattr(fd_, TCSADRAIN, &before_);
}

}  // namespace gatehouse::launcher
