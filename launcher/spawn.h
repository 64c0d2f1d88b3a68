// Starting one child process of the house.
//
// A child gets exactly what its spec names: standard input from /dev/null, output where it is told, the listening
// sockets by the systemd protocol (sd_listen_fds(3)), the inherited descriptors after them, a minimal environment, a
// process group of its own (so that ^C on the terminal is not its business), no core dumps, no capabilities (root's
// neither) and no way to new privileges. It is killed by the kernel when the thread that spawned it ends, SIGKILL
// included.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace gatehouse::launcher {

struct PassedSocket {
  int fd = -1;       // stays the caller's
  std::string name;  // in LISTEN_FDNAMES; no colon
};

struct ProcessSpec {
  std::string program;                   // a path
  std::vector<std::string> arguments;    // after argv[0]
  std::vector<std::string> environment;  // "K=V" besides PATH, LANG and LISTEN_*
  std::vector<PassedSocket> sockets;     // numbered from 3
  std::vector<Fd> inherited;             // numbered from inherited_number(spec, 0)
  int output = -1;                       // stdout, and stderr unless `errors` is given; stays the caller's
  int errors = -1;                       // stderr; stays the caller's
  // Run in an empty network namespace of its own, where the kernel lets us make one.
  bool without_network = false;
  // For our own recipes: stay in the launcher's process group, so that ^C on the terminal ends it too, and keep root's
  // capabilities.
  bool recipe = false;
};

inline constexpr int kFirstPassedFd = 3;

// The number under which the child finds inherited[index], once spec.sockets is complete.
inline int inherited_number(const ProcessSpec& spec, size_t index) {
  return kFirstPassedFd + static_cast<int>(spec.sockets.size() + index);
}

struct Process {
  pid_t pid = -1;
  Fd pidfd;  // readable once it has ended
};

// Returns once the program is running; that it cannot be executed is an error here, not an early exit.
Result<Process> spawn(const ProcessSpec& spec);

// How a child ended, in words: "exited with code 2", "was killed by signal 9 (Killed)".
std::string describe_end(int wait_status);

}  // namespace gatehouse::launcher
