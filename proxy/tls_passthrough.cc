#include "proxy/tls_passthrough.h"

#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kUninspected = "tls: passthrough, uninspected";

}  // namespace

std::string tls_alert(char description) {
  constexpr char kFatal = 2;
  return {0x15, 0x03, 0x03, 0x00, 0x02, kFatal, description};
}

TlsPassthrough::TlsPassthrough(Outside& outside, GuestConnection& connection, const Origin& origin,
                               std::shared_ptr<const Generation> generation, policy::HttpDecision decision)
    : outside_(outside),
      connection_(connection),
      generation_(std::move(generation)),
      decision_(std::move(decision)),
      target_{Scheme::https, origin.name.value_or(origin.sni), origin.port},
      record_(outside, origin) {
  record_.set_host(target_.host);
}

TlsPassthrough::~TlsPassthrough() { abort("the connection to the guest was closed"); }

void TlsPassthrough::on_bytes(std::string& bytes) {
  held_ += bytes;
  bytes.clear();
  if (state_ == State::beginning) return admit();
  if (state_ == State::open) forward();
}

void TlsPassthrough::admit() {
  connection_.read(false);
  record_.set_detail(std::string(kUninspected));
  Budgets* budgets = outside_.budgets();
  const auto& quotas = decision_.terms.quotas;
  if (budgets != nullptr && !quotas.empty()) {
    if (auto overdrawn = budgets->admit(quotas, 0, std::chrono::steady_clock::now())) {
      return record(std::move(overdrawn->denial), kAccessDenied);
    }
  }
  record(decision_, kAccessDenied);
}

void TlsPassthrough::record(Decision decision, char alert) {
  state_ = State::recording;
  alert_ = alert;
  connection_.set_deadline(kExchangeIdleTimeout);
  record_.commit(std::move(decision), {}, dlp::Direction::out,
                 [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
                   if (!alive.expired()) on_recorded(committed);
                 });
}

void TlsPassthrough::on_recorded(const Result<void>& committed) {
  if (!committed || !record_.decision().allowed()) return fail("", committed ? alert_ : kInternalError);
  state_ = State::opening;
  record_.begin_result();
  opening_ = outside_.open_bytes(target_, [this](Outside::OpenedBytes opened) { on_opened(std::move(opened)); });
}

void TlsPassthrough::on_opened(Outside::OpenedBytes opened) {
  const auto finished = std::move(opening_);  // it is what calls
  if (opened) {
    upstream_ = std::move(*opened);
    upstream_->set_listener(this);
    record_.result().upstream_address = upstream_->address();
    state_ = State::open;
    upstream_->read(true);
    return forward();
  }
  const auto& failure = opened.error();
  record_.result().upstream_address = failure.address;
  if (!failure.denied) return fail(failure.rule + ": " + failure.reason, kInternalError);
  // The name was allowed, its address is not: a verdict of its own, on the same trace.
  record_.end(failure.denied->reason);
  record_.begin_another();
  record_.set_detail("the host's address: " + failure.address);
  record(*failure.denied, kAccessDenied);
}

void TlsPassthrough::forward() {
  if (const auto bytes = std::exchange(held_, {}); !bytes.empty()) {
    if (auto* budgets = outside_.budgets(); budgets != nullptr && !decision_.terms.quotas.empty()) {
      if (const auto over = budgets->spend(decision_.terms.quotas, bytes.size(), 0)) return stop(over->denial);
    }
    record_.result().bytes_out += bytes.size();
    upstream_->send(bytes);
  }
  if (guest_ended_) upstream_->end_output();
  progress();
  connection_.read(wants_bytes());
}

bool TlsPassthrough::upstream_takes() const { return upstream_ != nullptr && upstream_->queued() <= kMaxQueuedBytes; }

void TlsPassthrough::progress() {
  const auto& limits = generation_->policy.limits();
  connection_.set_deadline(record_.result().bytes_in == 0 ? limits.first_byte_time : limits.idle_time);
}

void TlsPassthrough::on_end() {
  guest_ended_ = true;
  if (state_ == State::open) upstream_->end_output();
}

void TlsPassthrough::on_drained() {
  if (state_ == State::open) upstream_->read(true);
}

void TlsPassthrough::on_deadline() {
  switch (state_) {
    case State::recording:
      return fail("the audit log does not answer", kInternalError);
    case State::beginning:
    case State::opening:  // has a time-out of its own
    case State::over:
      return;
    case State::open:
      return fail("upstream.timeout: no byte has moved for too long", kInternalError);
  }
}

void TlsPassthrough::abort(std::string_view why) {
  state_ = State::over;
  opening_.reset();
  upstream_.reset();
  record_.end(why);
}

void TlsPassthrough::fail(std::string_view error, char alert) {
  const bool spoken = record_.result().bytes_in > 0;
  abort(error);
  if (spoken) return connection_.close(true);
  connection_.send(tls_alert(alert));
  connection_.end_output();
}

void TlsPassthrough::stop(const Decision& denial) {
  const bool spoken = record_.result().bytes_in > 0;
  upstream_.reset();
  record_.end(denial.reason);
  record_.begin_another();
  record_.set_detail(std::string(kUninspected));
  record_.note(denial, {}, dlp::Direction::out);
  state_ = State::over;
  if (spoken) return connection_.close(true);
  connection_.send(tls_alert(kAccessDenied));
  connection_.end_output();
}

void TlsPassthrough::on_upstream_bytes(std::string_view bytes) {
  if (auto* budgets = outside_.budgets(); budgets != nullptr && !decision_.terms.quotas.empty()) {
    if (const auto over = budgets->spend(decision_.terms.quotas, 0, bytes.size())) return stop(over->denial);
  }
  record_.result().bytes_in += bytes.size();
  connection_.send(bytes);
  progress();
  if (connection_.queued() > kMaxQueuedBytes) upstream_->read(false);
}

// Whether it was cut short is for the two who speak TLS to notice: each sees as much of it as the other sent.
void TlsPassthrough::on_upstream_end(bool) {
  abort("");
  connection_.end_output();
}

void TlsPassthrough::on_upstream_error(const Error& error) {
  fail("upstream.reset: " + error.message(), kInternalError);
}

void TlsPassthrough::on_upstream_drained() {
  progress();
  connection_.read(wants_bytes());
}

}  // namespace gatehouse::proxy
