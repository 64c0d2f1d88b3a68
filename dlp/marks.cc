#include "dlp/marks.h"

#include <algorithm>
#include <limits>

namespace gatehouse::dlp {
void Marks::clear() {
  ring_.clear();
  added_ = found_ = 0;
}

// The last one that does not begin behind it, or the first. As a rule it is not far from the one found last.
uint64_t Marks::find(uint64_t position) const {
  uint64_t low = std::max(found_, first());
  uint64_t high = added_;
  if (nth(low).position <= position) {
    for (uint64_t step = 1; low + step < added_; step *= 2) {
      if (nth(low + step).position > position) {
        high = low + step;
        break;
      }
      low += step;
    }
  } else {
    high = low;
    low = first();
    for (uint64_t step = 1; high - low > step; step *= 2) {
      if (nth(high - step).position <= position) {
        low = high - step;
        break;
      }
      high -= step;
    }
  }
  while (high - low > 1) {
    const uint64_t half = low + (high - low) / 2;
    (nth(half).position <= position ? low : high) = half;
  }
  return low;
}

Marks::Run Marks::at(uint64_t position) const {
  constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();
  if (ring_.empty()) return {.end = kNoEnd};
  found_ = find(position);
  const Mark& mark = nth(found_);
  const uint64_t end = found_ + 1 < added_ ? nth(found_ + 1).position : kNoEnd;
  // Of what came before the oldest one, not even its being copied is known.
  if (mark.position > position) return {mark.position, mark.origin, mark.offset, false, false, end};
  const uint64_t behind = mark.position + mark.made;
  if (!mark.copied || position < behind) {
    return {mark.position, mark.origin, mark.offset, false, false, mark.copied ? behind : end};
  }
  return {behind, mark.origin + mark.used, mark.offset + (mark.plain ? mark.used : 0), true, mark.plain, end};
}

bool Marks::copied(uint64_t begin, uint64_t end) const {
  Run run = at(begin);
  if (!run.copied) return false;
  while (run.end < end) {
    const uint64_t origin = run.origin + (run.end - run.position);
    run = at(run.end);
    if (!run.copied || run.origin != origin) return false;
  }
  return true;
}

}  // namespace gatehouse::dlp
