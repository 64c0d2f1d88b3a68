#include "proxy/upstream_dialling.h"

#include "common/base/wiping.h"
#include "proxy/proxy_tunnel.h"

namespace gatehouse::proxy {

namespace {

std::string address_text(const IpAddress& address, uint16_t port) {
  return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.to_string(), port);
}

OpenFailure failure(int status, std::string rule, std::string reason, std::string address = "") {
  return {std::nullopt, status, std::move(rule), std::move(reason), std::move(address)};
}

}  // namespace

UpstreamDialling::UpstreamDialling(Loop& loop, TlsClientContext& tls, std::shared_ptr<const Generation> generation,
                                   const Target& target, bool over_tls, OnDialled on_dialled)
    : loop_(loop),
      tls_(tls),
      generation_(std::move(generation)),
      target_(target),
      over_tls_(over_tls),
      proxy_(generation_->policy.upstream_proxy_for(target.host)),
      port_(proxy_ != nullptr ? proxy_->port : target.port),
      on_dialled_(std::move(on_dialled)),
      whole_(loop, [this] { timed_out(); }),
      one_(loop, [this] { next(fail("no answer within {} s", kConnectTimeout.count())); }) {
  whole_.start(generation_->policy.limits().connect_time);
  if (proxy_ != nullptr) {
    resolving_ = resolve(loop_, proxy_->host, [this](auto addresses) { resolved(std::move(addresses)); });
    return;
  }
  if (const auto override = generation_->policy.resolve_override(target.host)) {
    // The policy says where this host is; it need not be a public address.
    if (override->port != 0) port_ = override->port;
    loop_.post([this, address = override->address, alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) dial({address});
    });
    return;
  }
  resolving_ = resolve(loop_, target.host, [this](auto addresses) { resolved(std::move(addresses)); });
}

void UpstreamDialling::resolved(Result<std::vector<IpAddress>> addresses) {
  const auto lookup = std::move(resolving_);
  if (!addresses) {
    const auto why = proxy_ != nullptr ? addresses.error().in("the upstream proxy") : addresses.error();
    return done(tl::unexpected(failure(502, "upstream.lookup", why.message())));
  }
  if (proxy_ != nullptr) return dial(std::move(*addresses));  // the policy names it; it need not be public
  for (const auto& address : *addresses) {
    auto decision = generation_->policy.judge_address(address);
    if (decision.allowed()) continue;
    OpenFailure refused = failure(403, decision.rule_id, decision.reason, address.to_string());
    refused.denied = Decision{Verdict::deny, decision.rule_id, decision.reason};
    return done(tl::unexpected(std::move(refused)));
  }
  dial(std::move(*addresses));
}

void UpstreamDialling::dial(std::vector<IpAddress> addresses) {
  addresses_ = std::move(addresses);
  next(fail("no address"));
}

// Tries the next address; `last` is what became of the one before.
void UpstreamDialling::next(const Result<void>& last) {
  connecting_.reset();
  tunnel_.reset();
  upstream_.reset();
  if (tried_ == addresses_.size()) {
    return done(tl::unexpected(failure(502, last_rule_, last.error().message(), address_)));
  }
  const auto& address = addresses_[tried_++];
  address_ = address_text(address, port_) + (proxy_ != nullptr ? " (upstream proxy)" : "");
  last_rule_ = "upstream.connect";
  one_.start(kConnectTimeout);
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::tcp;
  endpoint.address = address;
  endpoint.port = port_;
  connecting_ = connect_stream(loop_, endpoint, [this](auto stream) { connected(std::move(stream)); });
}

void UpstreamDialling::connected(Result<std::unique_ptr<Stream>> stream) {
  if (!stream) return next(failed(stream));
  if (proxy_ != nullptr) return ask_for_tunnel(std::move(*stream));
  go_on(std::move(*stream));
}

void UpstreamDialling::ask_for_tunnel(std::unique_ptr<Stream> stream) {
  one_.stop();  // the proxy dials in its turn: from here on the time for the whole counts
  answer_.clear();
  tunnel_ = std::move(stream);
  tunnel_->set_callbacks({.data = [this](std::string_view bytes) { answered(bytes); },
                          .end = [this] { refused_by_proxy("it closed the connection instead of an answer"); },
                          .error = [this](const Error& error) { refused_by_proxy(error.message()); },
                          .drained = {}});
  const auto* credential = generation_->proxy_credential;
  auto request = tunnel_request(target_.host, target_.port, credential != nullptr ? credential->bytes.view() : "");
  tunnel_->write(request);
  wipe(request);
  tunnel_->start_reading();
}

void UpstreamDialling::answered(std::string_view bytes) {
  answer_ += bytes;
  const auto answer = read_tunnel_answer(answer_);
  if (!answer) return refused_by_proxy(answer.error().message());
  if (!*answer) return;
  const int status = (*answer)->status;
  if (status == 407) {
    return refused_by_proxy(proxy_->credential.empty()
                                ? "it wants a user and a password (407): name a secret as \"credential\""
                                : "it does not take the secret " + proxy_->credential + " (407)");
  }
  if (!(*answer)->open()) {
    return refused_by_proxy(
        fmt::format("it answers {} {} to CONNECT {}:{}", status, (*answer)->reason, target_.host, target_.port));
  }
  if ((*answer)->bytes != answer_.size()) return refused_by_proxy("something spoke in the tunnel before it was asked");
  tunnel_->stop_reading();
  // Not from within the stream's own callback, which is about to be another.
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) go_on(std::move(tunnel_));
  });
}

void UpstreamDialling::refused_by_proxy(std::string reason) {
  tunnel_->stop_reading();
  done(tl::unexpected(
      failure(502, "upstream.proxy", fmt::format("the upstream proxy {}: {}", proxy_->authority(), reason), address_)));
}

void UpstreamDialling::go_on(std::unique_ptr<Stream> stream) {
  if (over_tls_) return shake_hands(std::move(stream));
  done(std::make_unique<UpstreamStream>(std::move(stream), nullptr, address_, generation_));
}

void UpstreamDialling::shake_hands(std::unique_ptr<Stream> stream) {
  last_rule_ = "upstream.tls";
  const auto bare = target_.host.starts_with('[') ? target_.host.substr(1, target_.host.size() - 2) : target_.host;
  auto tls = TlsSession::connect(tls_, bare, target_.port, target_.http2,
                                 generation_->identities.find(target_.host, target_.port));
  if (!tls) return next(failed(tls));
  upstream_ = std::make_unique<UpstreamStream>(std::move(stream), std::move(*tls), address_, generation_);
  upstream_->handshake([this](const Result<void>& shaken) {
    if (shaken) return done(std::move(upstream_));
    if (upstream_->certificate_refused()) last_rule_ = "upstream.certificate";
    next(failed(shaken, "TLS with " + target_.host));
  });
}

void UpstreamDialling::timed_out() {
  const auto reason = tunnel_ ? fmt::format("the upstream proxy {} did not answer in time", proxy_->authority())
                              : std::string("the upstream could not be reached in time");
  done(tl::unexpected(failure(504, "upstream.timeout", reason, address_)));
}

// The last act: the callback may destroy this object.
void UpstreamDialling::done(Dialled outcome) {
  whole_.stop();
  one_.stop();
  const auto on_done = std::move(on_dialled_);
  on_done(std::move(outcome));
}

}  // namespace gatehouse::proxy
