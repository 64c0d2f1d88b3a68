#include "proxy/upstream_pool.h"

#include <algorithm>

#include "proxy/upstream_http1.h"

namespace gatehouse::proxy {

namespace {

constexpr std::chrono::seconds kSweepPeriod{5};

std::string address_text(const IpAddress& address, uint16_t port) {
  return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.to_string(), port);
}

OpenFailure failure(int status, std::string rule, std::string reason, std::string address = "") {
  return {std::nullopt, status, std::move(rule), std::move(reason), std::move(address)};
}

}  // namespace

// A kept connection. Whatever happens to it while nobody uses it ends its usefulness.
class UpstreamPool::Idle final : public UpstreamListener {
 public:
  Idle(Target kept_for, std::unique_ptr<Upstream> kept)
      : target(std::move(kept_for)), upstream(std::move(kept)), since(std::chrono::steady_clock::now()) {
    upstream->set_listener(this);
    upstream->read(true);
  }
  Idle(const Idle&) = delete;
  Idle& operator=(const Idle&) = delete;

  void on_upstream_bytes(std::string_view) override { useless = true; }
  void on_upstream_end(bool) override { useless = true; }
  void on_upstream_error(const Error&) override { useless = true; }
  void on_upstream_drained() override {}

  Target target;
  std::unique_ptr<Upstream> upstream;
  std::chrono::steady_clock::time_point since;
  bool useless = false;
};

// A new connection: look-up, verdicts on the addresses, connecting to one after another, TLS.
class UpstreamPool::Dialling final : public Opening {
 public:
  Dialling(UpstreamPool& pool, const Target& target, OnOpened on_opened)
      : pool_(pool),
        generation_(pool.generation_),
        target_(target),
        port_(target.port),
        on_opened_(std::move(on_opened)),
        whole_(pool.loop_, [this] { timed_out(); }),
        one_(pool.loop_, [this] { next(fail("no answer within {} s", kConnectTimeout.count())); }) {
    whole_.start(generation_->policy.limits().connect_time);
    if (const auto override = generation_->policy.resolve_override(target.host)) {
      // The policy says where this host is; it need not be a public address.
      if (override->port != 0) port_ = override->port;
      pool.loop_.post([this, address = override->address, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) dial({address});
      });
      return;
    }
    resolving_ = resolve(pool.loop_, target.host, [this](auto addresses) { resolved(std::move(addresses)); });
  }

 private:
  void resolved(Result<std::vector<IpAddress>> addresses) {
    const auto lookup = std::move(resolving_);
    if (!addresses) return done(tl::unexpected(failure(502, "upstream.lookup", addresses.error().message())));
    for (const auto& address : *addresses) {
      auto decision = generation_->policy.judge_address(address);
      if (decision.allowed()) continue;
      OpenFailure refused = failure(403, decision.rule_id, decision.reason, address.to_string());
      refused.denied = Decision{Verdict::deny, decision.rule_id, decision.reason};
      return done(tl::unexpected(std::move(refused)));
    }
    dial(std::move(*addresses));
  }

  void dial(std::vector<IpAddress> addresses) {
    addresses_ = std::move(addresses);
    next(fail("no address"));
  }

  // Tries the next address; `last` is what became of the one before.
  void next(const Result<void>& last) {
    connecting_.reset();
    upstream_.reset();
    if (tried_ == addresses_.size()) {
      return done(tl::unexpected(failure(502, last_rule_, last.error().message(), address_)));
    }
    const auto& address = addresses_[tried_++];
    address_ = address_text(address, port_);
    last_rule_ = "upstream.connect";
    one_.start(kConnectTimeout);
    Endpoint endpoint;
    endpoint.kind = Endpoint::Kind::tcp;
    endpoint.address = address;
    endpoint.port = port_;
    connecting_ = connect_stream(pool_.loop_, endpoint, [this](auto stream) { connected(std::move(stream)); });
  }

  void connected(Result<std::unique_ptr<Stream>> stream) {
    if (!stream) return next(failed(stream));
    if (target_.scheme == Scheme::http) {
      upstream_ = std::make_unique<UpstreamStream>(std::move(*stream), nullptr, address_, generation_);
      return done(std::make_unique<Http1Upstream>(std::move(upstream_)));
    }
    last_rule_ = "upstream.tls";
    const auto bare = target_.host.starts_with('[') ? target_.host.substr(1, target_.host.size() - 2) : target_.host;
    auto tls = TlsSession::connect(pool_.tls_, bare, target_.port, target_.http2,
                                   generation_->identities.find(target_.host, target_.port));
    if (!tls) return next(failed(tls));
    upstream_ = std::make_unique<UpstreamStream>(std::move(*stream), std::move(*tls), address_, generation_);
    upstream_->handshake([this](const Result<void>& shaken) {
      if (!shaken && upstream_->certificate_refused()) last_rule_ = "upstream.certificate";
      if (!shaken) return next(failed(shaken, "TLS with " + target_.host));
      if (upstream_->alpn() == "h2") return done(pool_.share(target_, std::move(upstream_)));
      done(std::make_unique<Http1Upstream>(std::move(upstream_)));
    });
  }

  void timed_out() {
    done(tl::unexpected(failure(504, "upstream.timeout", "the upstream could not be reached in time", address_)));
  }

  // The last act: the callback may destroy this object.
  void done(Opened outcome) {
    whole_.stop();
    one_.stop();
    const auto on_done = std::move(on_opened_);
    on_done(std::move(outcome));
  }

  UpstreamPool& pool_;
  const std::shared_ptr<const Generation> generation_;
  Target target_;
  uint16_t port_;
  OnOpened on_opened_;
  std::vector<IpAddress> addresses_;
  size_t tried_ = 0;
  std::string address_;
  std::string last_rule_ = "upstream.connect";
  std::unique_ptr<Resolving> resolving_;
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<UpstreamStream> upstream_;
  Timer whole_;
  Timer one_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

UpstreamPool::UpstreamPool(Loop& loop, const InForce<Generation>& generation, TlsClientContext& tls)
    : loop_(loop), generations_(generation), generation_(generation.get()), tls_(tls), sweep_(loop, [this] {
        forget_expired();
      }) {}

UpstreamPool::~UpstreamPool() = default;

// Another policy may refuse the very address that something kept is connected to.
void UpstreamPool::keep_up() {
  auto now = generations_.get();
  if (now == generation_) return;
  generation_ = std::move(now);
  idle_.clear();
  shared_.clear();  // exchanges on them hold them
}

std::unique_ptr<Opening> UpstreamPool::open(const Target& target, OnOpened on_opened) {
  keep_up();
  return std::make_unique<Dialling>(*this, target, std::move(on_opened));
}

std::unique_ptr<UpstreamLeg> UpstreamPool::share(const Target& target, std::unique_ptr<UpstreamStream> stream) {
  keep_up();
  if (stream->generation() != generation_) return Http2Upstream::create(std::move(stream))->open_leg();
  if (idle_.empty() && shared_.empty()) sweep_.repeat(kSweepPeriod);
  shared_.push_front({target, Http2Upstream::create(std::move(stream)), std::chrono::steady_clock::now()});
  return shared_.front().connection->open_leg();
}

std::unique_ptr<UpstreamLeg> UpstreamPool::take(const Target& target) {
  keep_up();
  for (auto& shared : shared_) {
    if (!target.http2 || shared.target != target || !shared.connection->usable()) continue;
    shared.used = std::chrono::steady_clock::now();
    return shared.connection->open_leg();
  }
  for (auto it = idle_.begin(); it != idle_.end();) {
    if (it->useless) {
      it = idle_.erase(it);
      continue;
    }
    if (it->target == target) {
      auto upstream = std::move(it->upstream);
      idle_.erase(it);
      upstream->set_listener(nullptr);
      return std::make_unique<Http1Upstream>(std::move(upstream));
    }
    ++it;
  }
  return nullptr;
}

void UpstreamPool::keep(const Target& target, std::unique_ptr<Upstream> upstream) {
  // Only open() makes upstreams, so this is one of ours.
  auto& stream = static_cast<UpstreamStream&>(*upstream);
  keep_up();
  if (stream.generation() != generation_) return;
  stream.mark_reused();
  if (idle_.empty() && shared_.empty()) sweep_.repeat(kSweepPeriod);
  const auto same = std::count_if(idle_.begin(), idle_.end(), [&](const Idle& idle) { return idle.target == target; });
  if (static_cast<size_t>(same) >= kMaxIdlePerTarget) return;
  idle_.emplace_front(target, std::move(upstream));
  if (idle_.size() > kMaxIdleUpstreams) idle_.pop_back();
}

void UpstreamPool::forget_expired() {
  keep_up();
  const auto now = std::chrono::steady_clock::now();
  idle_.remove_if([&](const Idle& idle) { return idle.useless || now - idle.since > kIdleUpstreamTimeout; });
  shared_.remove_if([&](Shared& shared) {
    const auto& connection = *shared.connection;
    if (!connection.idle()) shared.used = now;
    return connection.idle() && (!connection.usable() || now - shared.used > kIdleUpstreamTimeout);
  });
  if (idle_.empty() && shared_.empty()) sweep_.stop();
}

}  // namespace gatehouse::proxy
