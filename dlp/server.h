// The scanner on its sockets: a worker for each loop, every socket accepted from by all of them.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "common/net/endpoint.h"
#include "dlp/worker.h"

namespace gatehouse::dlp {

class Server {
 public:
  // One worker for each of `loops` (at least one), which outlive the server, with one of `open_scans` (as many).
  Server(std::list<Loop>& loops, std::vector<OpenScan> open_scans, JudgeFinding judge);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Unix stream sockets only: whoever may connect may ask. Any other one is an error.
  Result<void> listen(std::vector<InheritedSocket> sockets);

  // Serves until SIGINT or SIGTERM; the first loop runs on the caller's thread.
  int run_until_signal();

 private:
  std::list<Loop>& loops_;
  const JudgeFinding judge_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace gatehouse::dlp
