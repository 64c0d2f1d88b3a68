#include "launcher/policy_snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/base/fd.h"
#include "common/policy/policy.h"

namespace gatehouse::launcher {

Result<std::vector<std::string>> snapshot_policies(const std::vector<std::string>& files, const std::string& sha256,
                                                   const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0) return fail_errno("cannot make {}", directory);
  std::vector<std::string> copies;
  for (const auto& file : files) {
    const auto text = read_file(file, policy::kMaxPolicyBytes);
    if (!text) return failed(text);
    // Numbered: two layers may have the same base name.
    const std::string name = std::filesystem::path(file).filename();
    copies.push_back(fmt::format("{}/{}-{}", directory, copies.size(), name));
    const Fd copy(::open(copies.back().c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0400));
    if (!copy) return fail_errno("cannot write {}", copies.back());
    if (auto ok = write_all(copy.get(), *text); !ok) return failed(ok, copies.back());
  }
  const auto copied = policy::Policy::load(copies);
  if (!copied) return failed(copied);
  if (copied->sha256() != sha256) return fail("the policy was changed while the session started: start again");
  return copies;
}

}  // namespace gatehouse::launcher
