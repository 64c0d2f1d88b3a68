#include "proxy/upstream_pool.h"

#include <algorithm>

#include "proxy/upstream_http1.h"

namespace gatehouse::proxy {

namespace {

constexpr std::chrono::seconds kSweepPeriod{5};

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
  const auto to_leg = [this, target, on_opened = std::move(on_opened)](Dialled dialled) {
    if (!dialled) return on_opened(tl::unexpected(std::move(dialled.error())));
    if ((*dialled)->alpn() == "h2") return on_opened(share(target, std::move(*dialled)));
    on_opened(std::make_unique<Http1Upstream>(std::move(*dialled)));
  };
  return std::make_unique<UpstreamDialling>(loop_, tls_, generation_, target, target.scheme == Scheme::https, to_leg);
}

std::unique_ptr<Opening> UpstreamPool::open_bytes(const Target& target, OnOpenedBytes on_opened) {
  keep_up();
  const auto to_bytes = [on_opened = std::move(on_opened)](Dialled dialled) {
    if (!dialled) return on_opened(tl::unexpected(std::move(dialled.error())));
    on_opened(std::move(*dialled));
  };
  return std::make_unique<UpstreamDialling>(loop_, tls_, generation_, target, false, to_bytes);
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
