// Giving up, for good, whatever a process does not need once it is up.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace gatehouse {

// What a process may still reach of its own accord. Connections that others open to its listening sockets, and whatever
// is open already, are not concerned.
enum class Outbound {
  none,          // makes no socket, connects none (dns)
  unix_sockets,  // to Unix sockets only (bridge)
  network,       // to anywhere (proxy)
};

struct Confinement {
  Outbound outbound = Outbound::none;
  // Files and folders with all below them. One to read that does not exist is passed over; one to write must exist.
  // Below a folder to write, files may be read, made, written and removed.
  std::vector<std::string> read_paths = {};
  std::vector<std::string> write_paths = {};
  // Programs that may be run, with what they need to start; none: no process is made. What they are, they are under the
  // same confinement, and more of it if whoever starts them says so.
  std::vector<std::string> programs = {};
  // As write_paths, for folders too.
  std::vector<std::string> work_paths = {};
  size_t max_open_files = 1024;  // lowered to the hard limit, with a warning, where that is less
};

// To be called by main() when policies are read and sockets are bound, before the event loop runs and while the process
// has one thread: an open AuditLog is no obstacle as long as nothing has been appended. From then on, also for every
// thread started later:
//  - no new privileges, no core dump, no ptrace by others of the same user (PR_SET_DUMPABLE), at most max_open_files;
//  - files: only read_paths and write_paths, by Landlock; where the kernel has none, one warning says so;
//  - TCP ports: none bound (Landlock ABI 4, Linux 6.7), no abstract Unix socket and no signal to anybody else (ABI 6);
//  - system calls: an allow-list for libuv, OpenSSL and SQLite, everything else fails with EPERM. Only threads are
//  made,
//    no processes. execve, ptrace, mount, bpf and their like kill the process, since nothing of ours calls them.
//    With `programs` processes are made, and they and their own needs are allowed: no new namespace, and no ptrace;
//  - without Outbound::network: socket() fails but for AF_UNIX (for all with Outbound::none, connect() too), and no
//  memory
//    becomes executable.
// An inherited UDP socket can still send anywhere: leave a confined process none that it does not answer on.
// Failing at any step but a missing Landlock is an error, and the caller must not go on.
// Sanitizer builds stop after the resource limits and say so: LeakSanitizer needs ptrace, ThreadSanitizer a thread of
// its own.
Result<void> confine(const Confinement& confinement);

// What getaddrinfo() reads, and the modules it loads.
std::vector<std::string> system_resolver_paths();
// The libraries of programs.
std::vector<std::string> program_library_paths();
// Where OpenSSL's default trust store and configuration are.
std::vector<std::string> system_trust_paths();

}  // namespace gatehouse
