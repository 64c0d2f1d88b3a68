// Accepts connections as plain descriptors: the bridge moves bytes between them and guest memory itself.
#pragma once

#include <functional>

#include "common/base/fd.h"
#include "common/net/loop.h"

namespace gatehouse::bridge {

class Acceptor {
 public:
  // Hands over non-blocking, close-on-exec sockets accepted on `listening` until destroyed. When descriptors run out,
  // connections wait in the kernel's queue.
  Acceptor(Loop& loop, Fd listening, std::function<void(Fd)> on_accept);

 private:
  void accept_ready();

  Fd listening_;
  std::function<void(Fd)> on_accept_;
  FdWatch watch_;
  Timer retry_;
};

}  // namespace gatehouse::bridge
