#include "guest/vsock.h"

#include <sys/socket.h>

#include <linux/vm_sockets.h>

namespace gatehouse::guest {

namespace {

sockaddr_vm vsock_address(unsigned cid, uint32_t port) {
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = port;
  return address;
}

class VsockConnecting final : public Connecting {
 public:
  VsockConnecting(Loop& loop, uint32_t port, OnDone on_done)
      : loop_(loop),
        port_(port),
        on_done_(std::move(on_done)),
        socket_(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        alive_(std::make_shared<bool>(true)) {
    const sockaddr_vm address = vsock_address(VMADDR_CID_HOST, port);
    const int status = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (status != 0 && errno == EINPROGRESS) {
      watch_ = std::make_unique<FdWatch>(loop, socket_.get(), [this](bool, bool) { finish(pending_error()); });
      watch_->want(false, true);
      return;
    }
    loop.post([this, error = status == 0 ? 0 : errno, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) finish(error);
    });
  }

 private:
  int pending_error() const {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
  }

  void finish(int error) {
    watch_.reset();
    const auto on_done = std::move(on_done_);
    if (error != 0) {
      on_done(fail_errno_message(error, fmt::format("vsock port {} of the host", port_)));
      return;
    }
    on_done(Stream::adopt(loop_, std::move(socket_)));
  }

  Loop& loop_;
  uint32_t port_;
  OnDone on_done_;
  Fd socket_;
  std::unique_ptr<FdWatch> watch_;
  std::shared_ptr<bool> alive_;
};

}  // namespace

Connect vsock_connector(Loop& loop, uint32_t port) {
  return [&loop, port](Connecting::OnDone on_done) {
    return std::make_unique<VsockConnecting>(loop, port, std::move(on_done));
  };
}

Result<Fd> listen_vsock(uint32_t port) {
  Fd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("vsock socket");
  const sockaddr_vm address = vsock_address(VMADDR_CID_ANY, port);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return fail_errno("vsock port {}", port);
  }
  return socket;
}

bool peer_is_host(int fd) {
  sockaddr_vm peer{};
  socklen_t length = sizeof peer;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 && peer.svm_family == AF_VSOCK &&
         peer.svm_cid == VMADDR_CID_HOST;
}

}  // namespace gatehouse::guest
