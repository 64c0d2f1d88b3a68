// Connections to upstreams: looked up, checked, dialled, verified; kept while idle and used again.
#pragma once

#include <chrono>
#include <list>
#include <memory>

#include "common/base/in_force.h"
#include "common/net/stream.h"
#include "proxy/generation.h"
#include "proxy/outside.h"
#include "proxy/tls_context.h"
#include "proxy/upstream_dialling.h"
#include "proxy/upstream_http2.h"
#include "proxy/upstream_stream.h"

namespace gatehouse::proxy {

inline constexpr std::chrono::seconds kIdleUpstreamTimeout{30};
inline constexpr size_t kMaxIdleUpstreams = 256;
inline constexpr size_t kMaxIdlePerTarget = 32;

// Belongs to one loop's thread; outlives what it opened.
class UpstreamPool {
 public:
  using OnOpened = Outside::OnOpened;
  using OnOpenedBytes = Outside::OnOpenedBytes;

  // Where a host is, and which addresses are refused, says the policy that is in force when a connection is made. One
  // made under an earlier policy carries what it was made for, and nothing else.
  UpstreamPool(Loop& loop, const InForce<Generation>& generation, TlsClientContext& tls);
  ~UpstreamPool();

  // A new connection (UpstreamDialling). `on_opened` is never called from within, and may destroy the opening.
  std::unique_ptr<Opening> open(const Target& target, OnOpened on_opened);
  // One on which this side speaks no TLS; it is never kept.
  std::unique_ptr<Opening> open_bytes(const Target& target, OnOpenedBytes on_opened);

  // On a connection to `target` that is there: one that was kept, or that carries other exchanges in HTTP/2; or null.
  std::unique_ptr<UpstreamLeg> take(const Target& target);

  // Keeps a connection from open() for further requests to `target`.
  void keep(const Target& target, std::unique_ptr<Upstream> upstream);

  size_t idle() const { return idle_.size(); }

 private:
  class Idle;
  struct Shared {
    Target target;
    std::shared_ptr<Http2Upstream> connection;
    std::chrono::steady_clock::time_point used;
  };

  std::unique_ptr<UpstreamLeg> share(const Target& target, std::unique_ptr<UpstreamStream> stream);
  void keep_up();
  void forget_expired();

  Loop& loop_;
  const InForce<Generation>& generations_;
  std::shared_ptr<const Generation> generation_;  // that of all that is kept
  TlsClientContext& tls_;
  std::list<Idle> idle_;  // most recently used first
  std::list<Shared> shared_;
  Timer sweep_;
};

}  // namespace gatehouse::proxy
