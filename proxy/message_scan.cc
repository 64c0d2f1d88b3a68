#include "proxy/message_scan.h"

#include <algorithm>

#include "common/base/log.h"
#include "proxy/websocket/utf8_check.h"

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kJoinedPart = "messages";
constexpr int kForbidden = 403;

void append_last(std::string& text, std::string_view bytes) {
  text += bytes.substr(bytes.size() - std::min(bytes.size(), kJoinedBytes));
  if (text.size() > kJoinedBytes) text.erase(0, text.size() - kJoinedBytes);
}

ScanOutcome denied(const dlp::Finding& finding, std::string_view what_now) {
  return {
      .denial = {Verdict::deny, "dlp." + finding.rule, fmt::format("found {}; {}", dlp::describe(finding), what_now)},
      .status = kForbidden};
}

// As of a request, whose findings may be redacted; and of what comes in as of a response.
ScanOutcome judge_scan(const Result<dlp::ScanVerdict>& verdict, dlp::Direction direction) {
  if (direction == dlp::Direction::in || !verdict) return judge_response_scan(verdict);
  auto findings = verdict->findings;
  for (auto& finding : findings) {
    finding.location = log::printable(finding.location);
    finding.detail = log::printable(finding.detail);
  }
  ScanOutcome outcome;
  const auto worst = std::find_if(findings.begin(), findings.end(),
                                  [](const dlp::Finding& finding) { return finding.action == FindingAction::deny; });
  if (worst != findings.end()) {
    outcome = denied(*worst, "the host never saw the message");
  } else if (verdict->outcome == dlp::ScanVerdict::Outcome::deny) {
    outcome = unavailable(Error("the scanner denies and does not say why"));
  } else {
    outcome.allowed = true;
  }
  outcome.findings = std::move(findings);
  return outcome;
}

}  // namespace

Result<void> HeldMessage::append(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (auto ok = body.append(bytes); !ok) return ok;
  start += bytes.substr(0, kJoinedBytes - std::min(kJoinedBytes, start.size()));
  append_last(end, bytes);
  return {};
}

MessageScan::MessageScan(Owner& owner, const Inspection& with, dlp::StreamInfo stream)
    : owner_(owner), with_(with), stream_(std::move(stream)) {}

void MessageScan::ask(HeldMessage& message, Question question) {
  message_ = &message;
  question_ = std::move(question);
  shown_ = 0;
  asked_ = false;
  scan_ = with_.scanner.open(stream_);
  scan_->on_drained([this] { show(); });
  scan_->part(question_.part);
  show();
}

void MessageScan::drop() {
  scan_.reset();
  message_ = nullptr;
}

void MessageScan::passed(const HeldMessage& message) { append_last(before_, message.end); }

void MessageScan::show() {
  if (asked_) return;
  while (shown_ < message_->body.size()) {
    if (scan_->queued() > dlp::kMaxScanQueuedBytes) return;  // goes on when it has drained
    const auto piece = message_->body.read(shown_);
    if (!piece) {
      const auto finished = std::move(scan_);  // it may be what calls
      return owner_.on_judged(unavailable(piece.error()));
    }
    scan_->write(*piece);
    shown_ += piece->size();
  }
  if (question_.joins && !before_.empty() && !message_->start.empty()) {
    scan_->part({std::string(kJoinedPart), "", ""});
    scan_->write(before_);
    scan_->write(message_->start);
  }
  asked_ = true;
  scan_->finish([this](const Result<dlp::ScanVerdict>& verdict) { judged(verdict); });
}

void MessageScan::judged(const Result<dlp::ScanVerdict>& verdict) {
  auto outcome = outcome_of(verdict);
  if (outcome.allowed) forget_known(outcome.findings);
  const auto finished = std::move(scan_);  // it is what calls
  owner_.on_judged(std::move(outcome));
}

ScanOutcome MessageScan::outcome_of(const Result<dlp::ScanVerdict>& verdict) {
  auto outcome = judge_scan(verdict, stream_.direction);
  const bool to_redact = outcome.allowed && verdict->outcome == dlp::ScanVerdict::Outcome::redact &&
                         stream_.direction == dlp::Direction::out;
  if (!to_redact || redact(*verdict)) return outcome;
  auto denial = denied(outcome.findings.empty() ? dlp::Finding() : outcome.findings.front(),
                       "it cannot be overwritten where it is, so the message was not sent");
  denial.findings = std::move(outcome.findings);
  return denial;
}

// Only where it lies open in this message, and where what remains of a text is one.
bool MessageScan::redact(const dlp::ScanVerdict& verdict) {
  if (!question_.may_redact || verdict.redactions.empty()) return false;
  for (const auto& redaction : verdict.redactions) {
    if (redaction.part != 0) return false;
    const auto done = message_->body.overwrite(redaction.offset, redaction.length, '*');
    if (!done || !*done) return false;
  }
  message_->end.clear();  // it has not passed
  return !question_.is_text || is_text();
}

bool MessageScan::is_text() {
  Utf8Check check;
  for (uint64_t at = 0; at < message_->body.size();) {
    const auto piece = message_->body.read(at);
    if (!piece || !check.feed(*piece)) return false;
    at += piece->size();
  }
  return check.complete();
}

void MessageScan::forget_known(std::vector<dlp::Finding>& findings) {
  std::erase_if(findings, [&](const dlp::Finding& finding) {
    const std::string name = finding.rule + " " + finding.fingerprint;
    if (std::find(known_findings_.begin(), known_findings_.end(), name) != known_findings_.end()) return true;
    known_findings_.push_back(name);
    if (known_findings_.size() > kMaxFindingsRemembered) known_findings_.pop_front();
    return false;
  });
}

}  // namespace gatehouse::proxy
