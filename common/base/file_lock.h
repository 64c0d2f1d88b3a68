// A file for one process at a time, across sessions.
#pragma once

#include "common/base/fd.h"

namespace gatehouse {

// Holds the lock of an open file (flock(2), exclusive) as long as it lives; the kernel lets go of it when the process
// ends, however it does.
class FileLock {
 public:
  // Waits for it. The descriptor must outlive the lock.
  static Result<FileLock> take(int fd);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace gatehouse
