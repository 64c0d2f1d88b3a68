// A gRPC call, whose messages are judged one by one.
#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {
constexpr int kUnavailable = 503;
}

// The head is allowed. What a call says first is judged with it.
void Exchange::begin_call(Decision decision, const std::vector<dlp::Finding>& findings) {
  request_.reset();
  judged_ = std::move(decision);
  head_findings_ = findings;
  phase_ = Phase::holding;
  call_messages_ =
      std::make_unique<GrpcGate>(static_cast<GrpcGate::Owner&>(*this), *outside_.inspection(), record_,
                                 GrpcGate::Setting{.stream = scan_stream(dlp::Direction::out),
                                                   .content_type = joined_values(head_.fields, "Content-Type"),
                                                   .encoding = lower_case(joined_values(head_.fields, "grpc-encoding")),
                                                   .limit = request_limit()});
  guest_.set_deadline(kFirstMessageTime);
  guest_.want_request(true);
}

void Exchange::on_call_judged(std::vector<dlp::Finding> findings) {
  findings.insert(findings.begin(), head_findings_.begin(), head_findings_.end());
  may_go(std::move(judged_), findings);
}

void Exchange::pass_message(std::string_view bytes) {
  if (pay(bytes.size(), 0)) forward_body(bytes);
}

void Exchange::pass_end() { forward_end({}); }

size_t Exchange::pass_queued() const { return upstream_->queued(); }

void Exchange::want_messages(bool wanted) { guest_.want_request(wanted); }

void Exchange::on_message_denied(const ScanOutcome& outcome) {
  auto findings = outcome.findings;
  const Decision denial = outcome.denial;
  const int status = outcome.status;
  if (phase_ == Phase::open) return stop(denial, status, findings);
  guest_.want_request(false);
  call_messages_.reset();
  findings.insert(findings.begin(), head_findings_.begin(), head_findings_.end());
  record(denial, status, findings);
}

void Exchange::on_findings_lost() {
  fail(kUnavailable, "audit.unavailable", "the audit log cannot be written, so nothing is let through");
}

}  // namespace gatehouse::proxy
