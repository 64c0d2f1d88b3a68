// Processes that have confined themselves, for tests: nothing undoes it, so each test has a child process of its own.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>

#include "common/base/confine.h"
#include "common/base/fd.h"

// confine() says why sanitizer builds stop short.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_WHEN_SANITIZED() GTEST_SKIP() << "sanitizer build"
#else
#define SKIP_WHEN_SANITIZED() static_cast<void>(0)
#endif

namespace gatehouse::test {

// What `act` answers in a child that has called confine(), or how the child ended instead.
inline std::string confined(const Confinement& confinement, const std::function<std::string()>& act) {
  auto pipe = make_pipe();
  if (!pipe) return pipe.error().message();
  const pid_t child = ::fork();
  if (child == 0) {
    auto done = confine(confinement);
    (void)write_all(pipe->write.get(), done ? act() : done.error().message());
    ::_exit(0);
  }
  pipe->write.reset();
  auto answer = read_all(pipe->read.get(), 64 * 1024);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("killed by {}", ::sigabbrev_np(WTERMSIG(status)));
  return answer ? *answer : answer.error().message();
}

// "ok" or the name of errno.
inline std::string outcome(bool fine) { return fine ? "ok" : ::strerrorname_np(errno); }

inline std::string try_open(const std::string& path, int flags) {
  const Fd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return outcome(static_cast<bool>(file));
}

inline std::string try_connect(int family) {
  const Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::string("socket: ") + ::strerrorname_np(errno);
  sockaddr_in loopback{};
  loopback.sin_family = AF_INET;
  loopback.sin_port = htons(1);
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return outcome(::connect(socket.get(), reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0);
}

inline bool landlock_is_here() {
  return confined({}, [] { return try_open("/", O_RDONLY); }) == "EACCES";
}

}  // namespace gatehouse::test
