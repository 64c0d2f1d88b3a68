// The one connection on which every DNS query of the guest goes to the host.
#pragma once

#include <memory>
#include <string>

#include "common/net/loop.h"
#include "guest/dns_framing.h"
#include "guest/dns_table.h"
#include "guest/vsock.h"

namespace gatehouse::guest {

// Connects when there is a query to carry, and again after the host has closed. Every query is answered exactly
// once: by the host or, when that takes too long, the connection breaks or nobody is there, with SERVFAIL.
class DnsUplink {
 public:
  static constexpr size_t kMaxQueuedBytes = 512 * 1024;  // above that, queries are refused

  DnsUplink(Loop& loop, Connect connect);

  // `query` has a header (is_query()). The answer may come from within the call.
  void ask(std::string query, DnsTable::OnAnswer on_answer);

 private:
  void open();
  void opened(Result<std::unique_ptr<Stream>> stream);
  void received(std::string_view bytes);
  void close();
  static void deliver(std::vector<DnsTable::Settled> settled);

  Connect connect_;
  DnsTable table_;
  std::string pending_;  // framed queries that wait for the connection to open
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<Stream> stream_;
  DnsFrameReader reader_;
  Timer expiry_;
};

}  // namespace gatehouse::guest
