// The proxy on its sockets: a worker for each loop, every socket accepted from by all of them.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "proxy/options.h"
#include "proxy/worker.h"

namespace gatehouse::proxy {

class Server {
 public:
  // Loads or makes the CA and writes its certificate where --ca-cert-out says. One worker for each of `loops` (at least
  // one). The log and the loops outlive the server; the loops outlive the audit log too, which posts to them.
  static Result<std::unique_ptr<Server>> create(std::list<Loop>& loops, const ProxyOptions& options,
                                                policy::Policy policy, audit::AuditLog& audit);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Sockets named "transparent", and Unix sockets of no name, carry connections behind a PROXY v2 header; those
  // named "tools" the MCP gateway's requests; the others are an explicit proxy. A datagram socket is an error.
  Result<void> listen(std::vector<InheritedSocket> sockets);

  // Does all that may fail of putting another policy in force; what it gives does the rest. Of the secrets' values and
  // placeholders it has those that were handed over at the start.
  Result<std::function<void()>> prepare(policy::Policy next);

  // Serves until SIGINT or SIGTERM; the first loop runs on the caller's thread.
  int run_until_signal();

 private:
  Server(std::list<Loop>& loops, CertificateAuthority authority, tls::KeyPtr leaf_key, TicketKeys tickets);

  std::list<Loop>& loops_;
  CertificateAuthority authority_;
  tls::KeyPtr leaf_key_;
  TicketKeys tickets_;
  CredentialValues values_;
  std::unique_ptr<InForce<Generation>> generation_;
  std::unique_ptr<Telemetry> telemetry_;
  std::unique_ptr<Budgets> budgets_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace gatehouse::proxy
