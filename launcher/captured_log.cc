#include "launcher/captured_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "common/base/log.h"

namespace gatehouse::launcher {

namespace {

constexpr size_t kReadBytes = 16 * 1024;

}  // namespace

Result<std::unique_ptr<CapturedLog>> CapturedLog::start(Loop& loop, std::string path, size_t limit) {
  auto pipe = make_pipe();
  if (!pipe) return failed(pipe);
  if (::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("cannot set up a pipe");
  std::unique_ptr<CapturedLog> log(new CapturedLog(std::move(path), limit, std::move(*pipe)));
  if (auto ok = log->begin_file(); !ok) return failed(ok);
  log->watch_ = std::make_unique<FdWatch>(loop, log->pipe_.read.get(), [raw = log.get()](bool, bool) { raw->drain(); });
  log->watch_->want(true, false);
  return log;
}

Result<void> CapturedLog::begin_file() {
  file_ = Fd(::open(path_.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) return fail_errno("cannot write {}", path_);
  written_ = 0;
  return {};
}

void CapturedLog::drain() {
  std::array<char, kReadBytes> buffer;
  // We hold a write end ourselves, so the pipe never ends. At most what a full pipe holds is read in one go: the guest
  // may write without pause.
  for (size_t total = 0; total < 4 * kReadBytes;) {
    const ssize_t got = ::read(pipe_.read.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    keep({buffer.data(), static_cast<size_t>(got)});
    total += static_cast<size_t>(got);
  }
}

void CapturedLog::keep(std::string_view bytes) {
  tail_ += bytes;
  if (tail_.size() > kLogTailBytes) tail_.erase(0, tail_.size() - kLogTailBytes);
  if (written_ + bytes.size() > limit_) {
    (void)std::rename(path_.c_str(), (path_ + ".old").c_str());
    if (auto ok = begin_file(); !ok) log::warn("{}", ok.error().message());
  }
  // A full disk loses the log, not the session; the audit log is another matter and another file.
  if (file_ && write_all(file_.get(), bytes)) written_ += bytes.size();
}

std::string CapturedLog::tail() const {
  std::string_view rest = tail_;
  if (rest.size() == kLogTailBytes) {
    const size_t newline = rest.find('\n');
    rest.remove_prefix(newline == std::string_view::npos ? 0 : newline + 1);
  }
  std::string text;
  while (!rest.empty()) {
    const size_t newline = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, newline);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) text += "  " + log::printable(line) + "\n";
    rest.remove_prefix(std::min(newline + 1, rest.size()));
  }
  return text;
}

}  // namespace gatehouse::launcher
