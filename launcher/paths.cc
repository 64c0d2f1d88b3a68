#include "launcher/paths.h"

#include <dirent.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace gatehouse::launcher {

namespace {

constexpr size_t kMaxSessionNameBytes = 40;
constexpr mode_t kPrivate = 0700;

// A directory variable of the XDG base directory specification. A relative value is to be ignored, says the
// specification, as if it were not set.
std::string xdg_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && value[0] == '/' ? value : "";
}

Result<std::string> home_directory() {
  if (const std::string home = xdg_variable("HOME"); !home.empty()) return home;
  const passwd* user = ::getpwuid(::getuid());
  if (user == nullptr || user->pw_dir == nullptr || user->pw_dir[0] != '/') {
    return fail("HOME is not set and user {} has no home directory", ::getuid());
  }
  return std::string(user->pw_dir);
}

// Makes what is missing of a directory that is not ours alone (~/.local/state).
Result<void> make_parents(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), kPrivate) != 0 && errno != EEXIST) return fail_errno("cannot make directory {}", part);
    if (slash == std::string::npos) return {};
  }
}

// Makes one directory that nobody else may look into, or checks that it is one. A symbolic link is refused: in /tmp
// anybody could have put it there.
Result<void> make_private(const std::string& path) {
  if (::mkdir(path.c_str(), kPrivate) != 0 && errno != EEXIST) return fail_errno("cannot make directory {}", path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return fail_errno("cannot look at directory {}", path);
  if (!S_ISDIR(status.st_mode)) return fail("{} exists and is not a directory", path);
  if (status.st_uid != ::geteuid()) {
    return fail("{} belongs to user {}, not to you (user {})", path, status.st_uid, ::geteuid());
  }
  if ((status.st_mode & 07777) != kPrivate && ::chmod(path.c_str(), kPrivate) != 0) {
    return fail_errno("cannot make {} private", path);
  }
  return {};
}

// `base`/`parts`..., each part private.
Result<std::string> private_directory(const std::string& base, std::initializer_list<std::string_view> parts) {
  if (auto ok = make_parents(base); !ok) return failed(ok);
  std::string path = base;
  for (const auto part : parts) {
    path += '/';
    path += part;
    if (auto ok = make_private(path); !ok) return failed(ok);
  }
  return path;
}

Result<std::string> base_directory(const char* variable, std::string_view below_home) {
  if (std::string base = xdg_variable(variable); !base.empty()) return base;
  auto home = home_directory();
  if (!home) return failed(home);
  return fmt::format("{}/{}", *home, below_home);
}

Result<std::string> state_base() { return base_directory("XDG_STATE_HOME", ".local/state"); }

// When the file was written last, the write-ahead log beside it included; 0 when there is none.
int64_t last_write_ns(const std::string& database) {
  int64_t last = 0;
  for (const char* suffix : {"", "-wal"}) {
    struct stat status {};
    if (::stat((database + suffix).c_str(), &status) != 0) continue;
    last = std::max(last, int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec);
  }
  return last;
}

}  // namespace

Result<void> check_session_name(std::string_view name) {
  const auto letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto allowed = [&](char c) { return letter_or_digit(c) || c == '-' || c == '_'; };
  if (name.empty() || name.size() > kMaxSessionNameBytes || !letter_or_digit(name.front()) ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return fail("'{}' is no session name: 1 to {} of a-z 0-9 - _, beginning with a letter or digit",
                name.substr(0, 100), kMaxSessionNameBytes);
  }
  return {};
}

Result<std::string> session_state_directory(std::string_view session) {
  if (auto ok = check_session_name(session); !ok) return failed(ok);
  auto base = state_base();
  if (!base) return failed(base);
  return private_directory(*base, {"gatehouse", "sessions", session});
}

Result<std::string> audit_log_path(std::string_view session) {
  if (auto ok = check_session_name(session); !ok) return failed(ok);
  auto base = state_base();
  if (!base) return failed(base);
  return fmt::format("{}/gatehouse/sessions/{}/audit.db", *base, session);
}

Result<std::string> mcp_pins_path() {
  auto base = state_base();
  if (!base) return failed(base);
  auto directory = private_directory(*base, {"gatehouse"});
  if (!directory) return directory;
  return *directory + "/mcp-pins";
}

Result<std::string> session_runtime_directory(std::string_view session) {
  if (auto ok = check_session_name(session); !ok) return failed(ok);
  if (const std::string base = xdg_variable("XDG_RUNTIME_DIR"); !base.empty()) {
    return private_directory(base, {"gatehouse", session});
  }
  const std::string user_directory = fmt::format("/run/user/{}", ::geteuid());
  if (::access(user_directory.c_str(), W_OK | X_OK) == 0) {
    return private_directory(user_directory, {"gatehouse", session});
  }
  return private_directory("/tmp", {fmt::format("gatehouse-{}", ::geteuid()), session});
}

Result<std::string> cache_directory() {
  auto base = base_directory("XDG_CACHE_HOME", ".cache");
  if (!base) return failed(base);
  return private_directory(*base, {"gatehouse"});
}

Result<std::string> latest_session() {
  auto base = state_base();
  if (!base) return failed(base);
  const std::string sessions = *base + "/gatehouse/sessions";
  const auto close = [](DIR* open) { ::closedir(open); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir(sessions.c_str()), close);
  if (directory == nullptr && errno != ENOENT) return fail_errno("cannot list {}", sessions);

  std::string latest;
  int64_t latest_ns = 0;
  while (directory != nullptr) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    if (!check_session_name(entry->d_name)) continue;
    const int64_t written_ns = last_write_ns(fmt::format("{}/{}/audit.db", sessions, entry->d_name));
    if (written_ns > latest_ns) {
      latest = entry->d_name;
      latest_ns = written_ns;
    }
  }
  if (latest.empty()) return fail("there is no session yet in {}: start one with `gatehouse run`", sessions);
  return latest;
}

}  // namespace gatehouse::launcher
