// DNS for the guest's programs, on port 53 of every address, UDP and TCP: whoever they ask, the host answers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "common/net/loop.h"
#include "common/net/stream.h"
#include "guest/dns_uplink.h"

namespace gatehouse::guest {

class DnsRelay {
 public:
  static constexpr size_t kMaxTcpClients = 256;          // one more, and the oldest goes
  static constexpr size_t kMaxQueuedBytes = 256 * 1024;  // a TCP client that does not read its answers goes

  // `udp` is from bind_udp(), `tcp` listens.
  static Result<std::unique_ptr<DnsRelay>> start(Loop& loop, Fd udp, Fd tcp, Connect connect);
  ~DnsRelay();

 private:
  struct TcpClient;

  DnsRelay(Loop& loop, Fd udp, Connect connect);
  void receive_datagrams();
  void accept(std::unique_ptr<Stream> stream);
  void receive(uint64_t client, std::string_view bytes);
  void answer(uint64_t client, std::string message);
  void forget(uint64_t client);

  Fd udp_;
  DnsUplink uplink_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Listener> listener_;
  std::map<uint64_t, std::unique_ptr<TcpClient>> clients_;  // in the order they came
  uint64_t next_client_ = 0;
};

}  // namespace gatehouse::guest
