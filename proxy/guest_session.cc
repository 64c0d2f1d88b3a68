#include "proxy/guest_session.h"

#include <utility>

#include "common/base/uuid.h"

namespace gatehouse::proxy {

namespace {

constexpr char kTlsHandshakeRecord = 0x16;  // RFC 8446 section 5.1
constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

// A certificate and a URL write an IPv6 address differently.
std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

GuestSession::GuestSession(Entry entry, Outside& outside, const policy::Policy& policy, const TlsServerContext& tls)
    : outside_(outside),
      policy_(policy),
      tls_context_(tls),
      state_(entry == Entry::transparent ? State::proxy_header : State::sensing) {
  if (entry == Entry::explicit_proxy) origin_.way = Origin::Way::forward;
}

GuestSession::~GuestSession() = default;

void GuestSession::start() {
  outside_.set_deadline(state_ == State::proxy_header ? kProxyHeaderTimeout : kFirstByteOfGuestTimeout);
  outside_.read(true);
}

void GuestSession::on_bytes(std::string_view bytes) {
  if (state_ == State::closed || state_ == State::refused) return;
  if (state_ == State::lingering) {
    lingered_ += bytes.size();
    if (lingered_ > kMaxLingerBytes) close(true);
    return;
  }
  if (tls_) {
    receive_tls(bytes);
  } else {
    input_ += bytes;
    process();
  }
}

void GuestSession::process() {
  const bool within = std::exchange(processing_, true);
  step();
  processing_ = within;
}

void GuestSession::step() {
  bool more = true;
  while (more) {
    switch (state_) {
      case State::proxy_header:
        more = read_proxy_header();
        break;
      case State::sensing:
        more = sense();
        break;
      case State::request:
        more = answers_are_taken() && read_request();
        break;
      case State::exchanging:
        more = feed_exchange();
        break;
      case State::naming:
        more = false;
        break;
      case State::lingering:
      case State::refused:
      case State::closed:
        input_.clear();
        consumed_ = 0;
        return;
    }
  }
  compact();
  if (!wants_bytes()) outside_.read(false);
}

// Who asks and never reads the answers is asked to wait: an answer is longer than the request that causes it, and all
// of them would be kept here.
bool GuestSession::answers_are_taken() const { return outside_.queued() <= kMaxQueuedBytes; }

// While an exchange waits or runs its guest is read on, within limits, so that a broken connection is noticed.
bool GuestSession::wants_bytes() const {
  if (state_ == State::request && !answers_are_taken()) return false;
  if (state_ != State::exchanging)
    return state_ != State::naming && state_ != State::refused && state_ != State::closed;
  return input_.size() <= kMaxAheadBytes;
}

void GuestSession::compact() {
  input_.erase(0, consumed_);
  consumed_ = 0;
}

bool GuestSession::read_proxy_header() {
  const auto taken = proxy_header_.feed(std::string_view(input_).substr(consumed_));
  if (!taken) {
    refuse_connection(taken.error().id, taken.error().reason);
    return false;
  }
  consumed_ += *taken;
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
  outside_.read(false);
  outside_.set_deadline(kHeadTimeout);  // the look-up has a shorter one of its own
  outside_.find_name(header.destination, [this](const auto& name) { on_name(name); });
  return false;
}

void GuestSession::on_name(const Result<std::optional<std::string>>& name) {
  if (state_ != State::naming) return;
  take_name(name);
  outside_.read(true);
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
  outside_.set_deadline(kFirstByteOfGuestTimeout);
}

bool GuestSession::sense() {
  if (consumed_ == input_.size()) {
    if (guest_ended_) refuse_connection("protocol.silent", "the connection was closed before it sent anything");
    return false;
  }
  const char first = input_[consumed_];
  if (first == kTlsHandshakeRecord && origin_.way != Origin::Way::forward) {
    start_tls();
    return false;
  }
  if (first < 'A' || first > 'Z') {
    refuse_connection("protocol.unknown", "neither HTTP nor TLS; only these are let through");
    return false;
  }
  reader_ = std::make_unique<RequestReader>(Scheme::http);
  await_request();
  return true;
}

void GuestSession::start_tls() {
  const std::string& fallback = origin_.name ? *origin_.name : origin_.address;
  auto session = TlsSession::accept(tls_context_, without_brackets(fallback));
  if (!session) return refuse_connection("tls.failed", session.error().message());
  tls_ = std::move(*session);
  origin_.tls = true;
  reader_ = std::make_unique<RequestReader>(Scheme::https);
  await_request();
  outside_.set_deadline(kHandshakeTimeout);
  const auto hello = input_.substr(consumed_);
  input_.clear();
  consumed_ = 0;
  receive_tls(hello);
}

void GuestSession::receive_tls(std::string_view bytes) {
  std::string wire;
  const bool was_established = tls_->established();
  const auto received = tls_->receive(bytes, input_, wire);
  if (!wire.empty()) outside_.send(wire);
  origin_.sni = tls_->sni();
  if (!received) {
    if (!tls_->established()) {
      return refuse_connection("tls.client-error", "the TLS handshake failed: " + received.error().message());
    }
    return on_error(received.error());
  }
  if (!was_established && tls_->established()) outside_.set_deadline(kKeepAliveTimeout);
  if (outside_.queued() > kMaxQueuedBytes) outside_.read(false);
  process();
  if (tls_->peer_closed() && !guest_ended_) on_end();
}

void GuestSession::await_request() {
  state_ = State::request;
  head_begun_ = false;
  request_done_ = false;
  request_wanted_ = false;
  outside_.set_deadline(kKeepAliveTimeout);
}

bool GuestSession::read_request() {
  const auto event = reader_->feed(std::string_view(input_).substr(consumed_));
  if (!event) {
    refuse_request(event.error());
    return false;
  }
  consumed_ += event->consumed;
  if (event->kind == ReadEvent::Kind::head) {
    const auto& head = reader_->head();
    if (origin_.way == Origin::Way::forward && head.form == RequestHead::Form::authority) {
      start_tunnel();
    } else {
      begin_exchange();
      exchange_->start(head);
    }
    return true;
  }
  if (!head_begun_ && !reader_->idle()) {
    head_begun_ = true;
    outside_.set_deadline(kHeadTimeout);
  }
  if (guest_ended_) {
    const auto finished = reader_->finish();
    if (!finished) {
      refuse_request(finished.error());
    } else if (!judged_one_) {
      refuse_connection("protocol.silent", "the connection was closed before it sent a request");
    } else {
      end_output();
    }
  }
  return false;
}

void GuestSession::start_tunnel() {
  const auto& head = reader_->head();
  origin_.way = Origin::Way::tunnel;
  origin_.name = head.host;
  origin_.port = head.port;
  outside_.send(kTunnelOpen);
  reader_.reset();
  start_sensing();
}

void GuestSession::begin_exchange() {
  state_ = State::exchanging;
  judged_one_ = true;
  exchange_ = std::make_unique<Exchange>(outside_, static_cast<ExchangeOwner&>(*this), policy_, origin_);
}

void GuestSession::refuse_request(const Refusal& refusal) {
  begin_exchange();
  request_done_ = true;
  exchange_->refuse(refusal);
}

bool GuestSession::feed_exchange() {
  if (!request_wanted_ || request_done_) return false;
  const auto event = reader_->feed(std::string_view(input_).substr(consumed_));
  if (!event) {
    request_done_ = true;
    exchange_->on_request_broken(event.error());
    return false;
  }
  consumed_ += event->consumed;
  switch (event->kind) {
    case ReadEvent::Kind::body:
      exchange_->on_request_body(event->body);
      return true;
    case ReadEvent::Kind::complete:
      request_done_ = true;
      exchange_->on_request_complete(reader_->trailers());
      return false;
    default:
      break;
  }
  if (guest_ended_) {
    exchange_->abort("the guest closed the connection within its request");
    close(false);
  }
  return false;
}

void GuestSession::want_request(bool wanted) {
  request_wanted_ = wanted;
  if (!wanted || processing_) return;
  process();
  if (wants_bytes()) outside_.read(true);
}

void GuestSession::exchange_over(bool keep_alive) {
  exchange_.reset();
  if (!keep_alive) return end_output();
  if (!request_done_) (void)reader_->feed({});  // it has no body: this completes it
  reader_->next_message();
  await_request();
  outside_.read(true);
  process();
}

void GuestSession::exchange_cut() { close(true); }

void GuestSession::send_plain(std::string_view bytes) {
  if (!tls_) return outside_.send(bytes);
  std::string wire;
  // Encrypting fails only for want of memory or after a fatal alert, and then the guest notices by the missing bytes.
  if (tls_->established() && tls_->send(bytes, wire)) outside_.send(wire);
}

void GuestSession::on_end() {
  if (state_ == State::closed || state_ == State::refused) return;
  guest_ended_ = true;
  if (state_ == State::proxy_header) {
    if (proxy_header_.empty()) return close(false);
    return refuse_connection("proxy-header.cut-short", "the connection ended within its PROXY header");
  }
  if (state_ == State::lingering && outside_.queued() == 0) return close(false);
  process();
}

void GuestSession::on_error(const Error& error) {
  if (state_ == State::closed || state_ == State::refused) return;
  if (exchange_) exchange_->abort("the connection to the guest failed: " + error.message());
  if (!judged_one_ && state_ != State::proxy_header) {
    return refuse_connection("protocol.silent", "the connection failed before it sent a request: " + error.message());
  }
  close(false);
}

void GuestSession::on_drained() {
  if (state_ == State::closed) return;
  if (state_ == State::lingering) {
    if (guest_ended_) close(false);
    return;
  }
  if (exchange_) exchange_->on_guest_drained();
  if (state_ == State::request) process();
  outside_.read(wants_bytes());
}

void GuestSession::on_deadline() {
  switch (state_) {
    case State::proxy_header:
      return refuse_connection("proxy-header.timeout", "no whole PROXY header came in time");
    case State::naming:
    case State::sensing:
      return refuse_connection("protocol.silent",
                               "nothing was sent; protocols whose server speaks first are not supported");
    case State::request:
      if (tls_ && !tls_->established()) {
        return refuse_connection("tls.client-error", "the TLS handshake was not completed in time");
      }
      if (head_begun_) return refuse_request({"http.timeout", 408, "the request's head did not come in time"});
      if (!judged_one_) return refuse_connection("protocol.silent", "no request was sent in time");
      return end_output();
    case State::exchanging:
      return exchange_->on_deadline();
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
  event.channel = origin_.tls ? "https" : origin_.way == Origin::Way::transparent ? "tcp" : "connect";
  event.host = origin_.name.value_or("");
  event.address = origin_.address;
  event.port = origin_.port;
  event.sni = origin_.sni;
  if (origin_.fault) event.detail = reason;
  state_ = State::refused;
  outside_.read(false);
  outside_.set_deadline(kLingerTimeout);
  outside_.commit(std::move(event), [this](const Result<void>&) { close(false); });
}

void GuestSession::end_output() {
  state_ = State::lingering;
  input_.clear();
  consumed_ = 0;
  std::string wire;
  if (tls_) tls_->close(wire);
  if (!wire.empty()) outside_.send(wire);
  if (guest_ended_ && outside_.queued() == 0) return close(false);
  outside_.shutdown();
  outside_.set_deadline(kLingerTimeout);
  outside_.read(true);
}

void GuestSession::close(bool reset) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  if (exchange_) exchange_->abort("the connection to the guest was closed");
  outside_.close(reset);
}

}  // namespace gatehouse::proxy
