// The runtime directory of one running session, held by a lock: sockets and the policy snapshot live in it.
#pragma once

#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace gatehouse::launcher {

// Holds `path`/lock (flock(2)) as long as it lives, so that a name runs once at a time; the kernel lets go of it when
// the launcher dies in whatever way. Removes the directory at its end.
class SessionDirectory {
 public:
  // Takes the session's runtime directory (launcher/paths.h). What a dead session of that name left behind is removed.
  // A live one is an error that names its pid.
  static Result<SessionDirectory> acquire(std::string_view session);

  SessionDirectory(SessionDirectory&&) noexcept = default;
  SessionDirectory& operator=(SessionDirectory&&) = delete;
  ~SessionDirectory();

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

 private:
  SessionDirectory(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  Fd lock_;
};

}  // namespace gatehouse::launcher
