#include "mcp-gateway/sandbox.h"

#include <seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "common/base/landlock.h"

namespace gatehouse::mcp {

namespace {

// Programs of the system and what they read when they start. Nothing of the user's: no /proc, which shows other
// processes, and of /etc what is public and needed.
constexpr const char* kPrograms[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64"};
constexpr const char* kReadable[] = {
    "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ssl/certs",    "/etc/ssl/openssl.cnf",
    "/etc/localtime",   "/etc/mime.types",    "/etc/alternatives", "/usr/share/zoneinfo",
    "/dev/urandom",     "/dev/random",        "/dev/zero"};
constexpr const char* kForNetwork[] = {"/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf",  "/etc/host.conf",
                                       "/etc/gai.conf",    "/etc/services", "/run/systemd/resolve"};

// What would lead past the rules on sockets, or to other processes.
constexpr int kRefused[] = {SCMP_SYS(io_uring_setup),
                            SCMP_SYS(ptrace),
                            SCMP_SYS(process_vm_readv),
                            SCMP_SYS(process_vm_writev),
                            SCMP_SYS(pidfd_getfd),
                            SCMP_SYS(unshare),
                            SCMP_SYS(setns),
                            SCMP_SYS(mount),
                            SCMP_SYS(keyctl),
                            SCMP_SYS(add_key),
                            SCMP_SYS(request_key)};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

int filter_calls(bool network) {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return ENOMEM;
  const uint32_t refuse = SCMP_ACT_ERRNO(EACCES);
  for (const int call : kRefused) {
    if (const int done = seccomp_rule_add(filter.get(), refuse, call, 0); done != 0) return -done;
  }
  // Socket pairs are within the process and stay.
  const int sockets =
      network ? seccomp_rule_add(filter.get(), refuse, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0))
              : seccomp_rule_add(filter.get(), refuse, SCMP_SYS(socket), 0);
  if (sockets != 0) return -sockets;
  // 32-bit calls have other numbers: whoever makes one is killed, as libseccomp does by itself.
  return -seccomp_load(filter.get());
}

}  // namespace

int enter_sandbox(const policy::McpSandbox& sandbox, const std::string& program, const std::string& folder) {
  Confinement reach{.outbound = sandbox.network ? Outbound::network : Outbound::none,
                    .read_paths = {sandbox.read.begin(), sandbox.read.end()},
                    .write_paths = {"/dev/null"},
                    .programs = {program},
                    .work_paths = {sandbox.write.begin(), sandbox.write.end()}};
  for (const char* path : kReadable) reach.read_paths.emplace_back(path);
  for (const char* path : kPrograms) {
    reach.read_paths.emplace_back(path);
    if (::access(path, X_OK) == 0) reach.programs.emplace_back(path);
  }
  if (sandbox.network) {
    for (const char* path : kForNetwork) reach.read_paths.emplace_back(path);
  }
  reach.work_paths.push_back(folder);
  const auto landlocked = apply_landlock(reach);
  if (!landlocked) return errno != 0 ? errno : EPERM;
  if (!*landlocked) return ENOSYS;
  return filter_calls(sandbox.network);
}

}  // namespace gatehouse::mcp
