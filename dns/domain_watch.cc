#include "dns/domain_watch.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "common/base/uuid.h"
#include "dns/registered_domain.h"
#include "dns/reply.h"

namespace gatehouse::dns {

namespace {

constexpr std::string_view kRule = "dns.exfiltration";

bool looks_like_data(const NameStatistics& statistics) {
  const auto names = statistics.names();
  if (names < kNoticedNames) return false;
  if (statistics.bulk_share() >= kNoticedBulkShare || statistics.information_bytes() >= kNoticedBytes) return true;
  if (names >= kNoticedFastNames && statistics.busiest_second() >= kNoticedSecond) return true;
  return statistics.longest_label() >= kNoticedLabelBytes &&
         statistics.information_bytes() >= kNoticedBytesOfName * static_cast<double>(names);
}

audit::DnsEvent row_about(const std::string& domain, bool denied, std::string reason) {
  audit::DnsEvent event;
  event.event_id = make_uuid();
  event.trace_id = event.event_id;
  event.decision = {denied ? Verdict::deny : Verdict::allow, std::string(kRule), std::move(reason)};
  event.name = domain;
  event.rcode = to_string(denied ? Rcode::nxdomain : Rcode::noerror);
  return event;
}

}  // namespace

DomainWatch::Watched& DomainWatch::watched(std::string_view domain, Rows& rows) {
  if (const auto known = by_domain_.find(domain); known != by_domain_.end()) {
    domains_.splice(domains_.begin(), domains_, known->second);
    return domains_.front();
  }
  if (domains_.size() == kMaxWatchedDomains) {
    sum_up(domains_.back(), rows);
    by_domain_.erase(domains_.back().domain);
    domains_.pop_back();
  }
  domains_.emplace_front().domain = domain;
  by_domain_.emplace(domains_.front().domain, domains_.begin());
  return domains_.front();
}

const std::string* DomainWatch::note(std::string_view name, uint16_t type, bool allowed, Time now, Rows& rows) {
  const auto domain = registered_domain(name);
  auto& watched = this->watched(domain, rows);
  const auto below = name.substr(0, std::max(name.size() - domain.size(), size_t{1}) - 1);  // without the dot between
  watched.statistics.add(below, type, hash_, now);
  watched.denied = watched.denied || !allowed;
  if (!watched.event_id.empty()) {
    if (allowed) return nullptr;
    ++watched.counted;
    return &watched.event_id;
  }
  if (looks_like_data(watched.statistics)) {
    notice(watched, fmt::format("names below {} look like data", domain), now, rows);
  }
  return allowed ? nullptr : note_among_all(name, domain, type, now, rows);
}

const std::string* DomainWatch::note_among_all(std::string_view name, std::string_view domain, uint16_t type, Time now,
                                               Rows& rows) {
  if (now - all_began_ >= kWindowOfAll) {
    sum_up(all_, rows);
    all_ = {};
    all_domains_ = {};
    all_began_ = now;
  }
  all_.denied = true;
  all_.statistics.add(name, type, hash_, now);
  all_domains_.add(hash_(domain));
  if (!all_.event_id.empty()) {
    ++all_.counted;
    return &all_.event_id;
  }
  const double domains = all_domains_.estimate();
  if (domains >= kNoticedDomains && all_.statistics.information_bytes() >= kNoticedBytesOfAll) {
    notice(all_, fmt::format("names of about {:.0f} domains look like data", domains), now, rows);
  }
  return nullptr;
}

void DomainWatch::notice(Watched& watched, std::string_view what, Time now, Rows& rows) {
  rows.push_back(row_about(watched.domain, watched.denied,
                           fmt::format("{}: {}; those denied from here on are summed up, and none has left this host",
                                       what, watched.statistics.text())));
  watched.event_id = rows.back().event_id;
  watched.due = now + watched.period;
}

void DomainWatch::sum_up(Watched& watched, Rows& rows) {
  const auto counted = std::exchange(watched.counted, 0);
  if (counted == 0) return;
  rows.push_back(row_about(watched.domain, true,
                           fmt::format("denied {} more questions as in event {}; in all {}", counted, watched.event_id,
                                       watched.statistics.text())));
  rows.back().trace_id = watched.event_id;
}

void DomainWatch::sum_up_if_due(Watched& watched, Time now, Rows& rows) {
  if (watched.event_id.empty() || watched.due > now) return;
  watched.period = std::min(watched.period * 2, kSlowestSummary);
  watched.due = now + watched.period;
  sum_up(watched, rows);
}

void DomainWatch::sum_up(Time now, Rows& rows) {
  for (auto& watched : domains_) sum_up_if_due(watched, now, rows);
  sum_up_if_due(all_, now, rows);
}

void DomainWatch::sum_up_all(Rows& rows) {
  for (auto& watched : domains_) sum_up(watched, rows);
  sum_up(all_, rows);
}

}  // namespace gatehouse::dns
