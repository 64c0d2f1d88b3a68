#include "guest/system.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <sstream>

#include "common/base/fd.h"

namespace gatehouse::guest {

namespace {

constexpr size_t kMaxModuleListBytes = 64 * 1024;
constexpr size_t kMaxHostnameBytes = 63;  // one DNS label
constexpr rlim_t kMostDescriptors = 65536;
constexpr mode_t kPlainFile = 0644;
constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPrivateFolder = 0700;

struct Mount {
  const char* source;
  const char* target;
  const char* type;
  unsigned long flags;
  const char* options;
};

constexpr unsigned long kNothingToRun = MS_NOSUID | MS_NOEXEC;

Result<void> mount_all(std::initializer_list<Mount> mounts) {
  for (const Mount& m : mounts) {
    ::mkdir(m.target, 0755);  // most exist; mount says it when one is missing
    if (::mount(m.source, m.target, m.type, m.flags, m.options) != 0) return fail_errno("mount {}", m.target);
  }
  return {};
}

Result<void> write_file(const char* path, std::string_view content, int flags = O_TRUNC) {
  const Fd file(::open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, kPlainFile));
  if (!file) return fail_errno("open {}", path);
  if (auto ok = write_all(file.get(), content); !ok) return failed(ok, path);
  return {};
}

Result<void> load_modules() {
  const auto order = read_file("/modules/order", kMaxModuleListBytes);
  if (!order) return failed(order);
  std::istringstream names(*order);
  for (std::string name; std::getline(names, name);) {
    const std::string path = "/modules/" + name;
    const Fd module(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!module) return fail_errno("open {}", path);
    if (::syscall(SYS_finit_module, module.get(), "", 0) != 0 && errno != EEXIST) return fail_errno("load {}", path);
    ::unlink(path.c_str());
  }
  return {};
}

Result<void> mount_root() {
  auto mounted = mount_all({{"/dev/vda", "/lower", "ext4", MS_RDONLY | MS_NODEV | MS_NOATIME, nullptr},
                            {"tmpfs", "/rw", "tmpfs", MS_NODEV, "mode=0755"}});
  if (!mounted) return mounted;
  ::mkdir("/rw/upper", 0755);
  ::mkdir("/rw/work", 0755);
  return mount_all(
      {{"overlay", "/root", "overlay", MS_NOATIME, "lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work"}});
}

// This binary stays in reach of the agent, for `gatehouse-guest mcp`, without a second copy in memory.
Result<void> keep_binary() {
  const std::string place = std::string("/root") + kOwnBinary;
  if (auto ok = write_file(place.c_str(), ""); !ok) return ok;
  if (::mount("/init", place.c_str(), nullptr, MS_BIND, nullptr) != 0) return fail_errno("mount {}", kOwnBinary);
  if (::mount(nullptr, place.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, nullptr) != 0) {
    return fail_errno("protect {}", kOwnBinary);
  }
  return {};
}

// The initial RAM disk cannot be unmounted (kernel: filesystems/ramfs-rootfs-initramfs.rst), so the new root is moved
// over it and what is left of it, this binary's file, is freed by name.
Result<void> switch_root() {
  for (const char* folder : {"/dev", "/proc", "/sys"}) {
    if (::mount(folder, (std::string("/root") + folder).c_str(), nullptr, MS_MOVE, nullptr) != 0) {
      return fail_errno("move {}", folder);
    }
  }
  ::unlink("/init");
  if (::chdir("/root") != 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 ||
      ::chdir("/") != 0) {
    return fail_errno("switch to the root image");
  }
  return {};
}

Result<void> set_clock(int64_t time_us) {
  const timespec now{time_us / 1'000'000, time_us % 1'000'000 * 1000};
  if (::clock_settime(CLOCK_REALTIME, &now) != 0) return fail_errno("set the clock");
  return {};
}

Result<void> set_hostname(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (name.empty() || name.size() > kMaxHostnameBytes || !plain) return fail("not a host name");
  if (::sethostname(name.data(), name.size()) != 0) return fail_errno("set the host name");
  if (auto ok = write_file("/etc/hostname", name + "\n"); !ok) return ok;
  return write_file("/etc/hosts", fmt::format("127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost\n", name));
}

Result<void> trust(const std::string& certificate) {
  if (certificate.find("-----BEGIN CERTIFICATE-----") != 0) return fail("the session CA is not a PEM certificate");
  if (auto ok = write_file(kSessionCaFile, certificate); !ok) return ok;
  return write_file(kCaBundleFile, "\n" + certificate, O_APPEND);
}

// Never in place of something the image has.
Result<void> make_file(const ipc::BootFile& file) {
  for (size_t slash = file.path.find('/', 1); slash != std::string::npos; slash = file.path.find('/', slash + 1)) {
    if (::mkdir(file.path.substr(0, slash).c_str(), kPrivateFolder) != 0 && errno != EEXIST) {
      return fail_errno("make {}", file.path.substr(0, slash));
    }
  }
  const Fd made(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (!made) return fail_errno("make {}", file.path);
  if (auto ok = write_all(made.get(), file.content); !ok) return failed(ok, file.path);
  return {};
}

}  // namespace

Result<void> enter_root() {
  auto ok = mount_all({{"proc", "/proc", "proc", kNothingToRun | MS_NODEV, nullptr},
                       {"sysfs", "/sys", "sysfs", kNothingToRun | MS_NODEV, nullptr},
                       {"devtmpfs", "/dev", "devtmpfs", kNothingToRun, nullptr}});
  if (ok) ok = load_modules();
  if (ok) ok = mount_root();
  if (ok) ok = keep_binary();
  if (ok) ok = switch_root();
  if (!ok) return ok;
  return mount_all({{"devpts", "/dev/pts", "devpts", kNothingToRun, "mode=0620,gid=5,ptmxmode=0666"},
                    {"tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
                    {"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"},
                    {"tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"}});
}

Result<void> configure_system() {
  ::umask(022);
  const rlimit descriptors{kMostDescriptors, kMostDescriptors};
  if (::setrlimit(RLIMIT_NOFILE, &descriptors) != 0) return fail_errno("raise the limit of descriptors");
  // These are devtmpfs's conventional links, which udev would make.
  for (const auto& [target, link] : {std::pair{"/proc/self/fd", "/dev/fd"},
                                     {"/proc/self/fd/0", "/dev/stdin"},
                                     {"/proc/self/fd/1", "/dev/stdout"},
                                     {"/proc/self/fd/2", "/dev/stderr"}}) {
    if (::symlink(target, link) != 0 && errno != EEXIST) return fail_errno("link {}", link);
  }
  return write_file("/etc/resolv.conf", "nameserver 127.0.0.1\n");
}

Result<void> apply(const ipc::Boot& boot) {
  if (auto ok = set_clock(boot.time_us); !ok) return ok;
  if (auto ok = set_hostname(boot.hostname); !ok) return ok;
  if (auto ok = trust(boot.ca_certificate); !ok) return ok;
  for (const auto& file : boot.files) {
    if (auto ok = make_file(file); !ok) return ok;
  }
  return {};
}

void report_progress(std::string_view stage) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const std::string line = fmt::format("gatehouse-guest: {}.{:02} {}\n", now.tv_sec, now.tv_nsec / 10'000'000, stage);
  (void)write_all(STDERR_FILENO, line);
}

void end_machine(const Error& why) {
  report_progress("fatal: " + why.message());
  ::sync();
  ::reboot(RB_AUTOBOOT);
  ::_exit(1);  // the kernel panics when PID 1 ends, which panic=-1 turns into a restart
}

}  // namespace gatehouse::guest
