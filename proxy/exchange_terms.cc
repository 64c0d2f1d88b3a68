// What a request that nobody objects to is bound to by the policy's terms.
#include <openssl/evp.h>

#include <array>

#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {

constexpr int kForbidden = 403;
constexpr int kTooManyRequests = 429;
constexpr int kBadGateway = 502;

std::string digest(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
  // Without a digest there is no key, and nothing is decided for more than once.
  if (EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_sha256(), nullptr) != 1) return {};
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", bytes[i]);
  return hex;
}

}  // namespace

// The narrower of what the whole policy and what the rules that match say.
policy::BodyLimit Exchange::request_limit() const {
  if (git_ && git_->is_push()) return terms_.request_body;  // of its own rules
  const uint64_t whole = policy_.limits().request_body_bytes;
  return terms_.request_body.bytes < whole ? terms_.request_body : policy::BodyLimit{whole, {}};
}

bool Exchange::is_declared_too_long() const {
  return head_.framing.kind == Framing::Kind::length && head_.framing.length > request_limit().bytes;
}

// A guest that keeps sending a little must be done some time, too.
void Exchange::await_body() {
  const auto& limits = policy_.limits();
  guest_.set_deadline(std::min(left_of(limits.request_time), limits.idle_time));
}

std::chrono::milliseconds Exchange::left_of(std::chrono::milliseconds whole) const {
  const auto passed = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_);
  return std::max(whole - passed, std::chrono::milliseconds(1));
}

void Exchange::may_go(Decision decision, const std::vector<dlp::Finding>& findings) {
  if (auto by_body = git_ ? git_->judge_batch(policy_, request_ ? &request_->body() : nullptr) : std::nullopt) {
    if (by_body->verdict > decision.verdict) decision = std::move(*by_body);
    if (decision.verdict == Verdict::deny) return record(std::move(decision), kForbidden, findings);
  }
  if (git_ && git_->is_push() && !git_->judged()) return judge_push(std::move(decision), findings);
  if (git_ && git_->asks_for_nothing() && decision.verdict == Verdict::ask) decision.verdict = Verdict::allow;
  if (decision.verdict == Verdict::ask) return ask(std::move(decision), findings);
  admit(std::move(decision), findings);
}

// The head is clean; what is in the body the git gate says.
void Exchange::judge_push(Decision decision, const std::vector<dlp::Finding>& findings) {
  phase_ = Phase::judging;
  guest_.set_deadline(kPushTime + approval::Client::kSlack);  // the client itself is heard before
  git_->judge({outside_, origin_, head_, request_->body(), record_.trace_id(),
               [this](std::chrono::milliseconds after) { guest_.set_deadline(after); }},
              [this, decision = std::move(decision), findings](Decision by_gate) {
                if (phase_ != Phase::judging) return;
                if (by_gate.verdict == Verdict::deny) return record(std::move(by_gate), kForbidden, findings);
                may_go(by_gate.verdict >= decision.verdict ? std::move(by_gate) : decision, findings);
              });
}

void Exchange::record_push(const Decision& decision) {
  if (!git_) return;
  const std::string path(without_query(head_.path));
  const std::string told = record_.path() == path ? path.substr(0, path.rfind('/')) : "/***";
  record_.add(git_->rows(decision, record_.stream(dlp::Direction::out), told));
}

// What goes is counted, and what nothing is left for does not go.
void Exchange::admit(Decision decision, const std::vector<dlp::Finding>& findings) {
  Budgets* budgets = outside_.budgets();
  if (!decision.allowed() || budgets == nullptr || terms_.quotas.empty()) {
    return record(std::move(decision), kForbidden, findings);
  }
  uint64_t bytes = head_.method.size() + head_.path.size();
  for (const auto& [name, value] : head_.fields) bytes += name.size() + value.size();
  const auto overdrawn = budgets->admit(terms_.quotas, bytes, std::chrono::steady_clock::now());
  if (!overdrawn) return record(std::move(decision), kForbidden, findings);
  retry_after_ = overdrawn->retry_after;
  record(overdrawn->denial, kTooManyRequests, findings);
}

// Before bytes of a body move. False when the exchange has been stopped.
bool Exchange::pay(uint64_t bytes_out, uint64_t bytes_in) {
  if (terms_.quotas.empty() || outside_.budgets() == nullptr) return true;
  const auto overdrawn = outside_.budgets()->spend(terms_.quotas, bytes_out, bytes_in);
  if (!overdrawn) return true;
  stop(overdrawn->denial, kTooManyRequests, {}, bytes_in > 0 ? dlp::Direction::in : dlp::Direction::out);
  return false;
}

// Some servers take trailers for fields of the head, others do not look at them: they make no verdict milder.
policy::HttpDecision Exchange::judge_with(const Fields& trailers, policy::HttpDecision by_head) const {
  if (trailers.empty() || !policy_.asks_for_fields()) return by_head;
  RequestHead merged = head_;
  merged.fields = asked_;
  merged.fields.insert(merged.fields.end(), trailers.begin(), trailers.end());
  auto by_all = judge_request(policy_, origin_, merged);
  return by_all.verdict > by_head.verdict ? by_all : by_head;
}

// That it waits is a row of its own, and on record before anybody is asked.
void Exchange::ask(Decision decision, const std::vector<dlp::Finding>& findings) {
  if (outside_.approver() == nullptr) {
    return record({Verdict::deny, decision.rule_id, "nobody can be asked for approval here: " + decision.reason},
                  kForbidden, findings);
  }
  phase_ = Phase::recording;
  guest_.set_deadline(kExchangeIdleTimeout);
  decision.reason = "waits for a person: " + decision.reason;
  record_push(decision);
  record_.commit(std::move(decision), findings, dlp::Direction::out,
                 [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
                   if (!alive.expired()) on_ask_recorded(committed);
                 });
}

void Exchange::on_ask_recorded(const Result<void>& committed) {
  if (!committed) return on_recorded(committed);
  phase_ = Phase::asking;
  auto wanted = question();
  guest_.set_deadline(wanted.time + 2 * approval::Client::kSlack);  // the client itself is heard before
  question_ =
      outside_.approver()->ask(std::move(wanted), [this](const approval::Decided& decided) { on_decided(decided); });
}

approval::Wanted Exchange::question() const {
  approval::Wanted wanted;
  wanted.trace_id = record_.trace_id();
  wanted.rule = record_.decision().rule_id;
  wanted.reason = record_.decision().reason;
  wanted.channel = record_.channel();
  wanted.what = record_.what();
  const uint64_t body = request_ ? request_->body().size() : head_.framing.length;
  const Field* type = find_field(head_.fields, "Content-Type");
  const bool query = head_.path.find('?') != std::string::npos;
  wanted.detail =
      !has_body(head_)
          ? "no body"
          : fmt::format("{} bytes{}",
                        head_.framing.kind == Framing::Kind::chunked && !request_ ? "unknown" : std::to_string(body),
                        type == nullptr ? "" : " of " + type->value);
  if (query) wanted.detail += ", with a query";
  // What the rows show may be masked; what is decided for the session is this very URL, whatever its query and body.
  wanted.key = digest(fmt::format("{}\n{}\n{}\n{}:{}\n{}", wanted.rule, head_.method, scheme_of(head_), target_.host,
                                  target_.port, without_query(head_.path)));
  wanted.time = policy_.limits().approval_time;
  return wanted;
}

void Exchange::on_decided(const approval::Decided& decided) {
  const auto answered = std::move(question_);  // it is what calls
  const std::string rule = record_.decision().rule_id;
  std::string detail = record_.detail();
  record_.begin_another();
  record_.set_detail(std::move(detail));
  const Verdict verdict = decided.allowed ? Verdict::allow : Verdict::deny;
  admit({verdict, rule, decided.allowed ? decided.reason : "approval was asked for: " + decided.reason}, {});
}

// False when the exchange has been stopped.
bool Exchange::response_fits(uint64_t bytes) {
  const auto& limit = terms_.response_body;
  if (bytes <= limit.bytes) return true;
  const auto denial =
      Decision{Verdict::deny, limit.rule,
               fmt::format("the response's body is longer than the {} bytes that rule '{}' lets through", limit.bytes,
                           limit.rule)};
  stop(denial, kBadGateway);
  return false;
}

}  // namespace gatehouse::proxy
