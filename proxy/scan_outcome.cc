#include "proxy/scan_outcome.h"

#include <algorithm>

#include "common/base/log.h"
#include "proxy/finding_places.h"

namespace gatehouse::proxy {

namespace {

constexpr int kForbidden = 403;
constexpr int kBadGateway = 502;
constexpr int kUnavailable = 503;

// The strictest of those that deny stands for all.
const dlp::Finding* denying(const std::vector<dlp::Finding>& findings) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [](const dlp::Finding& finding) { return finding.action == FindingAction::deny; });
  return found == findings.end() ? nullptr : &*found;
}

// What could not be looked into has no secret to be removed.
bool is_limit(const dlp::Finding& finding) { return finding.category == "limits"; }

Decision denial(const dlp::Finding& finding, std::string_view what_now) {
  return {Verdict::deny, "dlp." + finding.rule, fmt::format("found {}; {}", dlp::describe(finding), what_now)};
}

Decision denial_of_request(const dlp::Finding& finding) {
  return denial(finding, is_limit(finding) ? "the host never saw the request"
                                           : "remove the secret from the request: the host never saw it");
}

std::string words_for_redacted(const std::vector<dlp::Finding>& findings) {
  std::string words;
  for (const auto& finding : findings) {
    if (finding.action != FindingAction::redact) continue;
    words += (words.empty() ? "redacted " : ", ") + dlp::describe(finding);
  }
  return words;
}

}  // namespace

ScanOutcome unavailable(const Error& why) {
  return {.denial = {Verdict::deny, "dlp.unavailable",
                     "this cannot be scanned, and what is not scanned does not pass: " + log::printable(why.message())},
          .status = kUnavailable,
          .scanned = false};
}

ScanOutcome over_body_limit(const policy::BodyLimit& limit) {
  const auto says =
      limit.rule.empty() ? std::string("may be sent at once") : fmt::format("rule '{}' lets through", limit.rule);
  return {.denial = {Verdict::deny, limit.rule.empty() ? std::string(kBodyLimitRule) : limit.rule,
                     fmt::format("the request's body is longer than the {} bytes that {}", limit.bytes, says)},
          .status = kContentTooLarge};
}

ScanOutcome judge_request_scan(const Result<dlp::ScanVerdict>& verdict, const RequestParts& parts, RequestHead& head,
                               Fields& trailers, HeldBody& body) {
  if (!verdict) return unavailable(verdict.error());
  ScanOutcome outcome;
  if (!verdict->findings.empty()) {
    const FindingPlaces places(parts, verdict->findings);
    outcome.findings = places.told();
    outcome.path = places.masked_path();
    outcome.in_host = places.in_host();
  }
  const auto deny = [&](Decision decision) {
    outcome.denial = std::move(decision);
    outcome.status = kForbidden;
    return outcome;
  };
  if (const auto* worst = denying(outcome.findings)) return deny(denial_of_request(*worst));
  switch (verdict->outcome) {
    case dlp::ScanVerdict::Outcome::deny: {
      auto nothing_said = unavailable(Error("the scanner denies and does not say why"));
      nothing_said.findings = std::move(outcome.findings);
      return nothing_said;
    }
    case dlp::ScanVerdict::Outcome::redact:
      outcome.detail = words_for_redacted(outcome.findings);
      if (!redact(verdict->redactions, parts, head, trailers, body)) {
        const auto first = outcome.findings.empty() ? dlp::Finding() : outcome.findings.front();
        return deny(denial(first, "it cannot be overwritten where it is, so the request was not sent"));
      }
      break;
    case dlp::ScanVerdict::Outcome::allow:
      break;
  }
  outcome.allowed = true;
  return outcome;
}

ScanOutcome judge_response_scan(const Result<dlp::ScanVerdict>& verdict) {
  if (!verdict) return unavailable(verdict.error());
  ScanOutcome outcome;
  outcome.findings = verdict->findings;
  for (auto& finding : outcome.findings) {
    finding.location = log::printable(finding.location);
    finding.detail = log::printable(finding.detail);
    if (finding.action == FindingAction::redact) finding.action = FindingAction::warn;
  }
  if (const auto* worst = denying(outcome.findings)) {
    outcome.denial = denial(*worst, "the answer was withheld");
    outcome.status = kBadGateway;
    return outcome;
  }
  if (verdict->outcome == dlp::ScanVerdict::Outcome::deny) {
    return unavailable(Error("the scanner denies and does not say why"));
  }
  outcome.allowed = true;
  return outcome;
}

}  // namespace gatehouse::proxy
