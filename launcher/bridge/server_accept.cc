#include "launcher/bridge/server_accept.h"

#include <sys/socket.h>

#include <cerrno>

namespace gatehouse::bridge {

namespace {

constexpr std::chrono::milliseconds kRetry{100};
constexpr int kMostAcceptsPerTurn = 64;

bool out_of_resources(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

Acceptor::Acceptor(Loop& loop, Fd listening, std::function<void(Fd)> on_accept)
    : listening_(std::move(listening)),
      on_accept_(std::move(on_accept)),
      watch_(loop, listening_.get(), [this](bool, bool) { accept_ready(); }),
      retry_(loop, [this] { watch_.want(true, false); }) {
  watch_.want(true, false);
}

void Acceptor::accept_ready() {
  for (int i = 0; i < kMostAcceptsPerTurn; ++i) {
    Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (out_of_resources(errno)) {
        watch_.want(false, false);
        retry_.start(kRetry);
      }
      return;
    }
    on_accept_(std::move(socket));
  }
}

}  // namespace gatehouse::bridge
