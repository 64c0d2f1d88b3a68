#include "guest/vsock.h"

#include <sys/socket.h>

#include <linux/vm_sockets.h>

namespace gatehouse::guest {

namespace {

SocketAddress vsock_address(unsigned cid, uint32_t port) {
  SocketAddress address;
  auto* vm = reinterpret_cast<sockaddr_vm*>(&address.storage);
  vm->svm_family = AF_VSOCK;
  vm->svm_cid = cid;
  vm->svm_port = port;
  address.length = sizeof *vm;
  return address;
}

}  // namespace

Connect vsock_connector(Loop& loop, uint32_t port) {
  return [&loop, port](Connecting::OnDone on_done) {
    return connect_stream(loop, vsock_address(VMADDR_CID_HOST, port), fmt::format("vsock port {} of the host", port),
                          std::move(on_done));
  };
}

Result<Fd> listen_vsock(uint32_t port) {
  Fd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("vsock socket");
  const auto address = vsock_address(VMADDR_CID_ANY, port);
  if (::bind(socket.get(), address.get(), address.length) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
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
