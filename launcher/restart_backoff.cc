#include "launcher/restart_backoff.h"

#include <algorithm>

namespace gatehouse::launcher {

std::optional<std::chrono::milliseconds> RestartBackoff::crashed(Time now) {
  while (!crashes_.empty() && now - crashes_.front() > kCrashWindow) crashes_.pop_front();
  crashes_.push_back(now);
  if (crashes_.size() > kMostCrashes) return std::nullopt;

  if (now - started_ >= kStable) next_delay_ = std::chrono::milliseconds(0);
  const auto delay = next_delay_;
  next_delay_ = delay.count() == 0 ? kFirstDelay : std::min(delay * 2, kLongestDelay);
  return delay;
}

}  // namespace gatehouse::launcher
