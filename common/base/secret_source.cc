#include "common/base/secret_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

#include "common/base/fd.h"

namespace gatehouse {

Result<std::string> read_secret_source(const std::string& source, size_t limit) {
  constexpr std::string_view kInherited = "fd:";
  if (source.starts_with(kInherited)) {
    const char* const end = source.data() + source.size();
    int number = -1;
    const auto read = std::from_chars(source.data() + kInherited.size(), end, number);
    if (read.ec != std::errc() || read.ptr != end || number <= STDERR_FILENO) {
      return fail("'{}': expected fd:N with the number of an inherited descriptor above 2", source);
    }
    const Fd pipe(number);
    auto text = read_all(pipe.get(), limit);
    if (!text) return failed(text, source);
    return text;
  }
  const Fd file(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno("cannot open {}", source);
  if (!S_ISREG(status.st_mode)) return fail("{} is no regular file", source);
  if (status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return fail("{} holds secrets and must be yours alone: chown it, or chmod 600 {}", source, source);
  }
  auto text = read_all(file.get(), limit);
  if (!text) return failed(text, source);
  return text;
}

}  // namespace gatehouse
