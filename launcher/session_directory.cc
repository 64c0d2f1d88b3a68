#include "launcher/session_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "launcher/paths.h"

namespace gatehouse::launcher {

namespace {

constexpr char kLockName[] = "lock";
constexpr size_t kMaxPidBytes = 32;

// Whether the open file is the one that `path` names now: a session that ended meanwhile removes its lock file, and a
// lock on the removed one would hold nothing.
bool still_named(const Fd& file, const std::string& path) {
  struct stat open_status {};
  struct stat named_status {};
  return ::fstat(file.get(), &open_status) == 0 && ::stat(path.c_str(), &named_status) == 0 &&
         open_status.st_dev == named_status.st_dev && open_status.st_ino == named_status.st_ino;
}

Result<void> remove_all_but_lock(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().filename() == kLockName) continue;
    std::filesystem::remove_all(entry.path(), error);
    if (error) break;
  }
  if (error) return fail("cannot clear {}: {}", directory, error.message());
  return {};
}

}  // namespace

Result<SessionDirectory> SessionDirectory::acquire(std::string_view session) {
  for (;;) {
    auto directory = session_runtime_directory(session);
    if (!directory) return failed(directory);
    const std::string lock_path = *directory + "/" + kLockName;
    Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock && errno == ENOENT) continue;  // a session that ended just now removed the directory
    if (!lock) return fail_errno("cannot open {}", lock_path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return fail_errno("cannot lock {}", lock_path);
      const auto pid = read_all(lock.get(), kMaxPidBytes);
      return fail("session '{}' is already running (pid {}): choose another --name or end it first", session,
                  pid && !pid->empty() ? *pid : "unknown");
    }
    if (!still_named(lock, lock_path)) continue;

    if (auto ok = remove_all_but_lock(*directory); !ok) return failed(ok);
    if (::ftruncate(lock.get(), 0) != 0) return fail_errno("cannot write {}", lock_path);
    if (auto ok = write_all(lock.get(), fmt::format("{}", ::getpid())); !ok) return failed(ok, lock_path);
    return SessionDirectory(std::move(*directory), std::move(lock));
  }
}

SessionDirectory::~SessionDirectory() {
  if (!lock_) return;
  std::error_code ignored;  // what cannot be removed now is removed by the next session of that name
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace gatehouse::launcher
