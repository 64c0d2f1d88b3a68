// When a crashed gate is started again. Passive: times in, a decision out.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

namespace gatehouse::launcher {

// The first restart is immediate, so that a session works again within a second of one crash; a process that keeps
// crashing right after its start waits longer and longer. Too many crashes within a window end it: a guest that can
// crash a gate at will must not get unlimited tries.
class RestartBackoff {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds kStable{1000};  // having lived that long, a crash counts as a first one
  static constexpr std::chrono::milliseconds kFirstDelay{25};
  static constexpr std::chrono::milliseconds kLongestDelay{500};
  static constexpr size_t kMostCrashes = 15;
  static constexpr std::chrono::minutes kCrashWindow{1};

  void started(Time now) { started_ = now; }

  // How long to wait before the next start, or nothing when there is to be none.
  std::optional<std::chrono::milliseconds> crashed(Time now);

 private:
  Time started_{};
  std::chrono::milliseconds next_delay_{0};
  std::deque<Time> crashes_;  // within kCrashWindow
};

}  // namespace gatehouse::launcher
