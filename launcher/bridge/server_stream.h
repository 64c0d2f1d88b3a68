// HostStream over a Unix socket on the event loop.
#pragma once

#include "common/base/fd.h"
#include "common/net/loop.h"
#include "launcher/bridge/host_stream.h"

namespace gatehouse::bridge {

class UnixStream final : public HostStream {
 public:
  // `socket` is connected and non-blocking.
  UnixStream(Loop& loop, Fd socket);

  Moved read(std::span<const iovec> into) override;
  Moved write(std::span<const iovec> bytes) override;
  void shutdown_sending() override;
  void shutdown_receiving() override;
  bool hung_up() const override;
  void watch(bool readable, bool writable) override;

 private:
  Fd socket_;
  FdWatch watch_;  // after the descriptor it watches, so that it goes first
};

}  // namespace gatehouse::bridge
