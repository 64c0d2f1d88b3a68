// How many questions that are no repeats a session may ask: a token bucket, so that no flood of them fills the disk or
// keeps the scanner from others.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "dns/time.h"

namespace gatehouse::dns {

// A row takes some 600 bytes on disk, so a guest that floods writes 12 MB at once and then 60 kB/s, twice
// that with the summaries of what it repeats.
inline constexpr int64_t kMaxRowsAtOnce = 20'000;
inline constexpr int64_t kRowsPerSecond = 100;

class RowBudget {
 public:
  // True when one more row may be written now, and counts it.
  bool spend(Time now) {
    const auto period = std::chrono::microseconds(std::chrono::seconds(1)) / kRowsPerSecond;
    const int64_t earned = (now - last_) / period;
    if (earned > 0) {
      left_ = std::min(kMaxRowsAtOnce, left_ + earned);
      last_ = left_ == kMaxRowsAtOnce ? now : last_ + earned * period;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  int64_t left_ = kMaxRowsAtOnce;
  Time last_{};
};

}  // namespace gatehouse::dns
