#include "guest/dns_table.h"

#include "guest/dns_message.h"

namespace gatehouse::guest {

bool DnsTable::add(std::string& query, OnAnswer on_answer, Time now) {
  if (waiting_.size() >= kMaxOutstanding) return false;
  // At most one identifier in sixteen is taken, so a free one is near. A late answer to an expired query finds its
  // identifier free, because they are used in turn.
  while (waiting_.contains(next_id_)) ++next_id_;
  waiting_[next_id_] = Waiting{std::string(header_and_question(query)), std::move(on_answer), now + kLifetime};
  set_message_id(query, next_id_++);
  return true;
}

std::optional<DnsTable::Settled> DnsTable::settle(std::string response) {
  const auto found = waiting_.find(message_id(response));
  if (found == waiting_.end()) return std::nullopt;
  set_message_id(response, message_id(found->second.question));
  Settled settled{std::move(response), std::move(found->second.on_answer)};
  waiting_.erase(found);
  return settled;
}

std::vector<DnsTable::Settled> DnsTable::expire(Time now) {
  std::vector<Settled> expired;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second.deadline <= now) {
      expired.push_back(refuse(std::move(at->second)));
      at = waiting_.erase(at);
    } else {
      ++at;
    }
  }
  return expired;
}

std::vector<DnsTable::Settled> DnsTable::abandon() {
  std::vector<Settled> abandoned;
  for (auto& [id, waiting] : waiting_) abandoned.push_back(refuse(std::move(waiting)));
  waiting_.clear();
  return abandoned;
}

DnsTable::Settled DnsTable::refuse(Waiting waiting) {
  return {server_failure(waiting.question), std::move(waiting.on_answer)};
}

}  // namespace gatehouse::guest
