#include "dlp/judgement.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/dlp/protocol.h"

namespace gatehouse::dlp {

namespace {

// Redactions are merged whenever so many have come together: a hostile stream may hold one every few bytes.
constexpr size_t kMostUnmerged = 4 * kMaxRedactions;
constexpr std::string_view kFragment = "secret-fragment";  // says least: named after all others that are as strict

// DNS names, and what a decoder of the transport has yet to open, are not.
bool is_plain(const PartInfo& part) {
  return part.content_encoding.empty() && part.location != "name" && part.location != "names";
}

bool same_place(const Finding& a, const Finding& b) {
  return a.rule == b.rule && a.fingerprint == b.fingerprint && a.part == b.part && a.path == b.path &&
         a.action == b.action && a.location == b.location && a.detail == b.detail;
}

void append_words(std::string& detail, std::string_view words) {
  if (!detail.empty()) detail += "; ";
  detail += words;
}

std::string cut_after(std::string_view location, size_t size) { return std::string(location.substr(0, size)) + "..."; }

// `location` without what some finding says is a secret.
std::string masked(const std::string& location, const std::vector<Finding>& findings) {
  const size_t colon = location.find(':');
  if (colon == std::string::npos) return location;
  const size_t name = colon + 1;
  if (std::string_view(location).substr(0, colon).ends_with("-name")) {
    return location.size() - name <= kPrefixBytes ? location : cut_after(location, name + kPrefixBytes);
  }
  size_t shown = location.size();
  for (const Finding& finding : findings) {
    if (finding.prefix.size() < kPrefixBytes) continue;
    const size_t found = location.find(finding.prefix, name);
    if (found != std::string::npos) shown = std::min(shown, found + finding.prefix.size());
  }
  return shown == location.size() ? location : cut_after(location, shown);
}

}  // namespace

StreamJudgement::StreamJudgement(const JudgeFinding& judge, std::string host) : judge_(judge), host_(std::move(host)) {}

void StreamJudgement::begin_part(const PartInfo& part) { plain_parts_.push_back(is_plain(part)); }

void StreamJudgement::add(Finding finding) {
  auto decision = judge_({finding.rule, finding.category, finding.severity, host_});
  finding.action = decision.action;
  finding.exemption = std::move(decision.exemption);
  if (finding.action != FindingAction::redact) return keep(std::move(finding));
  if (can_overwrite(finding)) return overwrite(finding);
  finding.action = FindingAction::deny;
  append_words(finding.detail, "cannot be overwritten there");
  keep(std::move(finding));
}

bool StreamJudgement::can_overwrite(const Finding& finding) const {
  return finding.path.empty() && finding.length > 0 && finding.part < plain_parts_.size() && plain_parts_[finding.part];
}

void StreamJudgement::overwrite(const Finding& finding) {
  redacted_ = true;
  redactions_.push_back({finding.part, finding.offset, finding.length});
  if (redactions_.size() >= kMostUnmerged) merge_redactions();
  if (redactions_.size() >= kMostUnmerged) {
    Finding too_many = finding;
    too_many.action = FindingAction::deny;
    append_words(too_many.detail, fmt::format("with more than {} places to overwrite", kMaxRedactions));
    redactions_.clear();
    return keep(std::move(too_many));
  }
  keep(finding);
}

void StreamJudgement::keep(Finding finding) {
  denied_ = denied_ || finding.action == FindingAction::deny;
  for (Kept& kept : kept_) {
    if (!same_place(kept.finding, finding)) continue;
    ++kept.times;
    return;
  }
  const auto stricter = [](const Kept& a, const Kept& b) {
    if (a.finding.action != b.finding.action) return a.finding.action > b.finding.action;
    if (a.finding.confidence != b.finding.confidence) return a.finding.confidence > b.finding.confidence;
    return a.finding.rule != kFragment && b.finding.rule == kFragment;
  };
  Kept next{std::move(finding)};
  kept_.insert(std::upper_bound(kept_.begin(), kept_.end(), next, stricter), next);
  if (kept_.size() <= kMaxFindings) return;
  omitted_ += kept_.back().times;
  kept_.pop_back();
}

void StreamJudgement::merge_redactions() {
  std::sort(redactions_.begin(), redactions_.end(), [](const Redaction& a, const Redaction& b) {
    return std::tie(a.part, a.offset) < std::tie(b.part, b.offset);
  });
  size_t last = 0;
  for (size_t i = 1; i < redactions_.size(); ++i) {
    Redaction& before = redactions_[last];
    const Redaction& next = redactions_[i];
    if (before.part == next.part && next.offset <= before.offset + before.length) {
      before.length = std::max(before.length, next.offset + next.length - before.offset);
    } else {
      redactions_[++last] = next;
    }
  }
  if (!redactions_.empty()) redactions_.resize(last + 1);
}

std::vector<Finding> StreamJudgement::report() {
  std::vector<Finding> findings;
  for (auto& [finding, times] : kept_) {
    if (times > 1) append_words(finding.detail, fmt::format("{} times", times));
    findings.push_back(std::move(finding));
  }
  if (omitted_ > 0 && !findings.empty())
    append_words(findings.back().detail, fmt::format("and {} {}", omitted_, kMoreFindings));
  kept_.clear();
  omitted_ = 0;
  std::vector<std::string> locations;
  for (const Finding& finding : findings) locations.push_back(masked(finding.location, findings));
  for (size_t i = 0; i < findings.size(); ++i) findings[i].location = std::move(locations[i]);
  return findings;
}

void StreamJudgement::deny_instead(std::string_view words) {
  denied_ = true;
  if (kept_.empty()) return;
  kept_.front().finding.action = FindingAction::deny;
  append_words(kept_.front().finding.detail, words);
}

ScanVerdict StreamJudgement::take(uint64_t dropped) {
  merge_redactions();
  if (redactions_.size() > kMaxRedactions) {
    deny_instead(fmt::format("with more than {} places to overwrite", kMaxRedactions));
  } else if (dropped > dropped_ && redacted_) {
    deny_instead("with more places to overwrite than were kept");
  }
  omitted_ += dropped - dropped_;
  dropped_ = dropped;
  ScanVerdict verdict;
  verdict.findings = report();
  if (denied_) {
    verdict.outcome = ScanVerdict::Outcome::deny;
  } else if (!redactions_.empty()) {
    verdict.outcome = ScanVerdict::Outcome::redact;
    verdict.redactions = std::move(redactions_);
  } else {
    verdict.outcome = ScanVerdict::Outcome::allow;
  }
  redactions_.clear();
  return verdict;
}

}  // namespace gatehouse::dlp
