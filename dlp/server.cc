#include "dlp/server.h"

#include <fcntl.h>

#include <cassert>

#include "common/base/log.h"
#include "common/net/loop_threads.h"

namespace gatehouse::dlp {

Server::Server(std::list<Loop>& loops, std::vector<OpenScan> open_scans, JudgeFinding judge)
    : loops_(loops), judge_(std::move(judge)) {
  assert(open_scans.size() == loops.size());
  auto open_scan = open_scans.begin();
  for (auto& loop : loops) workers_.push_back(std::make_unique<Worker>(loop, std::move(*open_scan++), judge_));
}

Server::~Server() = default;

Result<void> Server::listen(std::vector<InheritedSocket> sockets) {
  for (auto& socket : sockets) {
    const std::string name = local_address(socket.fd.get());
    if (socket.datagram || name != "unix")
      return fail("the scanner listens on Unix stream sockets only, not on {}", name);
    log::info("listening on {}", name);
    for (auto& worker : workers_) {
      Fd copy(::fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 0));
      if (!copy) return fail_errno("cannot share a listening socket");
      if (auto ok = worker->listen(std::move(copy)); !ok) return failed(ok);
    }
  }
  return {};
}

int Server::run_until_signal() { return gatehouse::run_until_signal(loops_); }

}  // namespace gatehouse::dlp
