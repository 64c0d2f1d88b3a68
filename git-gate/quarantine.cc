#include "git-gate/quarantine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/uuid.h"

namespace gatehouse::git_gate {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivateFolder = 0700;
constexpr char kPrefix[] = "push-";

Result<void> write_new_file(const std::string& path, std::string_view text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_errno("cannot make {}", path);
  return write_all(file.get(), text);
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), kPrivateFolder) != 0) return fail_errno("cannot make {}", path);
  return {};
}

void remove(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) log::error("the quarantine {} could not be removed: {}", path, error.message());
}

// As a partial clone's: what a pushed tree names and the push does not hold (.gitattributes, which fsck reads) is at
// the remote, and nothing is wrong with that. No URL, so that nothing is ever asked for it.
std::string config(git::ObjectFormat format) {
  return fmt::format(
      "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
      "[extensions]\n\tobjectformat = {}\n\tpartialclone = remote\n[remote \"remote\"]\n\tpromisor = true\n",
      to_string(format));
}

}  // namespace

Result<Quarantine> Quarantine::create(const std::string& folder, git::ObjectFormat format) {
  Quarantine made(folder + "/" + kPrefix + make_uuid());
  for (const char* below : {"", "/objects", "/objects/pack", "/refs"}) {
    if (auto ok = make_folder(made.path_ + below); !ok) return failed(ok);
  }
  if (auto ok = write_new_file(made.path_ + "/HEAD", "ref: refs/heads/none\n"); !ok) return failed(ok);
  if (auto ok = write_new_file(made.path_ + "/config", config(format)); !ok) return failed(ok);
  return made;
}

Quarantine::Quarantine(Quarantine&& other) noexcept : path_(std::exchange(other.path_, {})) {}

Quarantine::~Quarantine() {
  if (!path_.empty()) remove(path_);
}

Result<void> Quarantine::prepare(const std::string& folder) {
  if (::mkdir(folder.c_str(), kPrivateFolder) != 0 && errno != EEXIST) return fail_errno("cannot make {}", folder);
  struct stat found {};
  if (::lstat(folder.c_str(), &found) != 0) return fail_errno("cannot look at {}", folder);
  if (!S_ISDIR(found.st_mode) || found.st_uid != ::geteuid() || (found.st_mode & 077) != 0) {
    return fail("{} must be a folder of this user's that nobody else may enter", folder);
  }
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().starts_with(kPrefix)) remove(entry->path().string());
  }
  if (error) return fail("cannot look into {}: {}", folder, error.message());
  return {};
}

}  // namespace gatehouse::git_gate
