#include "common/base/confine.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <filesystem>

#include "common/base/landlock.h"
#include "common/base/log.h"
#include "common/base/syscall_filter.h"

namespace gatehouse {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// Landlock and the filter bind the calling thread and its children; a thread that is there already would stay free.
Result<void> check_single_thread() {
  std::error_code error;
  size_t threads = 0;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    ++threads;
  }
  if (error) return fail("cannot count threads in /proc/self/task: {}", error.message());
  if (threads != 1) return fail("{} threads run already", threads);
  return {};
}

Result<void> limit_resources(size_t max_open_files) {
  const rlimit no_core{0, 0};
  if (::setrlimit(RLIMIT_CORE, &no_core) != 0) return fail_errno("cannot forbid core dumps");
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno("cannot read the limit of open files");
  if (files.rlim_max < max_open_files) {
    log::warn("the limit of open files is {}, {} would be wanted", files.rlim_max, max_open_files);
    max_open_files = files.rlim_max;
  }
  files = {max_open_files, max_open_files};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno("cannot limit open files");
  return {};
}

Result<void> give_up_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("cannot give up new privileges");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("cannot forbid ptrace and core dumps");
  return {};
}

Result<void> confine_steps(const Confinement& confinement) {
  if (auto ok = limit_resources(confinement.max_open_files); !ok) return ok;
  if (kSanitized) {
    log::warn("sanitizer build: neither files nor system calls are confined");
    return {};
  }
  if (auto ok = check_single_thread(); !ok) return ok;
  if (auto ok = give_up_privileges(); !ok) return ok;
  auto landlocked = apply_landlock(confinement);
  if (!landlocked) return failed(landlocked);
  if (!*landlocked) log::warn("this kernel has no Landlock: files are protected by their permissions alone");
  return apply_syscall_filter(confinement.outbound, !confinement.programs.empty());
}

}  // namespace

Result<void> confine(const Confinement& confinement) {
  auto confined = confine_steps(confinement);
  if (!confined) return failed(confined, "confinement");
  return confined;
}

std::vector<std::string> system_resolver_paths() {
  return {"/etc/resolv.conf",     "/etc/hosts",    "/etc/host.conf", "/etc/nsswitch.conf",
          "/etc/gai.conf",        "/etc/services", "/etc/protocols", "/etc/ld.so.cache",
          "/run/systemd/resolve", "/lib",          "/lib64",         "/usr/lib"};
}

std::vector<std::string> program_library_paths() { return {"/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache"}; }

std::vector<std::string> system_trust_paths() {
  return {"/etc/ssl", "/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"};
}

}  // namespace gatehouse
