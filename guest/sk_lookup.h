// Brings every TCP connection of the guest to the relay, whatever its address and port, and leaves the true
// destination in getsockname(): a BPF sk_lookup program on the network namespace (kernel documentation,
// bpf/prog_sk_lookup.rst). No packet filter, no connection tracking, no rewritten address.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"

namespace gatehouse::guest {

// As long as this lives, a connection to any address but loopback (127.0.0.0/8, ::1) is accepted by `relay`, or by
// `dns` for port 53. Both are listening dual-stack sockets. If neither can take it, it is refused: nothing else gets
// it.
class TcpRedirect {
 public:
  static Result<TcpRedirect> attach(int relay, int dns);

 private:
  TcpRedirect(Fd map, Fd program, Fd link)
      : map_(std::move(map)), program_(std::move(program)), link_(std::move(link)) {}
  Fd map_;
  Fd program_;
  Fd link_;
};

}  // namespace gatehouse::guest
