#include "proxy/telemetry/tool_ledger.h"

namespace gatehouse::proxy {

std::string ToolLedger::key_of(const std::string& host, const std::string& id, const std::string& name) {
  return id.empty() ? host + "\nname\n" + name : host + "\nid\n" + id;
}

ToolLedger::Entry& ToolLedger::entry(std::string key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front();
  }
  if (entries_.size() == kMaxToolsRemembered) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({std::move(key), {}, false, false});
  by_key_[entries_.front().key] = entries_.begin();
  return entries_.front();
}

void ToolLedger::called(const std::string& host, const std::string& id, const Call& call) {
  const std::lock_guard lock(mutex_);
  auto& found = entry(key_of(host, id, call.name));
  found.call = call;
  found.seen = true;
  found.answered = false;
}

bool ToolLedger::is_answered(const std::string& host, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key_of(host, id, {}));
  return found != by_key_.end() && found->second->answered;
}

std::optional<ToolLedger::Call> ToolLedger::answered(const std::string& host, const std::string& id,
                                                     const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto& found = entry(key_of(host, id, name));
  found.answered = true;
  if (!found.seen) return std::nullopt;
  return found.call;
}

size_t ToolLedger::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace gatehouse::proxy
