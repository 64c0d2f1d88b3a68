#include "proxy/guest_session.h"

#include <utility>

#include "common/base/uuid.h"
#include "proxy/foreign_protocol.h"
#include "proxy/guest_http1.h"
#include "proxy/guest_http2.h"
#include "proxy/tls_passthrough.h"

namespace gatehouse::proxy {

namespace {

constexpr char kTlsHandshakeRecord = 0x16;  // RFC 8446 section 5.1
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n";
constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

// A certificate and a URL write an IPv6 address differently.
std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

GuestSession::GuestSession(Entry entry, GuestSocket& socket, Outside& outside, const TlsServerContext& tls)
    : socket_(socket),
      outside_(outside),
      tls_context_(tls),
      state_(entry == Entry::transparent ? State::proxy_header : State::sensing) {
  if (entry == Entry::explicit_proxy) origin_.way = Origin::Way::forward;
  if (entry == Entry::tools) {
    origin_.way = Origin::Way::tools;
    origin_.tls = true;
  }
}

GuestSession::~GuestSession() = default;

void GuestSession::start() {
  socket_.set_deadline(state_ == State::proxy_header ? kProxyHeaderTimeout : kFirstByteOfGuestTimeout);
  socket_.read(true);
}

void GuestSession::on_bytes(std::string_view bytes) {
  retired_.reset();
  if (state_ == State::closed || state_ == State::refused) return;
  if (state_ == State::lingering) {
    lingered_ += bytes.size();
    if (lingered_ > kMaxLingerBytes) close(true);
    return;
  }
  if (tls_) return receive_tls(bytes);
  input_ += bytes;
  process();
}

void GuestSession::process() {
  bool more = true;
  while (more) {
    switch (state_) {
      case State::proxy_header:
        more = read_proxy_header();
        break;
      case State::sensing:
        more = sense();
        break;
      case State::talking:
        if (!input_.empty()) protocol_->on_bytes(input_);
        if (state_ == State::talking && guest_ended_ && !std::exchange(end_told_, true)) protocol_->on_end();
        return;
      case State::naming:
      case State::handshaking:
        more = false;
        break;
      case State::lingering:
      case State::refused:
      case State::closed:
        input_.clear();
        return;
    }
  }
  if (!wants_bytes()) socket_.read(false);
}

bool GuestSession::wants_bytes() const {
  if (state_ == State::talking) return protocol_->wants_bytes();
  return state_ != State::naming && state_ != State::refused && state_ != State::closed;
}

bool GuestSession::read_proxy_header() {
  const auto taken = proxy_header_.feed(input_);
  if (!taken) {
    refuse_connection(taken.error().id, taken.error().reason);
    return false;
  }
  input_.erase(0, *taken);
  if (!proxy_header_.complete()) return false;
  const auto& header = proxy_header_.header();
  origin_.address = header.destination.to_string();
  origin_.port = header.destination_port;
  if (!outside_.knows_names()) {
    start_sensing();
    return true;
  }
  // No name can be behind an address that is not of the pool; only for those is the DNS gate asked.
  if (!is_pool_address(header.destination)) {
    take_name(std::optional<std::string>());
    return true;
  }
  state_ = State::naming;
  socket_.read(false);
  socket_.set_deadline(kFirstByteOfGuestTimeout);  // the look-up has a shorter one of its own
  outside_.find_name(header.destination, [this](const auto& name) { on_name(name); });
  return false;
}

void GuestSession::on_name(const Result<std::optional<std::string>>& name) {
  if (state_ != State::naming) return;
  take_name(name);
  socket_.read(true);
  process();
}

void GuestSession::take_name(const Result<std::optional<std::string>>& name) {
  if (!name) {
    origin_.fault = Decision{Verdict::deny, "dns.unavailable",
                             "the name behind the address cannot be found out: " + name.error().message()};
  } else if (!*name) {
    origin_.fault = Decision{
        Verdict::deny, "address.unknown",
        origin_.address + " is not an address that Gatehouse's DNS has given out: connect to a host by its name"};
  } else {
    origin_.name = **name;
  }
  start_sensing();
}

void GuestSession::start_sensing() {
  state_ = State::sensing;
  socket_.set_deadline(kFirstByteOfGuestTimeout);
}

bool GuestSession::sense() {
  if (input_.empty()) {
    if (guest_ended_) refuse_connection("protocol.silent", "the connection was closed before it sent anything");
    return false;
  }
  const char first = input_.front();
  if (first == kTlsHandshakeRecord && origin_.way != Origin::Way::forward && origin_.way != Origin::Way::tools) {
    return sense_tls();
  }
  if (auto foreign = foreign_protocol(input_)) {
    socket_.send(foreign->farewell);
    said_farewell_ = true;
    refuse_connection(foreign->rule, foreign->reason);
    return false;
  }
  if (may_be_foreign(input_) && !guest_ended_) return false;
  // RFC 9112 section 2.2: an empty line may come before the first request.
  if (first != '\r' && (first < 'A' || first > 'Z')) {
    refuse_connection("protocol.unknown", "neither HTTP nor TLS; only these are let through");
    return false;
  }
  // RFC 9113 section 3.4: HTTP/2 by prior knowledge begins like a request with the method PRI.
  if (kHttp2Preface.starts_with(std::string_view(input_).substr(0, kHttp2Preface.size())) && !guest_ended_ &&
      input_.size() < kHttp2Preface.size()) {
    return false;
  }
  const bool may_be_http2 = origin_.way != Origin::Way::forward && origin_.way != Origin::Way::tools;
  start_talking(input_.starts_with(kHttp2Preface) && may_be_http2);
  return true;
}

// TLS is intercepted, unless a rule says not to: for the name that the address or CONNECT stands for; for the one in
// the SNI, which must be the same, where nothing else is known.
bool GuestSession::sense_tls() {
  auto generation = outside_.generation();
  const auto& policy = generation->policy;
  const auto passes = [&](const std::string& name) {
    return policy.judge(policy::TlsQuestion{name, origin_.port}).allowed();
  };
  if (!policy.has_passthrough() || origin_.fault || (origin_.name && !passes(*origin_.name))) {
    start_tls();
    return false;
  }
  const auto hello = read_client_hello(input_);
  if (hello && *hello) return pass_through(**hello, std::move(generation));
  if (hello && !guest_ended_) return false;  // until it is there, or the time for a first byte is over
  if (!origin_.name && !hello) {
    start_tls();  // which will say what is wrong
  } else if (hello) {
    refuse_connection("protocol.silent", "the connection was closed within its ClientHello");
  } else {
    refuse_tls("tls.malformed", "the ClientHello: " + hello.error().message(), kAccessDenied);
  }
  return false;
}

// False when it is the policy's wish after all to intercept it, or when it is refused.
bool GuestSession::pass_through(const ClientHello& hello, std::shared_ptr<const Generation> generation) {
  const std::string& name = origin_.name ? *origin_.name : hello.server_name;
  auto decision = generation->policy.judge(policy::TlsQuestion{name, origin_.port});
  if (!decision.allowed()) {
    start_tls();
    return false;
  }
  origin_.uninspected = true;
  origin_.sni = hello.server_name;
  if (hello.server_name.empty()) {
    refuse_tls("tls.no-name", "TLS that is not intercepted must name its host (SNI)", kUnrecognizedName);
  } else if (hello.server_name != name) {
    refuse_tls("name.mismatch",
               fmt::format("the names do not agree: {} '{}', TLS SNI '{}'",
                           origin_.way == Origin::Way::tunnel ? "CONNECT" : "DNS name", name, hello.server_name),
               kUnrecognizedName);
  } else if (hello.encrypted) {
    refuse_tls(
        "tls.encrypted-hello",
        "the ClientHello has an encrypted one in it (ECH, or what looks like it), so that its name need not be the "
        "one that counts: switch ECH and its GREASE off for this host",
        kAccessDenied);
  } else {
    auto& connection = static_cast<GuestConnection&>(*this);
    start_protocol(
        std::make_unique<TlsPassthrough>(outside_, connection, origin_, std::move(generation), std::move(decision)));
    return true;
  }
  return false;
}

void GuestSession::refuse_tls(std::string_view rule, std::string_view reason, char alert) {
  origin_.uninspected = true;
  socket_.send(tls_alert(alert));
  refuse_connection(rule, reason);
}

void GuestSession::start_talking(bool http2) {
  auto& connection = static_cast<GuestConnection&>(*this);
  if (http2) return start_protocol(std::make_unique<Http2Guest>(outside_, connection, origin_));
  const bool may_tunnel = origin_.way == Origin::Way::forward;
  start_protocol(std::make_unique<Http1Guest>(outside_, connection, origin_, may_tunnel));
}

void GuestSession::start_protocol(std::unique_ptr<GuestProtocol> protocol) {
  state_ = State::talking;
  protocol_ = std::move(protocol);
  protocol_->start();
}

void GuestSession::start_tls() {
  const std::string& fallback = origin_.name ? *origin_.name : origin_.address;
  auto session = TlsSession::accept(tls_context_, without_brackets(fallback));
  if (!session) return refuse_connection("tls.failed", session.error().message());
  tls_ = std::move(*session);
  origin_.tls = true;
  state_ = State::handshaking;
  socket_.set_deadline(outside_.generation()->policy.limits().handshake_time);
  const auto hello = std::exchange(input_, {});
  receive_tls(hello);
}

void GuestSession::receive_tls(std::string_view bytes) {
  std::string wire;
  const auto received = tls_->receive(bytes, input_, wire);
  if (!wire.empty()) socket_.send(wire);
  origin_.sni = tls_->sni();
  if (!received) {
    if (!tls_->established()) {
      return refuse_connection("tls.client-error", "the TLS handshake failed: " + received.error().message());
    }
    return on_error(received.error());
  }
  if (state_ == State::handshaking && tls_->established()) start_talking(tls_->alpn() == "h2");
  if (socket_.queued() > kMaxQueuedBytes) socket_.read(false);
  process();
  if (tls_ && tls_->peer_closed() && !guest_ended_) on_end();
}

void GuestSession::start_tunnel(const RequestHead& connect, std::string rest) {
  origin_.way = Origin::Way::tunnel;
  origin_.name = connect.host;
  origin_.port = connect.port;
  socket_.send(kTunnelOpen);
  retired_ = std::move(protocol_);
  input_ = std::move(rest);
  start_sensing();
  process();
}

void GuestSession::send(std::string_view bytes) {
  if (!tls_) return socket_.send(bytes);
  std::string wire;
  // Encrypting fails only for want of memory or after a fatal alert, and then the guest notices by the missing bytes.
  if (tls_->established() && tls_->send(bytes, wire)) socket_.send(wire);
}

void GuestSession::on_end() {
  if (state_ == State::closed || state_ == State::refused) return;
  guest_ended_ = true;
  switch (state_) {
    case State::proxy_header:
      return refuse_connection("proxy-header.cut-short", "the connection ended within its PROXY header");
    case State::lingering:
      if (socket_.queued() == 0) close(false);
      return;
    case State::handshaking:
      return refuse_connection("protocol.silent", "the connection was closed before it sent a request");
    default:
      process();
  }
}

void GuestSession::on_error(const Error& error) {
  if (state_ == State::closed || state_ == State::refused) return;
  if (protocol_) protocol_->abort("the connection to the guest failed: " + error.message());
  if (state_ == State::proxy_header) {
    return refuse_connection("proxy-header.cut-short",
                             "the connection failed before its PROXY header was whole: " + error.message());
  }
  if (!(protocol_ && protocol_->judged_one())) {
    return refuse_connection("protocol.silent", "the connection failed before it sent a request: " + error.message());
  }
  close(false);
}

void GuestSession::on_drained() {
  switch (state_) {
    case State::closed:
      return;
    case State::lingering:
      if (guest_ended_) close(false);
      return;
    case State::talking:
      return protocol_->on_drained();
    default:
      socket_.read(wants_bytes());
  }
}

void GuestSession::on_deadline() {
  switch (state_) {
    case State::proxy_header:
      return refuse_connection("proxy-header.timeout", "no whole PROXY header came in time");
    case State::naming:
    case State::sensing:
      return refuse_connection(
          "protocol.silent", input_.empty() ? "nothing was sent; protocols whose server speaks first are not supported"
                                            : "too little was sent in time to tell what it is");
    case State::handshaking:
      return refuse_connection("tls.client-error", "the TLS handshake was not completed in time");
    case State::talking:
      return protocol_->on_deadline();
    case State::lingering:
    case State::refused:
    case State::closed:
      return close(false);
  }
}

void GuestSession::refuse_connection(std::string_view rule, std::string_view reason) {
  audit::NetEvent event;
  event.event_id = make_uuid();
  event.trace_id = make_uuid();
  event.decision = origin_.fault.value_or(Decision{Verdict::deny, std::string(rule), std::string(reason)});
  event.channel = origin_.uninspected                       ? "tls"
                  : origin_.tls                             ? "https"
                  : origin_.way == Origin::Way::transparent ? "tcp"
                                                            : "connect";
  event.host = origin_.name.value_or("");
  event.address = origin_.address;
  event.port = origin_.port;
  event.sni = origin_.sni;
  if (origin_.fault) event.detail = reason;
  state_ = State::refused;
  socket_.read(false);
  socket_.set_deadline(kLingerTimeout);
  outside_.commit(std::move(event), [this](const Result<void>&) {
    if (said_farewell_) return end_output();  // a client that is still sending reads it
    close(false);
  });
}

void GuestSession::end_output() {
  state_ = State::lingering;
  input_.clear();
  std::string wire;
  if (tls_) tls_->close(wire);
  if (!wire.empty()) socket_.send(wire);
  if (guest_ended_ && socket_.queued() == 0) return close(false);
  socket_.shutdown();
  socket_.set_deadline(kLingerTimeout);
  socket_.read(true);
}

void GuestSession::close(bool reset) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  if (protocol_) protocol_->abort("the connection to the guest was closed");
  socket_.close(reset);
}

}  // namespace gatehouse::proxy
