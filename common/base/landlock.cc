#include "common/base/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "common/base/fd.h"

namespace gatehouse {

namespace {

// From Documentation/userspace-api/landlock.rst. Spelled out, since the headers to build with may be older than the
// kernel to run on.
constexpr uint64_t kExecute = 1ULL << 0;
constexpr uint64_t kWriteFile = 1ULL << 1;
constexpr uint64_t kReadFile = 1ULL << 2;
constexpr uint64_t kReadDir = 1ULL << 3;
constexpr uint64_t kRemoveDir = 1ULL << 4;
constexpr uint64_t kRemoveFile = 1ULL << 5;
constexpr uint64_t kMakeDir = 1ULL << 7;
constexpr uint64_t kMakeReg = 1ULL << 8;
constexpr uint64_t kAllOfAbi1 = (1ULL << 13) - 1;
constexpr uint64_t kRefer = 1ULL << 13;     // ABI 2
constexpr uint64_t kTruncate = 1ULL << 14;  // ABI 3
constexpr uint64_t kIoctlDev = 1ULL << 15;  // ABI 5
constexpr uint64_t kBindTcp = 1ULL << 0;    // ABI 4
constexpr uint64_t kConnectTcp = 1ULL << 1;
constexpr uint64_t kScopeAbstractUnixSocket = 1ULL << 0;  // ABI 6
constexpr uint64_t kScopeSignal = 1ULL << 1;

constexpr uint32_t kCreateRulesetVersion = 1;
constexpr int kRulePathBeneath = 1;

struct RulesetAttributes {
  uint64_t handled_access_fs = 0;
  uint64_t handled_access_net = 0;  // ABI 4
  uint64_t scoped = 0;              // ABI 6
};

struct __attribute__((packed)) PathBeneath {
  uint64_t allowed_access;
  int32_t parent_fd;
};

RulesetAttributes everything(long abi, Outbound outbound) {
  RulesetAttributes attributes;
  attributes.handled_access_fs =
      kAllOfAbi1 | (abi >= 2 ? kRefer : 0) | (abi >= 3 ? kTruncate : 0) | (abi >= 5 ? kIoctlDev : 0);
  if (abi >= 4) attributes.handled_access_net = kBindTcp | (outbound == Outbound::network ? 0 : kConnectTcp);
  if (abi >= 6) attributes.scoped = kScopeAbstractUnixSocket | kScopeSignal;
  return attributes;
}

// The kernel refuses a structure longer than it knows unless the rest is zero, which it is.
size_t known_size(long abi) {
  return abi >= 6 ? sizeof(RulesetAttributes) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

Result<void> allow(int ruleset, const std::string& path, uint64_t access, bool may_be_missing) {
  const Fd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place && errno == ENOENT && may_be_missing) return {};
  if (!place) return fail_errno("cannot allow {}", path);
  struct stat found {};
  if (::fstat(place.get(), &found) != 0) return fail_errno("cannot allow {}", path);
  if (!S_ISDIR(found.st_mode)) access &= kExecute | kWriteFile | kReadFile | kTruncate;
  const PathBeneath rule{access, place.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, kRulePathBeneath, &rule, 0) != 0)
    return fail_errno("cannot allow {}", path);
  return {};
}

}  // namespace

Result<bool> apply_landlock(const Confinement& confinement) {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kCreateRulesetVersion);
  if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) return false;
  if (abi < 0) return fail_errno("cannot ask for Landlock");

  const RulesetAttributes attributes = everything(abi, confinement.outbound);
  const Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, known_size(abi), 0)));
  if (!ruleset) return fail_errno("cannot make a Landlock ruleset");
  for (const auto& path : confinement.read_paths) {
    if (auto ok = allow(ruleset.get(), path, kReadFile | kReadDir, true); !ok) return failed(ok);
  }
  const uint64_t write =
      (kReadFile | kReadDir | kWriteFile | kMakeReg | kRemoveFile | kTruncate) & attributes.handled_access_fs;
  for (const auto& path : confinement.write_paths) {
    if (auto ok = allow(ruleset.get(), path, write, false); !ok) return failed(ok);
  }
  for (const auto& path : confinement.work_paths) {
    if (auto ok = allow(ruleset.get(), path, write | kMakeDir | kRemoveDir, false); !ok) return failed(ok);
  }
  for (const auto& path : confinement.programs) {
    if (auto ok = allow(ruleset.get(), path, kExecute | kReadFile, false); !ok) return failed(ok);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return fail_errno("cannot apply Landlock");
  return true;
}

}  // namespace gatehouse
