#include "dlp/marks.h"

#include <cassert>
#include <limits>

namespace gatehouse::dlp {

void Marks::add(const Mark& mark) {
  if (!ring_.empty()) {
    Mark& last = ring_[(first_ + ring_.size() - 1) % ring_.size()];
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
  size_t low = 0;
  size_t high = ring_.size();
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    (nth(middle).position <= position ? low : high) = middle;
  }
  Mark mark = nth(low);
  // Of what came before the oldest one, not even its being copied is known.
  if (mark.position > position) mark.copied = false;
  return {mark, high < ring_.size() ? nth(high).position : kNoEnd};
}

}  // namespace gatehouse::dlp
