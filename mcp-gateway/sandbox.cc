#include "mcp-gateway/sandbox.h"

#include <seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

// Both arguments are ints, of which the kernel reads the lower half of the register alone.
constexpr uint64_t kInt = 0xffffffff;
constexpr uint64_t kTypeOfSocket = 0xf;                            // besides flags
constexpr unsigned kFamilies[] = {AF_INET, AF_INET6, AF_NETLINK};  // the last for looking names up

scmp_arg_cmp argument(unsigned index, uint64_t mask, uint64_t value) {
  return {index, SCMP_CMP_MASKED_EQ, mask, value};
}

int refuse_sockets(void* filter, uint32_t refuse, bool network) {
  // A pair is within the process; but one of datagrams can be turned to any other socket that has a name.
  for (const unsigned type : {SOCK_DGRAM, SOCK_RAW}) {
    const auto of_type = argument(1, kTypeOfSocket, type);
    if (const int done = seccomp_rule_add_array(filter, refuse, SCMP_SYS(socketpair), 1, &of_type); done != 0)
      return done;
  }
  if (!network) return seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 0);
  for (unsigned family = 0; family < AF_MAX; ++family) {
    if (std::find(std::begin(kFamilies), std::end(kFamilies), family) != std::end(kFamilies)) continue;
    const auto of_family = argument(0, kInt, family);
    if (const int done = seccomp_rule_add_array(filter, refuse, SCMP_SYS(socket), 1, &of_family); done != 0)
      return done;
  }
  return 0;
}

int filter_calls(bool network) {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return ENOMEM;
  const uint32_t refuse = SCMP_ACT_ERRNO(EACCES);
  for (const int call : kRefused) {
    if (const int done = seccomp_rule_add(filter.get(), refuse, call, 0); done != 0) return -done;
  }
  if (const int done = refuse_sockets(filter.get(), refuse, network); done != 0) return -done;
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
