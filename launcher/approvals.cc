#include "launcher/approvals.h"

#include <algorithm>

namespace gatehouse::launcher {

namespace {

using approval::Decided;
using approval::Scope;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr size_t kMaxStanding = 4096;

std::string words(bool allowed, const std::string& by, Scope scope) {
  return fmt::format("{} by {}{}", allowed ? "allowed" : "denied", by,
                     scope == Scope::session ? " for the session" : "");
}

}  // namespace

Approvals::Settled Approvals::settle(uint64_t number, Entry entry, Decided decided) {
  decided.id = entry.wanted.id;
  return {number, entry.asker, std::move(entry.wanted), std::move(decided)};
}

std::variant<uint64_t, Approvals::Settled> Approvals::ask(uint64_t asker, approval::Wanted wanted, Time now) {
  if (const auto standing = for_session_.find(wanted.key); !wanted.key.empty() && standing != for_session_.end()) {
    const auto& [allowed, by] = standing->second;
    return settle(0, {asker, std::move(wanted), now, now},
                  {0, allowed, Scope::session, by, words(allowed, by, Scope::session)});
  }
  if (entries_.size() >= approval::kMaxPending) {
    return settle(0, {asker, std::move(wanted), now, now},
                  {0, false, Scope::once, "", fmt::format("{} others wait already", entries_.size())});
  }
  const uint64_t number = next_++;
  const Time until = now + wanted.time;
  entries_.emplace(number, Entry{asker, std::move(wanted), now, until});
  return number;
}

Result<std::vector<Approvals::Settled>> Approvals::decide(const approval::Decide& decide, const std::string& by) {
  const auto found = entries_.find(decide.number);
  if (found == entries_.end()) return fail("nothing waits under number {}", decide.number);
  const std::string key = found->second.wanted.key;
  if (decide.scope == Scope::session && key.empty()) {
    return fail("number {} can only be decided once: what it asks for has no name", decide.number);
  }
  const Decided decided{0, decide.allow, decide.scope, by, words(decide.allow, by, decide.scope)};
  std::vector<Settled> settled;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool same = decide.scope == Scope::session && it->second.wanted.key == key;
    if (it->first != decide.number && !same) {
      ++it;
      continue;
    }
    settled.push_back(settle(it->first, std::move(it->second), decided));
    it = entries_.erase(it);
  }
  if (decide.scope == Scope::session && for_session_.size() < kMaxStanding) for_session_[key] = {decide.allow, by};
  return settled;
}

std::vector<Approvals::Settled> Approvals::expire(Time now) {
  std::vector<Settled> settled;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second.until > now) {
      ++it;
      continue;
    }
    const auto seconds = duration_cast<std::chrono::seconds>(it->second.wanted.time).count();
    settled.push_back(settle(it->first, std::move(it->second),
                             {0, false, Scope::once, "", fmt::format("nobody has decided within {} s", seconds)}));
    it = entries_.erase(it);
  }
  return settled;
}

std::optional<Approvals::Time> Approvals::next_expiry() const {
  std::optional<Time> next;
  for (const auto& [number, entry] : entries_) {
    if (!next || entry.until < *next) next = entry.until;
  }
  return next;
}

void Approvals::withdraw(uint64_t asker, uint64_t id) {
  std::erase_if(entries_, [&](const auto& one) { return one.second.asker == asker && one.second.wanted.id == id; });
}

void Approvals::withdraw_all(uint64_t asker) {
  std::erase_if(entries_, [&](const auto& one) { return one.second.asker == asker; });
}

std::vector<approval::Pending> Approvals::pending(Time now) const {
  std::vector<approval::Pending> list;
  for (const auto& [number, entry] : entries_) {
    list.push_back({number, duration_cast<milliseconds>(now - entry.since),
                    std::max(duration_cast<milliseconds>(entry.until - now), milliseconds(0)), entry.wanted});
  }
  return list;
}

}  // namespace gatehouse::launcher
