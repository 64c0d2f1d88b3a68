#include "common/base/file_lock.h"

#include <sys/file.h>

namespace gatehouse {

Result<FileLock> FileLock::take(int fd) {
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno("the file cannot be locked");
  }
  return FileLock(fd);
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

}  // namespace gatehouse
