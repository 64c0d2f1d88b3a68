#include "launcher/bridge/refusals.h"

#include <fmt/core.h>

#include <limits>

#include "common/base/uuid.h"

namespace gatehouse::bridge {

namespace {

audit::NetEvent denial(uint32_t port, const std::string& rule, const std::string& reason, std::string detail) {
  audit::NetEvent event;
  event.event_id = make_uuid();
  event.trace_id = event.event_id;
  event.decision = {Verdict::deny, rule, reason};
  event.channel = "vsock";
  // A vsock port has 32 bits, the column 16: the reason names the larger ones.
  event.port = port <= std::numeric_limits<uint16_t>::max() ? static_cast<uint16_t>(port) : 0;
  event.detail = std::move(detail);
  return event;
}

}  // namespace

std::vector<audit::NetEvent> Refusals::add(const Refusal& refusal) {
  const auto key = std::pair(refusal.rule, refusal.port);
  if (const auto known = kinds_.find(key); known != kinds_.end()) {
    ++known->second.repeats;
    return {};
  }
  if (kinds_.size() == kMaxRefusalsTold) {
    ++others_;
    return {};
  }
  kinds_.emplace(key, Kind{refusal.reason, 0});
  return {denial(refusal.port, refusal.rule, refusal.reason, "")};
}

std::vector<audit::NetEvent> Refusals::flush() {
  std::vector<audit::NetEvent> events;
  for (auto kind = kinds_.begin(); kind != kinds_.end();) {
    auto& [key, counted] = *kind;
    if (counted.repeats == 0) {
      kind = kinds_.erase(kind);
      continue;
    }
    events.push_back(
        denial(key.second, key.first, counted.reason, fmt::format("{} more within a second", counted.repeats)));
    counted.repeats = 0;
    ++kind;
  }
  if (others_ > 0) {
    events.push_back(denial(0, "vsock.flood", fmt::format("more than {} kinds of refusal a second", kMaxRefusalsTold),
                            fmt::format("{} more refusals of other kinds within a second", others_)));
    others_ = 0;
  }
  return events;
}

}  // namespace gatehouse::bridge
