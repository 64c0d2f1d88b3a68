#include "proxy/exchange.h"

#include <cassert>

#include "common/base/uuid.h"
#include "proxy/websocket_opening.h"

namespace gatehouse::proxy {

namespace {

// In place of the policy's words, which name the path.
constexpr char kReasonNotShown[] =
    "the policy does not allow this; its words are left out, since the path may hold a secret";
constexpr int kContinueStatus = 100;
constexpr int kForbidden = 403;
constexpr int kTimeout = 408;
constexpr int kUnavailable = 503;
constexpr int kMisdirected = 421;
constexpr int kGatewayTimeout = 504;

std::string joined_words(std::string words, const std::string& more) {
  if (!words.empty() && !more.empty()) words += "; ";
  return words + more;
}

std::string certificate_words(const policy::Policy& policy, const Target& target) {
  const auto* shown = target.scheme == Scheme::https ? policy.client_identity(target.host, target.port) : nullptr;
  return shown == nullptr ? "" : fmt::format("client certificate {}", shown->certificate);
}

int status_of(const Decision& denial, const Origin& origin, const RequestHead& head) {
  if (denial.rule_id == "dns.unavailable") return kUnavailable;
  // RFC 9113 section 9.1.2: a client may believe that a sound connection serves another name too.
  const bool sound = !origin.tls || (origin.name ? origin.sni == *origin.name : origin.sni != head.host);
  return denial.rule_id == "name.mismatch" && head.http2 && sound ? kMisdirected : kForbidden;
}

}  // namespace

Exchange::Exchange(Outside& outside, GuestLeg& guest, const Origin& origin)
    : outside_(outside),
      guest_(guest),
      generation_(outside.generation()),
      policy_(generation_->policy),
      origin_(origin),
      record_(outside, origin) {}

Exchange::~Exchange() {
  abort("the connection to the guest was closed");
  credentials_.wipe(head_);
  if (bearer_.empty()) return;
  for (Field& field : head_.fields) OPENSSL_cleanse(field.value.data(), field.value.size());
}

void Exchange::start(const RequestHead& head) {
  RequestHead asked = head;
  take_websocket(asked);
  if (origin_.way == Origin::Way::tools) take_bearer(asked);
  unscanned_ = origin_.way == Origin::Way::tools && is_for_authorization(asked);
  head_ = asked;
  head_.port = target_port(origin_, head_);
  // A WebSocket is opened upstream by HTTP/1.1, which all servers of them speak.
  const bool http2 = head_.http2 && head_.scheme == Scheme::https && !head_.websocket;
  target_ = Target{head_.scheme, head_.host, head_.port, http2};
  record_.describe(head_);
  if (origin_.way == Origin::Way::tools) take_trace(asked);
  if (policy_.asks_for_fields()) asked_ = asked.fields;
  auto verdict = judge_request(policy_, origin_, asked);
  terms_ = std::move(verdict.terms);
  if (verdict.git != policy::GitService::none) git_ = std::make_unique<GitExchange>(verdict.git, target_, head_);
  judged_ = std::move(verdict);
  const auto* with = inspection();
  if (git_ && git_->needs_gate() && judged_.verdict != Verdict::deny && (!with || !outside_.git_gate())) {
    judged_ = {Verdict::deny, "git.unavailable",
               "nobody is configured who looks through pushes (--dlp and --git-gate)"};
  }
  // What is judged message by message is not held for the gate.
  if (git_ && git_->needs_gate() && is_grpc(head_)) {
    judged_ = {Verdict::deny, "git.unclear", "a push is no call of gRPC"};
  }
  if (with != nullptr) {
    record_.set_path(std::string(kPathNotScanned));
    credentials_ = CredentialInjection(generation_->credentials, target_);
  }
  if (judged_.verdict == Verdict::ask && outside_.approver() == nullptr) {
    judged_.verdict = Verdict::deny;
    judged_.reason = "this needs a person's approval, and nobody can be asked here: " + judged_.reason;
  }
  if (judged_.verdict == Verdict::deny) {
    (void)credentials_.take_out(head_);
    return deny_by_head(status_of(judged_, origin_, head_));
  }
  if (with != nullptr) return inspect(*with);
  if (is_declared_too_long()) return deny_over_limit();
  may_go(std::move(judged_));
}

// The row of the call that the request is of says the same.
void Exchange::take_trace(const RequestHead& head) {
  const Field* trace = find_field(head.fields, kTraceField);
  if (trace != nullptr && is_uuid(trace->value)) record_.set_trace(trace->value);
}

// It is put in where the credentials of the policy are. One that cannot be kept is not sent: the server says so.
void Exchange::take_bearer(RequestHead& head) {
  for (Field& field : head.fields) {
    if (!same_token(field.name, kBearerField)) continue;
    if (auto kept = SecretBytes::copy_of(field.value)) bearer_ = std::move(*kept);
    OPENSSL_cleanse(field.value.data(), field.value.size());
  }
  std::erase_if(head.fields, [](const Field& field) { return same_token(field.name, kBearerField); });
}

void Exchange::refuse(const Refusal& refusal) {
  record({Verdict::deny, std::string(refusal.id), refusal.reason}, refusal.status);
}

// What is scanned is what would be sent: of the head nothing else is left.
void Exchange::inspect(const Inspection& with) {
  phase_ = Phase::holding;
  keep_end_to_end(head_.fields);
  head_.wants_upgrade = false;
  if (auto foreign = credentials_.take_out(head_)) {
    judged_ = std::move(*foreign);
    return deny_by_head(kForbidden);
  }
  // Of a push the commands come first: without them there is no answer that git shows.
  if (is_declared_too_long() && !(git_ && git_->is_push())) return deny_over_limit();
  const auto room = [this] {
    if (phase_ == Phase::holding) guest_.want_request(true);
  };
  const auto outcome = [this](const ScanOutcome& judged) { on_inspected(judged); };
  request_ = std::make_unique<RequestInspection>(
      with, scan_stream(dlp::Direction::out), head_, request_limit().bytes, RequestInspection::Callbacks{room, outcome},
      git_ && git_->is_push() ? RequestInspection::Body::held : RequestInspection::Body::shown);
  await_body();
  // The body is wanted here and now, whatever the upstream would have said to it.
  if (std::exchange(head_.expects_continue, false)) {
    ResponseHead go_on;
    go_on.status = kContinueStatus;
    guest_.send_interim(go_on);
    guest_.flush();
  }
  // A call may go on for as long as it likes: its messages are judged one by one, after its head.
  if (is_grpc(head_)) {
    phase_ = Phase::scanning;
    guest_.set_deadline(kExchangeIdleTimeout);
    return request_->complete({});
  }
  guest_.want_request(true);
}

// The verdict stands. The scanner says what of the head may be told in the log, and what was tried is evidence.
void Exchange::deny_by_head(int status) {
  refusal_status_ = status;
  const auto* with = inspection();
  if (with == nullptr) return record(std::move(judged_), status);
  phase_ = Phase::scanning;
  request_ = std::make_unique<RequestInspection>(
      *with, scan_stream(dlp::Direction::out), head_, 0,
      RequestInspection::Callbacks{[] {}, [this](const ScanOutcome& seen) { on_inspected(seen); }});
  guest_.set_deadline(kExchangeIdleTimeout);
  request_->complete({});
}

void Exchange::deny_over_limit() {
  guest_.want_request(false);
  const auto outcome = over_body_limit(request_limit());
  judged_ = outcome.denial;
  deny_by_head(outcome.status);
}

dlp::StreamInfo Exchange::scan_stream(dlp::Direction direction) const {
  auto stream = record_.stream(direction);
  stream.host = target_.host;  // which the rows may show masked
  return stream;
}

void Exchange::on_inspected(const ScanOutcome& outcome) {
  if (outcome.scanned) record_.set_path(outcome.path.empty() ? std::string(without_query(head_.path)) : outcome.path);
  if (outcome.in_host) record_.mask_host();
  if (!outcome.allowed || judged_.verdict == Verdict::deny) return deny(outcome);
  record_.set_detail(joined_words(outcome.detail, credentials_.words()));
  if (outcome.detail.empty()) return on_head_judged(std::move(judged_), outcome.findings);
  // The gate is told of the repository that was asked for, and of no other.
  if (git_ && git_->is_push()) {
    return deny({.denial = {Verdict::deny, "git.unclear", "what was found in the head of a push cannot be overwritten"},
                 .findings = outcome.findings,
                 .path = outcome.path});
  }
  // A path that was redacted is another path, and bound to that one's terms.
  auto verdict = judge_with(request_->trailers(), judge_request(policy_, origin_, head_));
  terms_ = std::move(verdict.terms);
  if (verdict.verdict != Verdict::deny && request_->body().size() > request_limit().bytes) {
    const auto over = over_body_limit(request_limit());
    request_.reset();
    return record(over.denial, over.status, outcome.findings);
  }
  on_head_judged(std::move(verdict), outcome.findings);
}

// Of all requests but gRPC's the body was judged with it.
void Exchange::on_head_judged(Decision decision, const std::vector<dlp::Finding>& findings) {
  if (is_grpc(head_) && decision.verdict != Verdict::deny) return begin_call(std::move(decision), findings);
  may_go(std::move(decision), findings);
}

void Exchange::deny(const ScanOutcome& outcome) {
  guest_.want_request(false);
  request_.reset();
  if (judged_.verdict == Verdict::deny) {
    if (!outcome.scanned || !outcome.path.empty() || outcome.in_host) judged_.reason = kReasonNotShown;
    return record(std::move(judged_), refusal_status_, outcome.findings);
  }
  record(outcome.denial, outcome.status, outcome.findings);
}

void Exchange::record(Decision decision, int refusal_status, const std::vector<dlp::Finding>& findings,
                      dlp::Direction direction) {
  phase_ = Phase::recording;
  refusal_status_ = refusal_status;
  record_push(decision);
  if (decision.allowed()) record_.set_detail(joined_words(record_.detail(), certificate_words(policy_, target_)));
  guest_.set_deadline(kExchangeIdleTimeout);
  record_.commit(std::move(decision), findings, direction,
                 [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
                   if (!alive.expired()) on_recorded(committed);
                 });
}

void Exchange::on_recorded(const Result<void>& committed) {
  if (!committed) {
    return answer(
        {kUnavailable, "audit.unavailable", "the audit log cannot be written, so nothing is let through", ""});
  }
  const auto& decision = record_.decision();
  if (!decision.allowed()) {
    return answer({refusal_status_, decision.rule_id, decision.reason, record_.event_id(), retry_after_});
  }
  phase_ = Phase::open;
  record_.begin_result();
  prepare_head();
  if (!head_.websocket) upstream_ = outside_.take(target_);
  if (upstream_ != nullptr) return forward();
  open();
}

void Exchange::on_request_body(std::string_view bytes) {
  if (phase_ == Phase::holding) await_body();
  if (call_messages_) return call_messages_->take(bytes);
  if (phase_ == Phase::holding) {
    if (git_) git_->see_request(bytes);
    if (git_ && git_->discards(is_declared_too_long())) return;
    if (const auto outcome = request_->take(bytes)) {
      if (git_ && git_->discards(outcome->status == kContentTooLarge)) return;
      if (outcome->status == kContentTooLarge) return deny_over_limit();
      return deny(*outcome);
    }
    if (request_->full()) guest_.want_request(false);
    return;
  }
  if (relay_) {
    if (!pay(bytes.size(), 0)) return;
    return relay_->on_guest_bytes(bytes);
  }
  assert(upstream_ != nullptr);
  if (const auto limit = request_limit(); forwarded_ + bytes.size() > limit.bytes) {
    const auto outcome = over_body_limit(limit);
    return stop(outcome.denial, outcome.status);
  }
  if (!pay(bytes.size(), 0)) return;
  forward_body(bytes);
  if (upstream_->queued() > kMaxQueuedBytes) guest_.want_request(false);
}

void Exchange::on_request_complete(const Fields& trailers) {
  request_complete_ = true;
  if (call_messages_) return call_messages_->end(trailers);  // which takes no trailers at all
  auto judged = judge_with(trailers, {judged_, terms_});
  if (phase_ == Phase::holding) {
    if (git_ && git_->discards(false)) return deny_over_limit();
    judged_ = std::move(judged);
    refusal_status_ = kForbidden;
    phase_ = Phase::scanning;
    return request_->complete(trailers);
  }
  // The request is on its way: nobody can be asked any more.
  if (judged.verdict > judged_.verdict) {
    const Decision denial{Verdict::deny, judged.rule_id, "by a field behind the body: " + judged.reason};
    return stop(denial, kForbidden);
  }
  if (relay_) return relay_->on_guest_end();
  assert(upstream_ != nullptr);
  forward_end(trailers);
}

void Exchange::on_request_broken(const Refusal& refusal) {
  const bool judged_before = phase_ == Phase::open;
  upstream_.reset();
  request_.reset();
  call_messages_.reset();
  finish(refusal.reason);
  if (head_sent_) return guest_.cut();
  if (judged_before) record_.begin_another();
  record({Verdict::deny, std::string(refusal.id), refusal.reason}, refusal.status);
}

void Exchange::on_deadline() {
  switch (phase_) {
    case Phase::holding:
      if (call_messages_ && call_messages_->untouched()) return call_messages_->go_ahead();
      if (request_ && request_->full()) return deny(unavailable(Error("the scanner does not keep up")));
      return deny(
          {.denial = {Verdict::deny, "http.timeout", "the request's body did not come in time"}, .status = kTimeout});
    case Phase::scanning:
      return deny(unavailable(Error("the scanner does not answer")));
    case Phase::judging:
      if (git_->on_deadline()) return;
      return record({Verdict::deny, "git.unavailable", "the git gate does not answer"}, kUnavailable);
    case Phase::recording:
      return answer(
          {kUnavailable, "audit.unavailable", "the audit log does not answer, so nothing is let through", ""});
    case Phase::asking:
      return on_decided({0, false, approval::Scope::once, "", "the approver does not answer"});
    case Phase::open:
      if (relay_) return relay_->on_deadline();
      return on_late();
    case Phase::over:
      return;
  }
}

void Exchange::on_late() {
  if (forward_complete_ && !responding_) {
    return fail(kGatewayTimeout, "upstream.timeout", "the response did not begin in time");
  }
  if (!guest_keeps_up()) return fail(kGatewayTimeout, "guest.timeout", "the guest takes nothing of the response");
  if (!request_complete_ && !is_grpc(head_) && left_of(policy_.limits().request_time).count() <= 1) {
    return stop({Verdict::deny, "http.timeout", "the request's body did not come in time"}, kTimeout);
  }
  fail(kGatewayTimeout, "upstream.timeout", "no byte has moved for too long");
}

void Exchange::abort(std::string_view why) {
  // Nothing has been written of a request that is still held.
  if (phase_ == Phase::asking) record_.begin_another();
  if (phase_ == Phase::holding || phase_ == Phase::scanning || phase_ == Phase::judging || phase_ == Phase::asking) {
    record_.note({Verdict::deny, "http.cut-short", std::string(why)}, {}, dlp::Direction::out);
  }
  phase_ = Phase::over;
  question_.reset();
  git_.reset();
  opening_.reset();
  request_.reset();
  call_messages_.reset();
  relay_.reset();
  upstream_.reset();
  response_.reset();
  finish(why);
}

void Exchange::fail(int status, const std::string& rule, const std::string& reason) {
  opening_.reset();
  request_.reset();
  call_messages_.reset();
  relay_.reset();
  upstream_.reset();
  response_.reset();
  piece_ = {};  // what has not been judged
  if (head_sent_) {
    phase_ = Phase::over;
    const auto words = git_ ? git_->broken_off({status, rule, reason, record_.event_id()}) : std::string();
    if (!words.empty()) guest_.send_body(words);
    if (!words.empty()) guest_.send_end({});
    guest_.flush();
    finish(rule + ": " + reason);
    return words.empty() ? guest_.cut() : guest_.over();
  }
  record_.result().status = status;
  finish(rule + ": " + reason);
  answer({status, rule, reason, record_.event_id()});
}

void Exchange::answer(const Denial& denial) {
  if (git_ && !denial.form) {
    Denial shaped = denial;
    git_->shape(shaped, record_.decision().allowed(), request_complete_);
    return answer(shaped);
  }
  phase_ = Phase::over;
  alive_ = std::make_shared<bool>(true);  // a late commit finds nobody
  guest_.send_denial(denial);
  guest_.flush();
  guest_.over();
}

void Exchange::finish(std::string_view error) {
  record_.end(error);
  if (!call_) return;
  see_later();
  for (auto& row : call_->end(response_whole_, ModelCallReader::Moment::clock::now())) {
    const auto* tool = std::get_if<audit::ToolCall>(&row);
    if (tool == nullptr || tool->call_hash.empty()) {
      outside_.note(std::move(row));
    } else {
      outside_.commit(std::move(row), [](const Result<void>&) {});  // soon: the agent is about to make that call
    }
  }
  call_.reset();
}

// A byte from time to time does for a response's body, which may be a stream of events; not for its head, nor for the
// request.
void Exchange::progress() {
  const auto& limits = policy_.limits();
  if (forward_complete_ && !responding_) return guest_.set_deadline(left_of(limits.first_byte_time));
  if (!request_complete_ && !is_grpc(head_)) return await_body();
  const bool of_tools = origin_.way == Origin::Way::tools;
  guest_.set_deadline(of_tools ? std::max(limits.idle_time, kToolsIdleTime) : limits.idle_time);
}

}  // namespace gatehouse::proxy
