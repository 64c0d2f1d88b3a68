#include "proxy/server.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/dlp/scanner_option.h"
#include "common/net/loop_threads.h"

namespace gatehouse::proxy {

namespace {

constexpr size_t kMaxPricesBytes = 1 << 20;

Result<void> write_certificate(const CertificateAuthority& authority, const std::string& path) {
  const auto pem = authority.certificate_pem();
  if (!pem) return failed(pem);
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return fail_errno("--ca-cert-out: cannot write {}", path);
  if (auto ok = write_all(file.get(), *pem); !ok) return failed(ok, "--ca-cert-out " + path);
  return {};
}

// Without the shipped table nothing has a price; one that cannot be read is a mistake to be told of.
Result<PriceTable> load_prices() {
  const auto directory = policy::policies_directory();
  const std::string path = directory ? *directory + "/prices/models.json" : "";
  if (path.empty() || ::access(path.c_str(), F_OK) != 0) {
    log::warn("there is no table of model prices: model calls are logged without their cost");
    return PriceTable();
  }
  const auto text = read_file(path, kMaxPricesBytes);
  if (!text) return failed(text);
  auto prices = PriceTable::parse(*text);
  if (!prices) return failed(prices, path);
  return prices;
}

Result<std::shared_ptr<const Generation>> make_generation(policy::Policy policy, const CredentialValues& values) {
  auto credentials = CredentialTable::create(policy, values);
  if (!credentials) return failed(credentials, "--credentials");
  auto identities = ClientIdentities::create(policy, values);
  if (!identities) return failed(identities);
  const auto proxy_credential = values.for_upstream_proxy(policy);
  if (!proxy_credential) return failed(proxy_credential);
  return std::make_shared<const Generation>(
      Generation{std::move(policy), std::move(*credentials), std::move(*identities), *proxy_credential});
}

GuestSession::Entry entry_of(const InheritedSocket& socket) {
  if (socket.name == "tools") return GuestSession::Entry::tools;
  const bool transparent =
      socket.name == "transparent" || (socket.name.empty() && local_address(socket.fd.get()) == "unix");
  return transparent ? GuestSession::Entry::transparent : GuestSession::Entry::explicit_proxy;
}

}  // namespace

Server::Server(std::list<Loop>& loops, CertificateAuthority authority, tls::KeyPtr leaf_key, TicketKeys tickets)
    : loops_(loops), authority_(std::move(authority)), leaf_key_(std::move(leaf_key)), tickets_(std::move(tickets)) {}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::create(std::list<Loop>& loops, const ProxyOptions& options,
                                               policy::Policy policy, audit::AuditLog& audit) {
  const auto dns = dns_endpoint(options);
  if (!dns) return failed(dns);
  const auto dlp = dlp::scanner_endpoint(options.dlp);
  if (!dlp) return failed(dlp);
  const auto git_gate = git_gate_endpoint(options);
  if (!git_gate) return failed(git_gate);
  const auto approver = approver_endpoint(options);
  if (!approver) return failed(approver);
  auto authority =
      options.ca.empty() ? CertificateAuthority::create(options.gate.session) : CertificateAuthority::load(options.ca);
  if (!authority) return failed(authority);
  auto leaf_key = tls::create_p256_key();
  if (!leaf_key) return failed(leaf_key);
  auto tickets = TicketKeys::create();
  if (!tickets) return failed(tickets);

  std::unique_ptr<Server> server(new Server(loops, std::move(*authority), std::move(*leaf_key), std::move(*tickets)));
  if (!options.credentials.empty()) {
    auto values = CredentialValues::load(options.credentials);
    if (!values) return failed(values, "--credentials");
    server->values_ = std::move(*values);
  }
  auto generation = make_generation(std::move(policy), server->values_);
  if (!generation) return failed(generation);
  server->generation_ = std::make_unique<InForce<Generation>>(std::move(*generation));
  auto prices = load_prices();
  if (!prices) return failed(prices);
  std::unique_ptr<mcp::CallHash> calls;
  if (!options.call_key.empty()) {
    auto loaded = mcp::CallHash::load(options.call_key);
    if (!loaded) return failed(loaded, "--call-key");
    calls = std::move(*loaded);
  }
  auto telemetry = Telemetry::create(std::move(*prices), std::move(calls));
  if (!telemetry) return failed(telemetry);
  server->telemetry_ = std::move(*telemetry);
  auto budgets = Budgets::open(options.gate.audit + "-budgets");
  if (!budgets) return failed(budgets);
  server->budgets_ = std::move(*budgets);
  server->shared_.reset(new Shared{.generation = *server->generation_,
                                   .audit = audit,
                                   .authority = server->authority_,
                                   .leaf_key = *server->leaf_key_,
                                   .tickets = server->tickets_,
                                   .upstream_ca = options.upstream_ca,
                                   .dns = *dns,
                                   .dlp = *dlp,
                                   .telemetry = server->telemetry_.get(),
                                   .approver = *approver,
                                   .git_gate = *git_gate,
                                   .budgets = *server->budgets_,
                                   .holding_folder = audit_folder(options)});
  for (auto& loop : loops) {
    auto worker = Worker::create(loop, *server->shared_);
    if (!worker) return failed(worker);
    server->workers_.push_back(std::move(*worker));
  }
  // Last: whoever waits for it finds nothing that could still be refused.
  if (!options.ca_cert_out.empty()) {
    if (auto ok = write_certificate(server->authority_, options.ca_cert_out); !ok) return failed(ok);
  }
  return server;
}

Result<void> Server::listen(std::vector<InheritedSocket> sockets) {
  for (auto& socket : sockets) {
    if (socket.datagram)
      return fail("the proxy listens on stream sockets only, not on {}", local_address(socket.fd.get()));
    const auto entry = entry_of(socket);
    log::info("listening on {} ({})", local_address(socket.fd.get()),
              entry == GuestSession::Entry::tools         ? "servers of tools"
              : entry == GuestSession::Entry::transparent ? "transparent"
                                                          : "explicit proxy");
    for (auto& worker : workers_) {
      Fd copy(::fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 0));
      if (!copy) return fail_errno("cannot share a listening socket");
      if (auto ok = worker->listen(std::move(copy), entry); !ok) return failed(ok);
    }
  }
  return {};
}

Result<std::function<void()>> Server::prepare(policy::Policy next) {
  auto generation = make_generation(std::move(next), values_);
  if (!generation) return failed(generation);
  return [this, made = std::move(*generation)] { generation_->set(made); };
}

int Server::run_until_signal() {
  const int code = gatehouse::run_until_signal(loops_);
  const std::string seen = telemetry_->summary();
  if (!seen.empty()) shared_->audit.append(audit::ProcessEvent{"proxy", ::getpid(), "telemetry", seen});
  return code;
}

}  // namespace gatehouse::proxy
