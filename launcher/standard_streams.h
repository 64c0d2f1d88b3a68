// The launcher's own stdin, stdout and stderr on the loop, whatever they are: terminals, pipes, sockets, files. They
// are shared with the shell that started us, so they are never made non-blocking; an epoll set of our own tells when
// one is ready, and then only so much is read or written as cannot block.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/net/loop.h"

namespace gatehouse::launcher {

// Tells when a shared descriptor is ready. Files are always ready.
class Readiness {
 public:
  // `events` is EPOLLIN or EPOLLOUT. `ready` may be called after pause() only if it was already on its way.
  static Result<std::unique_ptr<Readiness>> watch(Loop& loop, int fd, uint32_t events, std::function<void()> ready);
  void resume();
  void pause();

 private:
  Readiness(Loop& loop, std::function<void()> ready) : loop_(loop), ready_(std::move(ready)) {}
  void post_ready();

  Loop& loop_;
  std::function<void()> ready_;
  Fd epoll_;  // none for a file
  std::unique_ptr<FdWatch> watch_;
  bool wanted_ = false;
  bool posted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Reads a descriptor while resumed.
class InputStream {
 public:
  // `data` gets what was read, empty at the end of the input (also when reading fails); nothing follows the end.
  static Result<std::unique_ptr<InputStream>> open(Loop& loop, int fd, std::function<void(std::string_view)> data);
  void resume();
  void pause();

 private:
  InputStream(int fd, std::function<void(std::string_view)> data) : fd_(fd), data_(std::move(data)) {}
  void read_some();

  int fd_;
  std::function<void(std::string_view)> data_;
  std::unique_ptr<Readiness> readiness_;
  bool ended_ = false;
};

// Writes a descriptor as it takes bytes, and queues the rest.
class OutputStream {
 public:
  // `drained` is called whenever queued() has come back to 0. A reader that has gone (EPIPE) and every other failure
  // turn the stream into one that drops all and is always drained; failed() tells.
  static Result<std::unique_ptr<OutputStream>> open(Loop& loop, int fd, std::function<void()> drained);
  void write(std::string_view bytes);
  size_t queued() const { return queue_.size(); }
  bool failed() const { return failed_; }

 private:
  OutputStream(int fd, std::function<void()> drained) : fd_(fd), drained_(std::move(drained)) {}
  void write_some();

  int fd_;
  std::function<void()> drained_;
  std::unique_ptr<Readiness> readiness_;
  std::string queue_;
  bool failed_ = false;
};

}  // namespace gatehouse::launcher
