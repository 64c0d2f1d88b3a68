// The DNS gate on its sockets: ties transports, resolver and audit log to one event loop.
#pragma once

#include <memory>
#include <vector>

#include "common/audit/log.h"
#include "common/dlp/client.h"
#include "common/net/endpoint.h"
#include "common/net/loop.h"
#include "dns/datagram_server.h"
#include "dns/name_scan.h"
#include "dns/recorder.h"
#include "dns/resolver.h"
#include "dns/stream_server.h"

namespace gatehouse::dns {

class Server {
 public:
  // The arguments outlive the server. With a `scanner` (then the resolver must be a scanned one) every name is looked
  // through before its row; null: none is.
  Server(Loop& loop, Resolver& resolver, audit::AuditLog& audit, dlp::ScanClient* scanner);
  // Writes the rows that sum up what was counted and not yet told.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves all of them: datagram sockets as UDP, listening stream sockets with RFC 7766 framing.
  Result<void> listen(std::vector<InheritedSocket> sockets);

 private:
  void record(audit::DnsEvent event, std::string asked, Recorder::Committed committed);
  void tick();

  Loop& loop_;
  Resolver& resolver_;
  audit::AuditLog& audit_;
  std::unique_ptr<NameScan> name_scan_;  // or null
  Recorder recorder_;
  StreamServer streams_;
  std::vector<std::unique_ptr<DatagramServer>> datagrams_;
  Timer tick_;
};

}  // namespace gatehouse::dns
