#include "launcher/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/fd.h"

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

Result<std::string> snapshot_certificates(const std::string& file, const std::string& directory) {
  const auto text = read_file(file, kMaxCertificatesBytes);
  if (!text) return failed(text);
  std::string copy = directory + "/upstream-ca.pem";
  if (auto ok = write_copy(copy, *text); !ok) return failed(ok);
  return copy;
}

}  // namespace gatehouse::launcher
