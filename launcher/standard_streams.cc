#include "launcher/standard_streams.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>

namespace gatehouse::launcher {

namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr int kWritesPerTurn = 64;
// A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)).
constexpr size_t kWriteBytes = 4096;

bool writable(int fd) {
  pollfd state{fd, POLLOUT, 0};
  return ::poll(&state, 1, 0) > 0;
}

}  // namespace

Result<std::unique_ptr<Readiness>> Readiness::watch(Loop& loop, int fd, uint32_t events, std::function<void()> ready) {
  std::unique_ptr<Readiness> readiness(new Readiness(loop, std::move(ready)));
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("epoll");
  epoll_event event{};
  event.events = events;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    if (errno != EPERM) return fail_errno("cannot watch descriptor {}", fd);
    return readiness;  // a file: epoll(7) refuses those, since they are always ready
  }
  readiness->epoll_ = std::move(epoll);
  readiness->watch_ =
      std::make_unique<FdWatch>(loop, readiness->epoll_.get(), [raw = readiness.get()](bool, bool) { raw->ready_(); });
  return readiness;
}

void Readiness::resume() {
  wanted_ = true;
  if (watch_)
    watch_->want(true, false);
  else
    post_ready();
}

void Readiness::pause() {
  wanted_ = false;
  if (watch_) watch_->want(false, false);
}

void Readiness::post_ready() {
  if (std::exchange(posted_, true)) return;
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    posted_ = false;
    if (!wanted_) return;
    ready_();
    if (!alive.expired() && wanted_) post_ready();
  });
}

Result<std::unique_ptr<InputStream>> InputStream::open(Loop& loop, int fd, std::function<void(std::string_view)> data) {
  std::unique_ptr<InputStream> stream(new InputStream(fd, std::move(data)));
  auto readiness = Readiness::watch(loop, fd, EPOLLIN, [raw = stream.get()] { raw->read_some(); });
  if (!readiness) return tl::unexpected(readiness.error());
  stream->readiness_ = std::move(*readiness);
  return stream;
}

void InputStream::resume() {
  if (!ended_) readiness_->resume();
}

void InputStream::pause() { readiness_->pause(); }

void InputStream::read_some() {
  std::array<char, kReadBytes> buffer;
  const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    ended_ = true;
    pause();
  }
  data_({buffer.data(), got > 0 ? static_cast<size_t>(got) : 0});
}

Result<std::unique_ptr<OutputStream>> OutputStream::open(Loop& loop, int fd, std::function<void()> drained) {
  std::unique_ptr<OutputStream> stream(new OutputStream(fd, std::move(drained)));
  auto readiness = Readiness::watch(loop, fd, EPOLLOUT, [raw = stream.get()] { raw->write_some(); });
  if (!readiness) return tl::unexpected(readiness.error());
  stream->readiness_ = std::move(*readiness);
  return stream;
}

void OutputStream::write(std::string_view bytes) {
  if (failed_ || bytes.empty()) return;
  queue_ += bytes;
  readiness_->resume();
}

void OutputStream::write_some() {
  size_t written = 0;
  for (int i = 0; i < kWritesPerTurn && written < queue_.size() && writable(fd_); ++i) {
    const size_t size = std::min(queue_.size() - written, kWriteBytes);
    const ssize_t put = ::write(fd_, queue_.data() + written, size);
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) break;
    if (put < 0) {
      failed_ = true;
      written = queue_.size();
      break;
    }
    written += static_cast<size_t>(put);
  }
  queue_.erase(0, written);
  if (!queue_.empty()) return;
  readiness_->pause();
  drained_();
}

}  // namespace gatehouse::launcher
