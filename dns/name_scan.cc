#include "dns/name_scan.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/dlp/finding_row.h"
#include "dns/reply.h"

namespace gatehouse::dns {

namespace {

constexpr std::string_view kChannel = "dns";

std::string without_dots(std::string_view text) {
  std::string joined(text);
  std::erase(joined, '.');
  return joined;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

// What may stand in the log of a name that holds a secret, or that nobody has looked through: its domain. The policy's
// words name it too.
void mask(audit::DnsEvent& event) {
  const std::string name = event.name;
  event.name = fmt::format("[...].{}", base_domain(name));
  auto& reason = event.decision.reason;
  for (size_t at = reason.find(name); at != std::string::npos; at = reason.find(name, at + event.name.size())) {
    reason.replace(at, name.size(), event.name);
  }
}

}  // namespace

std::string_view base_domain(std::string_view name) {
  constexpr size_t kCountryCode = 2, kShortLabel = 3;
  const size_t last = name.rfind('.');
  if (last == std::string_view::npos || last == 0) return name;
  size_t start = name.rfind('.', last - 1);
  const size_t second = start == std::string_view::npos ? 0 : start + 1;
  const bool suffix_of_two = name.size() - last - 1 == kCountryCode && last - second <= kShortLabel;
  if (suffix_of_two && start != std::string_view::npos && start > 0) start = name.rfind('.', start - 1);
  return start == std::string_view::npos ? name : name.substr(start + 1);
}

std::string_view JoinedNames::add(std::string_view name) {
  const auto base = base_domain(name);
  if (base.size() == name.size()) return {};
  const auto key = lower(base);
  auto known = by_name_.find(key);
  if (known != by_name_.end()) {
    domains_.splice(domains_.begin(), domains_, known->second);
  } else {
    if (domains_.size() == kMaxJoinedDomains) {
      by_name_.erase(domains_.back().name);
      domains_.pop_back();
    }
    domains_.push_front({key, "", ""});
    by_name_.emplace(domains_.front().name, domains_.begin());
  }
  auto& domain = domains_.front();
  if (domain.last != name) {
    domain.last = name;
    const auto labels = without_dots(name.substr(0, name.size() - base.size()));
    domain.joined += labels;
    domain.last_bytes = labels.size();
    if (domain.joined.size() > kMaxJoinedBytes) domain.joined.erase(0, domain.joined.size() - kMaxJoinedBytes);
  }
  return domain.joined;
}

void JoinedNames::forget_last() {
  if (domains_.empty()) return;
  auto& domain = domains_.front();
  domain.joined.resize(domain.joined.size() - domain.last_bytes);
  domain.last_bytes = 0;
  domain.last.clear();
}

void NameScan::record(audit::DnsEvent event, std::string asked, Recorder::Committed committed) {
  pending_.push_back({std::move(event), std::move(asked), std::move(committed)});
  if (pending_.size() == 1) next();
}

// One at a time: rows keep their order, and the row budget keeps them few.
void NameScan::next() {
  while (!pending_.empty()) {
    auto& front = pending_.front();
    if (!front.asked.empty()) break;
    append_(std::move(front.event), [committed = std::move(front.committed)](const Result<void>& written) {
      if (!written) return committed(failed(written));
      committed(Recorder::Outcome::as_decided);
    });
    pending_.pop_front();
  }
  if (pending_.empty()) return;
  const auto& [event, asked, committed] = pending_.front();
  scan_ = client_.open({.channel = std::string(kChannel),
                        .direction = dlp::Direction::out,
                        .host = lower(base_domain(asked)),
                        .trace_id = event.trace_id});
  scan_->part({.location = "name", .content_type = "", .content_encoding = ""});
  scan_->write(asked);
  if (const auto joined = joined_.add(asked); !joined.empty()) {
    scan_->part({.location = "names", .content_type = "", .content_encoding = ""});
    scan_->write(joined);
  }
  scan_->finish([this](const Result<dlp::ScanVerdict>& verdict) { judged(verdict); });
}

void NameScan::judged(const Result<dlp::ScanVerdict>& verdict) {
  const auto scan = std::move(scan_);  // ends with this call
  auto [event, asked, committed] = std::move(pending_.front());
  pending_.pop_front();
  const bool was_allowed = event.decision.allowed();
  bool held_back = !verdict.has_value();
  if (!verdict) {
    log::warn("the scanner does not answer: {}", verdict.error().message());
    joined_.forget_last();
    mask(event);
    if (was_allowed) {
      event.decision = {Verdict::deny, "dlp.unavailable",
                        "the secret scanner does not answer, so nothing is let through"};
    }
  } else if (!verdict->findings.empty()) {
    // A name cannot go with some of its letters overwritten, so what asks for that holds it back too.
    const auto& worst = verdict->findings.front();
    held_back = verdict->outcome != dlp::ScanVerdict::Outcome::allow;
    if (held_back) {
      joined_.forget_last();
      mask(event);
      if (was_allowed) event.decision = {Verdict::deny, "dlp." + worst.rule, dlp::describe(worst)};
    }
    append_findings(*verdict, event);
  }
  const bool overruled = was_allowed && held_back;
  if (overruled) {
    event.rcode = to_string(Rcode::nxdomain);
    event.address.clear();
  }
  const auto outcome = overruled   ? Recorder::Outcome::overruled
                       : held_back ? Recorder::Outcome::masked
                                   : Recorder::Outcome::as_decided;
  append_(std::move(event), [committed = std::move(committed), outcome](const Result<void>& written) {
    if (!written) return committed(failed(written));
    committed(outcome);
  });
  next();
}

void NameScan::append_findings(const dlp::ScanVerdict& verdict, const audit::DnsEvent& event) {
  for (const auto& finding : verdict.findings) {
    append_(dlp::audit_row(finding, {.channel = std::string(kChannel),
                                     .direction = dlp::Direction::out,
                                     .host = lower(base_domain(event.name)),
                                     .trace_id = event.trace_id}),
            [](const Result<void>&) {});  // the name's own row follows, and decides
  }
}

}  // namespace gatehouse::dns
