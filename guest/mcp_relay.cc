#include "guest/mcp_relay.h"

#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "common/base/options.h"
#include "common/ipc/agent_protocol.h"

namespace gatehouse::guest {

namespace {

constexpr size_t kPieceBytes = 64 << 10;

Result<void> pump(int from, int to) {
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) return {};
    if (auto ok = write_all(to, std::string_view(piece).substr(0, static_cast<size_t>(got))); !ok) return ok;
  }
}

Result<Fd> connect_to_host() {
  Fd host(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!host) return fail_errno("vsock");
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_HOST;
  address.svm_port = ipc::kMcpPort;
  if (::connect(host.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno("vsock port {} of the host", ipc::kMcpPort);
  }
  return host;
}

}  // namespace

Result<void> carry(Fd host, int input, int output) {
  const auto shared = std::make_shared<const Fd>(std::move(host));
  std::thread([shared, input] {
    (void)pump(input, shared->get());
    ::shutdown(shared->get(), SHUT_WR);
  }).detach();  // it may wait for input for ever
  return pump(shared->get(), output);
}

int relay_mcp() {
  hold_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  auto host = connect_to_host();
  const auto carried = host ? carry(std::move(*host), STDIN_FILENO, STDOUT_FILENO) : failed(host);
  if (carried) ::_exit(kExitOk);
  const std::string words = fmt::format(
      "gatehouse-guest: the MCP gateway cannot be reached: {}. Does the session's policy declare \"mcp\" servers?\n",
      carried.error().message());
  std::fputs(words.c_str(), stderr);
  ::_exit(kExitFailed);  // another thread may still read
}

}  // namespace gatehouse::guest
