#include "launcher/bridge/server_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace gatehouse::bridge {

namespace {

HostStream::Moved outcome(ssize_t bytes, HostStream::Status at_zero) {
  if (bytes > 0) return {HostStream::Status::ok, static_cast<size_t>(bytes)};
  if (bytes == 0) return {at_zero, 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {HostStream::Status::would_block, 0};
  return {HostStream::Status::failed, 0};
}

msghdr message(std::span<const iovec> parts) {
  msghdr header{};
  header.msg_iov = const_cast<iovec*>(parts.data());
  header.msg_iovlen = parts.size();
  return header;
}

}  // namespace

UnixStream::UnixStream(Loop& loop, Fd socket)
    : socket_(std::move(socket)), watch_(loop, socket_.get(), [this](bool readable, bool writable) {
        if (on_ready) on_ready(readable, writable, std::chrono::steady_clock::now());
      }) {}

HostStream::Moved UnixStream::read(std::span<const iovec> into) {
  msghdr header = message(into);
  return outcome(::recvmsg(socket_.get(), &header, MSG_DONTWAIT), Status::ended);
}

HostStream::Moved UnixStream::write(std::span<const iovec> bytes) {
  const msghdr header = message(bytes);
  return outcome(::sendmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL), Status::would_block);
}

void UnixStream::shutdown_sending() { ::shutdown(socket_.get(), SHUT_WR); }

void UnixStream::shutdown_receiving() { ::shutdown(socket_.get(), SHUT_RD); }

bool UnixStream::hung_up() const {
  pollfd poll{socket_.get(), 0, 0};
  return ::poll(&poll, 1, 0) == 1 && (poll.revents & (POLLHUP | POLLERR)) != 0;
}

void UnixStream::watch(bool readable, bool writable) { watch_.want(readable, writable); }

}  // namespace gatehouse::bridge
