#include "dns/recent.h"

#include "common/base/uuid.h"

namespace gatehouse::dns {

namespace {

audit::DnsEvent summary(const RecentAnswer& answer) {
  auto event = answer.event;
  event.event_id = make_uuid();
  event.address.clear();  // stands in rows of answers alone: a restarted gate takes the latest row for what holds
  const auto times = answer.repeats == 1 ? "once more" : fmt::format("{} more times", answer.repeats);
  event.decision.reason =
      fmt::format("asked {}, first in event {}: {}", times, answer.event.event_id, answer.event.decision.reason);
  return event;
}

}  // namespace

Reply RecentAnswer::reply() const {
  Reply reply;
  reply.rcode = rcode;
  reply.content = content;
  reply.address = address;
  if (!error_text.empty()) reply.error = ExtendedError{error_code, error_text};
  return reply;
}

RecentAnswer* RecentAnswers::find(std::string_view key) {
  const auto found = answers_.find(key);
  return found == answers_.end() ? nullptr : &found->second;
}

RecentAnswer* RecentAnswers::remember(std::string_view key, RecentAnswer answer, Time now) {
  const bool allowed = answer.event.decision.allowed();
  answer.expires = now + (allowed ? kAllowedWindow : kDeniedWindow);
  if (const auto found = answers_.find(key); found != answers_.end()) {
    found->second = std::move(answer);  // its place in a queue comes too early for it; expire_from() puts it back
    return &found->second;
  }
  if (answers_.size() >= kMaxRecent) return nullptr;
  const auto [placed, added] = answers_.emplace(std::string(key), std::move(answer));
  (allowed ? allowed_ : denied_).push_back({placed->second.expires, &placed->first});
  return &placed->second;
}

void RecentAnswers::expire_from(std::deque<Due>& queue, Time now, std::vector<audit::DnsEvent>& summaries) {
  while (!queue.empty() && queue.front().when <= now) {
    const auto found = answers_.find(*queue.front().key);
    auto& answer = found->second;
    queue.pop_front();
    if (answer.ticket != 0 || answer.expires > now) {
      const bool allowed = answer.event.decision.allowed();
      answer.expires = now + (allowed ? kAllowedWindow : kDeniedWindow);
      (allowed ? allowed_ : denied_).push_back({answer.expires, &found->first});
      continue;
    }
    if (answer.repeats > 0 && !answer.counted) summaries.push_back(summary(answer));
    answers_.erase(found);
  }
}

void RecentAnswers::expire(Time now, std::vector<audit::DnsEvent>& summaries) {
  expire_from(allowed_, now, summaries);
  expire_from(denied_, now, summaries);
}

void RecentAnswers::expire_all(std::vector<audit::DnsEvent>& summaries) {
  for (const auto& [key, answer] : answers_) {
    // One whose row is under way may turn out to hold a secret, so nothing says its name yet.
    if (answer.repeats > 0 && !answer.lost && !answer.counted && answer.ticket == 0)
      summaries.push_back(summary(answer));
  }
  allowed_.clear();
  denied_.clear();
  answers_.clear();
}

}  // namespace gatehouse::dns
