// The response's way to the guest.
#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {
constexpr int kBadGateway = 502;
constexpr int kUnavailable = 503;
}  // namespace

void Exchange::see_head(ResponseHead& head) {
  if (restorer_) restorer_->restore_head(head);
}

void Exchange::see_body(std::string_view& bytes) {
  if (restorer_) bytes = restorer_->restore_body(bytes);
}

void Exchange::see_end(Fields& trailers) {
  if (!restorer_) return;
  pass_body(restorer_->finish_body());
  restorer_->restore(trailers);
}

// Reading takes its time, and nobody waits for it.
void Exchange::see_later() {
  if (!call_ || unseen_.empty()) return;
  call_->response_body(unseen_, ModelCallReader::Moment::clock::now());
  unseen_.clear();
}

void Exchange::on_interim(ResponseHead head) {
  see_head(head);
  guest_.send_interim(head);
}

void Exchange::on_head(ResponseHead head) {
  if (head.status == 101 && head_.websocket) return open_websocket(head);
  if (head.status < 200) {
    return fail(kBadGateway, "upstream.upgrade", "the upstream changed the protocol without being asked to");
  }
  // RFC 8441 section 4: to the guest this would say that the WebSocket is open.
  if (head_.extended_connect && head.status < 300) {
    return fail(kBadGateway, "upstream.websocket", "the upstream has opened no WebSocket, and says that all is well");
  }
  if (!response_fits(head.framing.kind == Framing::Kind::length ? head.framing.length : 0)) return;
  if (forward_complete_) request_.reset();  // it will not be sent again
  if (call_messages_) call_messages_->settle();
  responding_ = true;
  record_.result().status = head.status;
  if (restorer_) {
    if (const auto why = ResponseRestorer::refuses(head); !why.empty())
      return fail(kBadGateway, "credential.encoded", why);
  }
  see_head(head);
  if (git_) {
    if (const auto ok = git_->take_head(policy_, head); !ok)
      return fail(kBadGateway, "git.advertisement", ok.error().message());
  }
  if (call_) {
    call_->response_head(
        {head.status, joined_values(head.fields, "Content-Type"), joined_values(head.fields, "Content-Encoding")},
        ModelCallReader::Moment::clock::now());
  }
  if (const auto* with = inspection(); with != nullptr && is_scanned(head)) {
    response_ = std::make_unique<ResponseInspection>(with->scanner, scan_stream(dlp::Direction::in), head,
                                                     static_cast<ResponseInspection::Owner&>(*this));
  }
  piece_.head = std::move(head);
  if (!response_ && !(git_ && git_->filters())) let_go();
}

// What has come of the response goes to the guest, or to the scanner first.
void Exchange::let_go() {
  if (response_) {
    if (!piece_.empty()) response_->hold(std::exchange(piece_, {}));
    return;
  }
  const auto piece = std::exchange(piece_, {});
  if (piece.head) {
    head_sent_ = true;
    guest_.send_head(*piece.head);
  }
  if (!piece.body.empty()) guest_.send_body(piece.body);
}

void Exchange::on_body(std::string_view bytes) {
  if (relay_) {
    if (!pay(0, bytes.size())) return;
    return relay_->on_upstream_bytes(bytes);
  }
  record_.result().bytes_in += bytes.size();
  if (!response_fits(record_.result().bytes_in) || !pay(0, bytes.size())) return;
  see_body(bytes);
  pass_body(bytes);
}

void Exchange::pass_body(std::string_view bytes) {
  std::string filtered;
  if (git_ && git_->filters()) {
    auto passed = git_->filter(bytes);
    if (!passed) return fail(kBadGateway, git_->unsound(": " + passed.error().message()));
    filtered = std::move(*passed);
    bytes = filtered;
  }
  if (bytes.empty()) return;
  if (call_) unseen_ += bytes;
  if (response_) response_->show(bytes);
  if (!response_ && !piece_.head) return guest_.send_body(bytes);
  piece_.body += bytes;
}

void Exchange::on_response_end(const Fields& trailers) {
  const auto upstream = std::move(upstream_);  // it is what calls
  if (relay_) return relay_->on_upstream_end("the upstream ended the connection without closing the WebSocket");
  // A server may have said all it has to say before its guest has.
  if (std::exchange(call_messages_, nullptr)) guest_.want_request(false);
  if (auto connection = upstream->release()) outside_.keep(target_, std::move(connection));
  Fields end = trailers;
  see_end(end);
  if (phase_ == Phase::over) return;
  if (git_ && !git_->complete()) return fail(kBadGateway, git_->unsound(" is cut short"));
  response_whole_ = true;
  if (response_) {
    piece_.end = std::move(end);
    return let_go();
  }
  let_go();
  guest_.send_end(end);
  conclude();
}

void Exchange::on_pause() {
  if (relay_) return guest_.flush();
  progress();
  // What git cannot do with by halves waits until it is whole: it can be denied in words only before that.
  if (!git_ || !git_->holds_back() || piece_.body.size() > git::kMaxHeldAdvertisementBytes) let_go();
  guest_.flush();
  if (!guest_keeps_up()) upstream_->read(false);
  see_later();
}

void Exchange::conclude() {
  phase_ = Phase::over;
  guest_.flush();
  finish("");
  guest_.over();
}

void Exchange::on_passed(const ResponsePiece& piece, const std::vector<dlp::Finding>& findings) {
  record_.note(findings, dlp::Direction::in);
  head_sent_ = true;
  if (piece.head) guest_.send_head(*piece.head);
  if (!piece.body.empty()) guest_.send_body(piece.body);
  if (piece.end) {
    guest_.send_end(*piece.end);
    return conclude();
  }
  progress();
  guest_.flush();
  if (upstream_ != nullptr && guest_keeps_up()) upstream_->read(true);
}

void Exchange::on_stopped(const ScanOutcome& outcome) {
  const Decision denial = outcome.denial;
  if (outcome.findings.empty()) return fail(kUnavailable, denial.rule_id, denial.reason);
  const auto findings = outcome.findings;
  stop(denial, outcome.status, findings, dlp::Direction::in);
}

// What was allowed goes no further: a verdict of its own, on the same trace.
void Exchange::stop(const Decision& denial, int status, const std::vector<dlp::Finding>& findings,
                    dlp::Direction direction) {
  if (relay_) return relay_->deny(direction, {.denial = denial, .status = status, .findings = findings});
  guest_.want_request(false);
  upstream_.reset();
  request_.reset();
  call_messages_.reset();
  response_.reset();
  piece_ = {};
  if (!head_sent_) record_.result().status = status;
  finish(denial.rule_id + ": " + denial.reason);
  record_.begin_another();
  if (!head_sent_) return record(denial, status, findings, direction);
  phase_ = Phase::over;
  record_.note(denial, findings, direction);
  if (!is_grpc(head_)) return guest_.cut();
  guest_.send_end(grpc_denial_trailers({status, denial.rule_id, denial.reason, record_.event_id()}));
  guest_.flush();
  guest_.over();
}

void Exchange::on_guest_drained() {
  if (relay_) return relay_->on_guest_drained();
  if (upstream_ == nullptr) return;
  progress();
  if (guest_keeps_up()) upstream_->read(true);
}

// What is on its way to the guest, with what the scanner has not judged yet.
bool Exchange::guest_keeps_up() const {
  return guest_.queued() + (response_ ? response_->queued() : 0) <= kMaxQueuedBytes;
}

}  // namespace gatehouse::proxy
