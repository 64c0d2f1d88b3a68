#include "proxy/worker.h"

#include "common/base/uuid.h"
#include "common/dlp/scanner_option.h"
#include "proxy/git_exchange.h"

namespace gatehouse::proxy {

Worker::Worker(Loop& loop, const Shared& shared)
    : loop_(loop),
      shared_(shared),
      leaves_(shared.authority, shared.leaf_key),
      room_(shared.holding_folder),
      crowd_period_(loop, [this] { note_crowd(crowd_.tell()); }) {}

Worker::~Worker() { note_crowd(crowd_.tell()); }

Result<std::unique_ptr<Worker>> Worker::create(Loop& loop, const Shared& shared) {
  std::unique_ptr<Worker> worker(new Worker(loop, shared));
  auto server_tls = TlsServerContext::create(worker->leaves_, shared.authority, shared.tickets);
  if (!server_tls) return failed(server_tls);
  auto client_tls = TlsClientContext::create(shared.upstream_ca);
  if (!client_tls) return failed(client_tls);
  worker->server_tls_ = std::move(*server_tls);
  worker->client_tls_ = std::move(*client_tls);
  worker->upstreams_ = std::make_unique<UpstreamPool>(loop, shared.generation, *worker->client_tls_);
  if (shared.dns) worker->names_ = std::make_unique<NameLookup>(loop, *shared.dns);
  if (shared.dlp) {
    worker->scanner_ = dlp::ScanClient::create(
        loop, *shared.dlp, [&shared] { return dlp::scan_deadline(shared.generation.get()->policy.limits()); });
    worker->inspection_.emplace(Inspection{*worker->scanner_, worker->room_});
  }
  if (shared.approver) worker->approver_ = approval::Client::create(loop, *shared.approver);
  if (shared.git_gate) worker->git_gate_ = git::GateClient::create(loop, *shared.git_gate, kPushTime);
  worker->gate_.reset(new Gate{.loop = loop,
                               .generation = shared.generation,
                               .audit = shared.audit,
                               .tls = *worker->server_tls_,
                               .upstreams = *worker->upstreams_,
                               .names = worker->names_.get(),
                               .inspection = worker->inspection_ ? &*worker->inspection_ : nullptr,
                               .telemetry = shared.telemetry,
                               .approver = worker->approver_.get(),
                               .budgets = &shared.budgets,
                               .git_gate = worker->git_gate_.get()});
  return worker;
}

Result<void> Worker::listen(Fd socket, GuestSession::Entry entry) {
  auto listener = Listener::start(loop_, std::move(socket),
                                  [this, entry](std::unique_ptr<Stream> stream) { accept(std::move(stream), entry); });
  if (!listener) return failed(listener);
  listeners_.push_back(std::move(*listener));
  return {};
}

void Worker::accept(std::unique_ptr<Stream> stream, GuestSession::Entry entry) {
  if (connections_.size() >= kMaxConnections) return note_crowd(crowd_.refuse());
  const auto place = connections_.emplace(connections_.end());
  *place = std::make_unique<Connection>(*gate_, entry, std::move(stream), [this, place] { connections_.erase(place); });
}

void Worker::note_crowd(std::optional<Decision> decision) {
  if (!decision) return;
  crowd_period_.start(kCrowdedRowPeriod);
  audit::NetEvent event;
  event.event_id = make_uuid();
  event.trace_id = make_uuid();
  event.decision = std::move(*decision);
  event.channel = "tcp";
  shared_.audit.append(std::move(event));
}

}  // namespace gatehouse::proxy
