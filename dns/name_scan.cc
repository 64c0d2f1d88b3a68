#include "dns/name_scan.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/dlp/finding_row.h"
#include "dns/registered_domain.h"
#include "dns/reply.h"

namespace gatehouse::dns {

namespace {

constexpr std::string_view kChannel = "dns";
constexpr std::string_view kPartName = "name", kPartNames = "names";

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

// What may be shown of a name that holds a secret, or that nobody has looked through: its domain, and where the secret
// reaches into that only what the domain is registered below.
std::string_view shown_of(std::string_view name, bool hide_domain) {
  const auto domain = registered_domain(name);
  const size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos) return {};
  return hide_domain ? domain.substr(dot + 1) : domain;
}

bool reaches_into_domain(const dlp::ScanVerdict& verdict, std::string_view asked) {
  const size_t domain_at = asked.size() - registered_domain(asked).size();
  return std::any_of(verdict.findings.begin(), verdict.findings.end(), [&](const dlp::Finding& finding) {
    return finding.location == kPartName && finding.offset + std::max<uint64_t>(finding.length, 1) > domain_at;
  });
}

// The policy's words name the name too.
void mask(audit::DnsEvent& event, std::string_view shown) {
  const std::string name = event.name;
  event.name = shown.empty() ? "[...]" : fmt::format("[...].{}", shown);
  auto& reason = event.decision.reason;
  for (size_t at = reason.find(name); at != std::string::npos; at = reason.find(name, at + event.name.size())) {
    reason.replace(at, name.size(), event.name);
  }
}

}  // namespace

std::string_view JoinedNames::add(std::string_view name) {
  const auto base = registered_domain(name);
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

void NameScan::look(std::string asked, std::string trace_id) {
  if (asked.empty() || pending_.size() >= kMaxLooks) return;
  audit::DnsEvent event;
  event.name = lower(asked);
  event.trace_id = std::move(trace_id);
  record(std::move(event), std::move(asked), nullptr);
}

void NameScan::sum_up(audit::DnsEvent event) {
  pending_.push_back({std::move(event), "", [](const Result<Recorder::Outcome>&) {}, true});
  if (pending_.size() == 1) next();
}

bool NameScan::hides(std::string_view domain) const {
  if (domain.empty()) return false;  // a sum over all domains
  return hidden_domains_.size() >= kMaxHiddenDomains || hidden_domains_.contains(std::string(domain));
}

void NameScan::veil_last(audit::DnsEvent& event) const {
  const auto domain = registered_domain(event.name);
  const bool unread = std::any_of(pending_.begin(), pending_.end(), [&](const Pending& pending) {
    return !pending.asked.empty() && lower(registered_domain(pending.asked)) == domain;
  });
  if (unread || hides(domain)) mask(event, shown_of(event.name, true));
}

// One at a time: rows keep their order, and the row budget keeps them few.
void NameScan::next() {
  while (!pending_.empty()) {
    auto& front = pending_.front();
    if (!front.asked.empty()) break;
    if (front.sum && hides(registered_domain(front.event.name))) mask(front.event, shown_of(front.event.name, true));
    append_(std::move(front.event), [committed = std::move(front.committed)](const Result<void>& written) {
      if (!written) return committed(failed(written));
      committed(Recorder::Outcome::as_decided);
    });
    pending_.pop_front();
  }
  if (pending_.empty()) return;
  const auto& [event, asked, committed, sum] = pending_.front();
  scan_ = client_.open({.channel = std::string(kChannel),
                        .direction = dlp::Direction::out,
                        .host = lower(registered_domain(asked)),
                        .trace_id = event.trace_id});
  scan_->part({.location = std::string(kPartName), .content_type = "", .content_encoding = ""});
  scan_->write(asked);
  if (const auto joined = joined_.add(asked); !joined.empty()) {
    scan_->part({.location = std::string(kPartNames), .content_type = "", .content_encoding = ""});
    scan_->write(joined);
  }
  scan_->finish([this](const Result<dlp::ScanVerdict>& verdict) { judged(verdict); });
}

void NameScan::judged(const Result<dlp::ScanVerdict>& verdict) {
  const auto scan = std::move(scan_);  // ends with this call
  auto [event, asked, committed, sum] = std::move(pending_.front());
  pending_.pop_front();
  if (committed == nullptr) {
    if (!verdict || verdict->outcome != dlp::ScanVerdict::Outcome::allow) joined_.forget_last();
    if (verdict) append_findings(*verdict, asked, event.trace_id);
    return next();
  }
  const bool was_allowed = event.decision.allowed();
  bool held_back = !verdict.has_value();
  if (!verdict) {
    log::warn("the scanner does not answer: {}", verdict.error().message());
    joined_.forget_last();
    mask(event, shown_of(event.name, false));
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
      mask(event, shown_of(event.name, reaches_into_domain(*verdict, asked)));
      if (was_allowed) event.decision = {Verdict::deny, "dlp." + worst.rule, dlp::describe(worst)};
    }
    append_findings(*verdict, asked, event.trace_id);
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

void NameScan::append_findings(const dlp::ScanVerdict& verdict, std::string_view asked, const std::string& trace_id) {
  const bool hide_domain = reaches_into_domain(verdict, asked);
  if (hide_domain && hidden_domains_.size() < kMaxHiddenDomains)
    hidden_domains_.insert(lower(registered_domain(asked)));
  const auto host = lower(shown_of(asked, hide_domain));
  for (const auto& finding : verdict.findings) {
    append_(
        dlp::audit_row(
            finding,
            {.channel = std::string(kChannel), .direction = dlp::Direction::out, .host = host, .trace_id = trace_id}),
        [](const Result<void>&) {});  // the name's own row, if it has one, follows, and decides
  }
}

}  // namespace gatehouse::dns
