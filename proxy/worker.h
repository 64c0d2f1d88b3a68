// One event loop of the proxy with everything that belongs to its thread: certificates, TLS contexts, upstream
// connections, and the guest's connections it has accepted.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "common/audit/log.h"
#include "common/net/endpoint.h"
#include "common/net/loop.h"
#include "common/policy/policy.h"
#include "proxy/connection.h"
#include "proxy/crowd.h"
#include "proxy/held_body.h"

namespace gatehouse::proxy {

// What the workers of a process share; outlives them. Nothing in it changes while they run.
struct Shared {
  const InForce<Generation>& generation;
  audit::AuditLog& audit;
  const CertificateAuthority& authority;
  EVP_PKEY& leaf_key;
  const TicketKeys& tickets;
  std::string upstream_ca;
  std::optional<Endpoint> dns;
  std::optional<Endpoint> dlp;
  Telemetry* telemetry = nullptr;  // may be null
  std::optional<Endpoint> approver;
  std::optional<Endpoint> git_gate;
  Budgets& budgets;
  std::string holding_folder;  // for the bodies of requests that wait for the scanner
};

class Worker {
 public:
  // `loop` outlives the worker, and the audit log's callbacks.
  static Result<std::unique_ptr<Worker>> create(Loop& loop, const Shared& shared);
  ~Worker();

  Result<void> listen(Fd socket, GuestSession::Entry entry);

 private:
  Worker(Loop& loop, const Shared& shared);
  void accept(std::unique_ptr<Stream> stream, GuestSession::Entry entry);
  void note_crowd(std::optional<Decision> decision);

  Loop& loop_;
  const Shared& shared_;
  LeafCache leaves_;
  std::unique_ptr<TlsServerContext> server_tls_;
  std::unique_ptr<TlsClientContext> client_tls_;
  std::unique_ptr<UpstreamPool> upstreams_;
  std::unique_ptr<NameLookup> names_;
  BodyRoom room_;
  std::unique_ptr<dlp::ScanClient> scanner_;
  std::optional<Inspection> inspection_;
  std::unique_ptr<approval::Client> approver_;
  std::unique_ptr<git::GateClient> git_gate_;
  std::unique_ptr<Gate> gate_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Crowd crowd_;
  Timer crowd_period_;
};

}  // namespace gatehouse::proxy
