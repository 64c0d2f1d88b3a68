// A new connection to an upstream: look-up, verdicts on the addresses, connecting to one after another, TLS. Where the
// policy has an upstream proxy, it is the proxy that is looked up and connected, at the policy's word; a tunnel through
// it (CONNECT, for plain HTTP too) leads to the target, whose name the proxy resolves; and TLS is spoken within, with
// the target itself.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "common/net/stream.h"
#include "proxy/generation.h"
#include "proxy/outside.h"
#include "proxy/tls_context.h"
#include "proxy/upstream_stream.h"

namespace gatehouse::proxy {

inline constexpr std::chrono::seconds kConnectTimeout{10};  // one address

using Dialled = tl::expected<std::unique_ptr<UpstreamStream>, OpenFailure>;
using OnDialled = std::function<void(Dialled)>;

class UpstreamDialling final : public Opening {
 public:
  // Where the host is, and which addresses are refused, says the policy of `generation`. With `over_tls` it must prove
  // to be the target's. One refused address refuses them all. `on_dialled` is never called from within, once, and may
  // destroy this object.
  UpstreamDialling(Loop& loop, TlsClientContext& tls, std::shared_ptr<const Generation> generation,
                   const Target& target, bool over_tls, OnDialled on_dialled);

 private:
  void resolved(Result<std::vector<IpAddress>> addresses);
  void dial(std::vector<IpAddress> addresses);
  void next(const Result<void>& last);
  void connected(Result<std::unique_ptr<Stream>> stream);
  void ask_for_tunnel(std::unique_ptr<Stream> stream);
  void answered(std::string_view bytes);
  void refused_by_proxy(std::string reason);
  void go_on(std::unique_ptr<Stream> stream);
  void shake_hands(std::unique_ptr<Stream> stream);
  void timed_out();
  void done(Dialled outcome);

  Loop& loop_;
  TlsClientContext& tls_;
  const std::shared_ptr<const Generation> generation_;
  const Target target_;
  const bool over_tls_;
  const policy::UpstreamProxy* const proxy_;  // null: none
  uint16_t port_;
  OnDialled on_dialled_;
  std::vector<IpAddress> addresses_;
  size_t tried_ = 0;
  std::string address_;
  std::string last_rule_ = "upstream.connect";
  std::unique_ptr<Resolving> resolving_;
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<Stream> tunnel_;  // until the proxy has answered
  std::string answer_;
  std::unique_ptr<UpstreamStream> upstream_;
  Timer whole_;
  Timer one_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
