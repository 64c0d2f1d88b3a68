#include "dlp/marks.h"

#include <algorithm>
#include <limits>

namespace gatehouse::dlp {
namespace {

constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

}  // namespace

void Marks::clear() { added_ = found_ = 0; }

void Marks::grow() { ring_.resize(std::clamp<size_t>(2 * ring_.size(), 16, kMaxMarks)); }

// The last one that does not begin behind it, or the first. As a rule it is not far from the one found last.
uint64_t Marks::find(uint64_t position) const {
  constexpr uint64_t kUsualBytes = 64;  // of a run, in text with many escapes
  uint64_t low = std::max(found_, first());
  if (nth(low).position <= position) {
    constexpr uint64_t kSteps = 4;
    for (uint64_t i = 0; i < kSteps; ++i, ++low) {
      if (low + 1 == added_ || nth(low + 1).position > position) return low;
    }
  }
  if (const uint64_t at = nth(low).position; at <= position) {
    low = std::min(low + (position - at) / kUsualBytes, added_ - 1);
  } else {
    low -= std::min(low - first(), (at - position) / kUsualBytes);
  }
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

// Where the run ends that was found last.
uint64_t Marks::end_of_found() const { return found_ + 1 < added_ ? nth(found_ + 1).position : kNoEnd; }

Marks::Run Marks::at(uint64_t position) const {
  if (added_ == 0) return {.end = kNoEnd};
  found_ = find(position);
  const Mark& mark = nth(found_);
  const uint64_t end = end_of_found();
  // Of what came before the oldest one, not even its being copied is known.
  if (mark.position > position) return {mark.position, mark.origin, mark.offset, false, false, end};
  if (mark.escapes != 0) return run_of_escaped(mark, position, end);
  const uint64_t behind = mark.position + mark.made;
  if (!mark.copied || position < behind) {
    return {mark.position, mark.origin, mark.offset, false, false, mark.copied ? behind : end};
  }
  return {behind, mark.origin + mark.used, mark.offset + (mark.plain ? mark.used : 0), true, mark.plain, end};
}

// The run that holds `position`; the mark's last one ends before `end`.
Marks::Run Marks::run_of_escaped(const Mark& mark, uint64_t position, uint64_t end) {
  uint64_t at = mark.position;
  uint64_t offset = mark.offset;
  const auto run = [&](bool plain, uint64_t run_end) {
    const uint64_t origin = mark.deeper ? mark.origin + (at - mark.position) : offset;
    return Run{at, origin, offset, plain || mark.deeper, plain, run_end};
  };
  for (uint64_t bits = mark.escapes; bits != 0; bits &= bits - 1) {
    const uint64_t escape = mark.offset + static_cast<uint64_t>(std::countr_zero(bits));
    const uint64_t made = at + (escape - offset);
    if (made >= end) break;  // the copy ends before
    if (position < made) return run(true, made);
    at = made;
    offset = escape;
    if (position == made) return run(false, made + 1);
    at += 1;
    offset += 2;
  }
  return run(true, end);
}

Marks::Copy Marks::copy_of(uint64_t position) const {
  const Run run = at(position);
  const uint64_t offset = run.offset + (run.plain ? position - run.position : 0);
  if (added_ == 0 || nth(found_).escapes == 0 || nth(found_).position > position) {
    return {offset, 0, run.plain, run.end};
  }
  const uint64_t behind = offset - nth(found_).offset;
  return {offset, behind < 64 ? nth(found_).escapes >> behind : 0, true, end_of_found()};
}

bool Marks::plain(uint64_t begin, uint64_t end) const {
  Run run = at(begin);
  while (run.plain && run.end < end) {
    const uint64_t offset = run.offset + (run.end - run.position);
    run = at(run.end);
    if (run.offset != offset) return false;
  }
  return run.plain;
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
