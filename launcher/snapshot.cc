#include "launcher/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/base/fd.h"
#include "common/policy/policy.h"

namespace gatehouse::launcher {

namespace {

Result<void> write_copy(const std::string& path, std::string_view text) {
  const Fd copy(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0400));
  if (!copy) return fail_errno("cannot write {}", path);
  auto written = write_all(copy.get(), text);
  if (!written) return failed(written, path);
  return written;
}

}  // namespace

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
    if (auto ok = write_copy(copies.back(), *text); !ok) return failed(ok);
  }
  const auto copied = policy::Policy::load(copies);
  if (!copied) return failed(copied);
  if (copied->sha256() != sha256) return fail("the policy was changed while the session started: start again");
  return copies;
}

Result<std::string> snapshot_certificates(const std::string& file, const std::string& directory) {
  const auto text = read_file(file, kMaxCertificatesBytes);
  if (!text) return failed(text);
  std::string copy = directory + "/upstream-ca.pem";
  if (auto ok = write_copy(copy, *text); !ok) return failed(ok);
  return copy;
}

}  // namespace gatehouse::launcher
