#include "common/base/syscall_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <type_traits>

namespace gatehouse {

namespace {

// What libuv, OpenSSL, SQLite, glibc's allocator and threads, and our own code call once a gate is up.
constexpr int kAllowed[] = {
    // open descriptors
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
    SCMP_SYS(flock),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchown),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(getdents64),
    // names; which of them is Landlock's business
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch),
    // memory
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    // threads and time
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(membarrier),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    // signals
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    SCMP_SYS(signalfd4),
    // what am I
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrandom),
    // events
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    // sockets that are there
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(listen),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(socketpair),
};

// A process that calls one of these is no longer ours.
constexpr int kFatal[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(open_by_handle_at),
};

// Starting programs, and what those call besides: git, and the loader of every program.
constexpr int kAllowedForPrograms[] = {
    SCMP_SYS(execve),    SCMP_SYS(fork),      SCMP_SYS(vfork),      SCMP_SYS(wait4),
    SCMP_SYS(waitid),    SCMP_SYS(kill),      SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(seccomp),   SCMP_SYS(prctl),     SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address),
    SCMP_SYS(prlimit64), SCMP_SYS(setrlimit), SCMP_SYS(getrlimit),  SCMP_SYS(close_range),
    SCMP_SYS(pipe),      SCMP_SYS(mmap),      SCMP_SYS(mprotect),   SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),   SCMP_SYS(rmdir),     SCMP_SYS(rename),     SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(link),      SCMP_SYS(linkat),     SCMP_SYS(chmod),
    SCMP_SYS(fchmodat),  SCMP_SYS(umask),     SCMP_SYS(chdir),      SCMP_SYS(fchdir),
    SCMP_SYS(setitimer), SCMP_SYS(getpgrp),   SCMP_SYS(getpgid),    SCMP_SYS(setpgid),
    SCMP_SYS(setsid),    SCMP_SYS(getgroups), SCMP_SYS(fadvise64),  SCMP_SYS(readahead),
    SCMP_SYS(statfs),    SCMP_SYS(fstatfs),
};
constexpr uint64_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

constexpr unsigned long kAllowedIoctls[] = {FIONBIO, FIOCLEX, FIONREAD, TCGETS};  // libuv, resolver, isatty
constexpr int kSetVma = 0x53564d41;                                               // PR_SET_VMA: names a mapping

// Collects the rules; the first one libseccomp refuses is the result.
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (context_ == nullptr) error_ = ENOMEM;
  }

  template <class... Compare>
  void add(uint32_t action, int call, Compare... compare) {
    if (error_ != 0) return;
    if constexpr (sizeof...(compare) == 0) {
      error_ = -::seccomp_rule_add(context_.get(), action, call, 0);
    } else {
      const scmp_arg_cmp comparisons[] = {compare...};
      error_ = -::seccomp_rule_add_array(context_.get(), action, call, sizeof...(compare), comparisons);
    }
  }

  Result<void> load() {
    // Sorted instead of in sequence: a dozen comparisons a call rather than a hundred.
    if (error_ == 0) error_ = -::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (error_ == 0) error_ = -::seccomp_load(context_.get());
    if (error_ != 0) return fail_errno_message(error_, "cannot filter system calls");
    return {};
  }

 private:
  struct Release {
    void operator()(void* context) const { ::seccomp_release(context); }
  };
  std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release> context_;
  int error_ = 0;
};

scmp_arg_cmp argument_is(unsigned index, uint64_t value) { return {index, SCMP_CMP_EQ, value, 0}; }

scmp_arg_cmp argument_has(unsigned index, uint64_t mask, uint64_t bits) {
  return {index, SCMP_CMP_MASKED_EQ, mask, bits};
}

void add_programs(Filter& filter) {
  for (const int call : kAllowedForPrograms) filter.add(SCMP_ACT_ALLOW, call);
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(clone), argument_has(0, kNewNamespaces, 0));
}

void add_conditional(Filter& filter, bool programs) {
  filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));  // its flags are out of a filter's sight: glibc then uses clone
  for (const auto request : kAllowedIoctls) filter.add(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), argument_is(1, request));
  if (programs) return add_programs(filter);
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(clone), argument_has(0, CLONE_THREAD, CLONE_THREAD));
  for (const auto option : {PR_SET_NAME, kSetVma}) {
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), argument_is(0, static_cast<uint64_t>(option)));
  }
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), argument_is(2, 0));  // reading only
}

void add_outbound(Filter& filter, Outbound outbound, bool programs) {
  if (outbound == Outbound::network) {
    // AF_NETLINK and bind: getaddrinfo() asks which kinds of addresses this host has.
    for (const auto family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
      filter.add(SCMP_ACT_ALLOW, SCMP_SYS(socket), argument_is(0, static_cast<uint64_t>(family)));
    }
    // getaddrinfo() loads modules.
    for (const int call : {SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
      filter.add(SCMP_ACT_ALLOW, call);
    }
    return;
  }
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    if (!programs) filter.add(SCMP_ACT_ALLOW, call, argument_has(2, PROT_EXEC, 0));
  }
  if (outbound == Outbound::unix_sockets) {
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(socket), argument_is(0, AF_UNIX));
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(connect));
  }
}

}  // namespace

Result<void> apply_syscall_filter(Outbound outbound, bool programs) {
  Filter filter;
  for (const int call : kAllowed) filter.add(SCMP_ACT_ALLOW, call);
  for (const int call : kFatal) {
    if (!programs || call != SCMP_SYS(execve)) filter.add(SCMP_ACT_KILL_PROCESS, call);
  }
  add_conditional(filter, programs);
  add_outbound(filter, outbound, programs);
  return filter.load();
}

}  // namespace gatehouse
