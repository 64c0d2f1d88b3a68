// A guest's connection on a socket: gives a GuestSession its socket and its Outside.
#pragma once

#include <functional>
#include <memory>

#include "common/audit/log.h"
#include "common/base/in_force.h"
#include "common/net/stream.h"
#include "proxy/generation.h"
#include "proxy/guest_session.h"
#include "proxy/name_lookup.h"
#include "proxy/upstream_pool.h"

namespace gatehouse::proxy {

// What every connection of one loop works with. All outlive the connections.
struct Gate {
  Loop& loop;
  const InForce<Generation>& generation;
  audit::AuditLog& audit;
  const TlsServerContext& tls;
  UpstreamPool& upstreams;
  NameLookup* names;             // null: no DNS gate is configured
  const Inspection* inspection;  // null: no scanner is
  Telemetry* telemetry;
  approval::Client* approver;  // null: nobody can be asked
  Budgets* budgets;
  git::GateClient* git_gate = nullptr;  // null: nothing may be pushed
};

class Connection final : private GuestSocket, private Outside {
 public:
  // `on_closed` is called once when the connection is over, and destroys it.
  Connection(const Gate& gate, GuestSession::Entry entry, std::unique_ptr<Stream> stream,
             std::function<void()> on_closed);
  ~Connection() override;

 private:
  void send(std::string_view bytes) override { stream_->write(bytes); }
  size_t queued() const override { return stream_->queued(); }
  void read(bool wanted) override;
  void shutdown() override { stream_->shutdown(); }
  void close(bool reset) override;
  void set_deadline(std::chrono::milliseconds after) override { deadline_.start(after); }
  std::shared_ptr<const Generation> generation() const override { return gate_.generation.get(); }
  const Inspection* inspection() const override { return gate_.inspection; }
  Telemetry* telemetry() const override { return gate_.telemetry; }
  Budgets* budgets() const override { return gate_.budgets; }
  approval::Client* approver() const override { return gate_.approver; }
  git::GateClient* git_gate() const override { return gate_.git_gate; }
  bool knows_names() const override { return gate_.names != nullptr; }
  void find_name(const IpAddress& address, OnName on_name) override;
  void commit(audit::Event event, OnCommitted on_committed) override;
  void note(audit::Event event) override { gate_.audit.append(std::move(event)); }
  std::unique_ptr<Opening> open(const Target& target, OnOpened on_opened) override {
    return gate_.upstreams.open(target, std::move(on_opened));
  }
  std::unique_ptr<Opening> open_bytes(const Target& target, OnOpenedBytes on_opened) override {
    return gate_.upstreams.open_bytes(target, std::move(on_opened));
  }
  std::unique_ptr<UpstreamLeg> take(const Target& target) override { return gate_.upstreams.take(target); }
  void keep(const Target& target, std::unique_ptr<Upstream> upstream) override {
    gate_.upstreams.keep(target, std::move(upstream));
  }

  const Gate& gate_;
  std::unique_ptr<Stream> stream_;
  std::function<void()> on_closed_;
  Timer deadline_;
  NameLookup::Lease lease_;  // of the address that the guest dialled
  bool closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  GuestSession session_;  // destroyed first: it still speaks to the others
};

}  // namespace gatehouse::proxy
