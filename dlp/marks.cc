#include "dlp/marks.h"

#include <cassert>
#include <limits>

namespace gatehouse::dlp {
namespace {

// In runs that stand below as they are, bytes next to each other are so there.
bool goes_on(const Mark& last, const Mark& mark) {
  const uint64_t bytes = mark.position - last.position;
  return last.copied && mark.copied && last.plain == mark.plain && mark.origin - last.origin == bytes &&
         mark.offset - last.offset == (mark.plain ? bytes : 0);
}

}  // namespace

void Marks::add(const Mark& mark) {
  if (!ring_.empty()) {
    Mark& last = ring_[(first_ + ring_.size() - 1) % kMaxMarks];
    assert(last.position <= mark.position);
    if (last.position == mark.position) {
      last = mark;
      return;
    }
    if (goes_on(last, mark)) return;
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
  if (mark.position > position) mark.copied = mark.plain = false;
  return {mark, high < ring_.size() ? nth(high).position : kNoEnd};
}

bool Marks::copied(uint64_t begin, uint64_t end) const {
  Found run = at(begin);
  if (!run.mark.copied) return false;
  while (run.end < end) {
    const uint64_t origin = run.mark.origin + (run.end - run.mark.position);
    run = at(run.end);
    if (!run.mark.copied || run.mark.origin != origin) return false;
  }
  return true;
}

}  // namespace gatehouse::dlp
