// File descriptors with one owner.
#pragma once

#include <string>
#include <utility>

#include "common/base/result.h"

namespace gatehouse {

// Owns one file descriptor and closes it. -1 is "none".
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Puts /dev/null where standard input, output or error is closed, so that no file opened later takes its number and is
// read as input or written to as a message. The first thing main() does.
void hold_standard_descriptors();

struct PipeEnds {
  Fd read;
  Fd write;
};

// A pipe, both ends close-on-exec.
Result<PipeEnds> make_pipe();

// A connected pair of Unix stream sockets, both close-on-exec.
Result<std::pair<Fd, Fd>> make_socket_pair();

// The whole of a file or of an inherited descriptor, at most `limit` bytes; a larger one is an error, never cut short.
Result<std::string> read_file(const std::string& path, size_t limit);
Result<std::string> read_all(int fd, size_t limit);

// Writes every byte, whatever the kernel takes at once (blocking descriptors).
Result<void> write_all(int fd, std::string_view bytes);

}  // namespace gatehouse
