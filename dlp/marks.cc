#include "dlp/marks.h"

#include <cassert>
#include <limits>

namespace gatehouse::dlp {

void Marks::add(const Mark& mark) {
  if (!ring_.empty()) {
    Mark& last = ring_[(first_ + ring_.size() - 1) % kMaxMarks];
    assert(last.position <= mark.position);
    if (last.position == mark.position) {
      last = mark;
      return;
    }
  }
  if (ring_.size() < kMaxMarks) {
    ring_.push_back(mark);
  } else {
    ring_[first_] = mark;
    first_ = (first_ + 1) % kMaxMarks;
  }
}

void Marks::clear() {
  ring_.clear();
  first_ = 0;
}

Marks::Found Marks::at(uint64_t position) const {
  constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();
  if (ring_.empty()) return {Mark{}, kNoEnd};
  // The last one that does not begin behind it; the runs looked for are near the end as a rule.
  // As a rule it is the run that was asked for last.
  if (const size_t last = (last_ - first_) % kMaxMarks; last < ring_.size() && nth(last).position <= position) {
    if (last + 1 == ring_.size()) return {nth(last), kNoEnd};
    if (nth(last + 1).position > position) return {nth(last), nth(last + 1).position};
  }
  size_t low = 0;
  for (size_t left = ring_.size(); left > 1;) {
    const size_t half = left / 2;
    low += nth(low + half).position <= position ? half : 0;
    left -= half;
  }
  const size_t high = low + 1;
  last_ = (first_ + low) % kMaxMarks;
  Mark mark = nth(low);
  // Of what came before the oldest one, not even its being copied is known.
  if (mark.position > position) mark.copied = false;
  return {mark, high < ring_.size() ? nth(high).position : kNoEnd};
}

}  // namespace gatehouse::dlp
