// Connections that are refused because there are too many: their rows. The first leaves one at once, those that follow
// within kCrowdedRowPeriod one together, so that a flood neither fills the log nor goes uncounted. Passive.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/verdict.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxConnections = 4096;  // of one worker; what comes above is closed at once
inline constexpr std::chrono::seconds kCrowdedRowPeriod{1};

class Crowd {
 public:
  // One more is refused: what is to be recorded now; nothing if it is to be told of after kCrowdedRowPeriod at the
  // latest.
  std::optional<Decision> refuse();
  // The period is over, or everything is: what is still to be told. With nothing the next one is told of at once again.
  std::optional<Decision> tell();

 private:
  bool told_lately_ = false;
  uint64_t untold_ = 0;
};

}  // namespace gatehouse::proxy
