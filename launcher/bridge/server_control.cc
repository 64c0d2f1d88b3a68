#include "launcher/bridge/server_control.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace gatehouse::bridge {

namespace {

// The descriptors that came with what was read.
Result<std::vector<Fd>> take_fds(msghdr& header) {
  std::vector<Fd> fds;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  if ((header.msg_flags & MSG_CTRUNC) != 0) return fail("more than {} descriptors with a message", kMaxVhostFds);
  return fds;
}

}  // namespace

ControlConnection::ControlConnection(Loop& loop, Fd socket, OnMessage on_message, OnClosed on_closed)
    : socket_(std::move(socket)),
      on_message_(std::move(on_message)),
      on_closed_(std::move(on_closed)),
      watch_(loop, socket_.get(), [this](bool, bool) { read_messages(); }) {
  watch_.want(true, false);
}

bool ControlConnection::hung_up() const {
  pollfd poll{socket_.get(), 0, 0};
  return ::poll(&poll, 1, 0) == 1 && (poll.revents & (POLLHUP | POLLERR)) != 0;
}

void ControlConnection::read_messages() {
  while (true) {
    const auto more = read_some();
    if (more && *more) continue;
    if (more) return;
    const auto closed = on_closed_;  // outlives this object
    const std::string why = more.error().message();
    closed(why);
    return;
  }
}

// Reads as much as the message under way still lacks. False when there is nothing more for now.
Result<bool> ControlConnection::read_some() {
  std::array<char, kVhostHeaderBytes + kMaxVhostPayloadBytes> bytes;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxVhostFds * sizeof(int))> control;
  iovec part{bytes.data(), reader_.wanted()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got < 0) return fail_errno("read");
  if (got == 0) return fail("closed by QEMU");
  auto fds = take_fds(header);
  if (!fds) return failed(fds);
  auto message = reader_.add({bytes.data(), static_cast<size_t>(got)}, std::move(*fds));
  if (!message) return failed(message);
  if (!*message) return true;
  const auto answer = on_message_(std::move(**message));
  if (!answer) return failed(answer);
  if (auto ok = reply(*answer); !ok) return failed(ok);
  return true;
}

// QEMU waits for each reply, so a socket without room for a few dozen bytes means that it does not play by the rules.
Result<void> ControlConnection::reply(std::string_view bytes) {
  if (bytes.empty()) return {};
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return fail_errno("reply");
  if (static_cast<size_t>(sent) != bytes.size()) return fail("reply: QEMU does not read");
  return {};
}

}  // namespace gatehouse::bridge
