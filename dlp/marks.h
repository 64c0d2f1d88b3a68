// Where the bytes of a layer came from: for each run of them, its beginning in the layer below and in the part. Keeps
// the last kMaxMarks only; an older position is taken for the oldest one kept. A mark needs none of the marks below.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gatehouse::dlp {

inline constexpr size_t kMaxMarks = 1024;  // far more than runs of 16 bytes fit into kMaxMatchBytes

// A run that was made of what stands below, or stands there as it is, or both: an escape and the text behind it.
struct Mark {
  uint64_t position = 0;  // in the layer, of the run's first byte
  uint64_t origin = 0;    // in the layer below: of what it was made of
  uint64_t offset = 0;    // in the part, likewise
  bool copied = false;    // the run stands below as it is, but for its first `made` bytes
  bool plain = false;     // copied all the way: so it stands in the part
  uint16_t made = 0;      // of `used` bytes of the layer below and, if plain, of the part
  uint16_t used = 0;
  // Of a plain run, bit i: the part's bytes offset + i and offset + i + 1 are one byte here, and are so below if that
  // is `deeper`; all else stands in the part as it is.
  uint64_t escapes = 0;
  bool deeper = false;
};

class Marks {
 public:
  // Positions never decrease. A mark at the same position as the last one replaces it; one that goes on as the last one
  // does is none. (Inline: a mark that is put together in memory first takes three times as long to get into the ring.)
  [[gnu::always_inline]] void add(Mark mark) {
    if (added_ > 0) {
      Mark& last = ring_[(added_ - 1) % kMaxMarks];
      assert(last.position <= mark.position);
      if (last.position == mark.position) {
        last = mark;
        return;
      }
      if (mark.made == 0 && mark.copied && mark.escapes == 0 && goes_on(last, mark)) return;
    }
    if (added_ == ring_.size() && added_ < kMaxMarks) grow();
    ring_[added_ % kMaxMarks] = mark;
    ++added_;
  }
  void clear();

  // Made or copied as a whole.
  struct Run {
    uint64_t position = 0;
    uint64_t origin = 0;
    uint64_t offset = 0;
    bool copied = false;
    bool plain = false;
    uint64_t end;  // where the next run begins; the greatest number for the last one
  };
  // The run that holds `position`, or nothing known when none was added.
  Run at(uint64_t position) const;
  // How bytes from `position` on, which merely stand here, came about: up to `end` they are plain but for the escapes.
  struct Copy {
    uint64_t offset = 0;
    uint64_t escapes = 0;
    bool plain = false;
    uint64_t end = 0;
  };
  Copy copy_of(uint64_t position) const;
  // Whether all of it stands below as it is, in one piece.
  bool copied(uint64_t begin, uint64_t end) const;
  // Likewise, in the part.
  bool plain(uint64_t begin, uint64_t end) const;

 private:
  // By how many were added before.
  const Mark& nth(uint64_t number) const { return ring_[number % kMaxMarks]; }
  uint64_t first() const { return added_ - std::min<uint64_t>(added_, kMaxMarks); }
  void grow();
  uint64_t find(uint64_t position) const;
  static Run run_of_escaped(const Mark& mark, uint64_t position, uint64_t end);
  uint64_t end_of_found() const;
  // In runs that stand below as they are, bytes next to each other are so there.
  static bool goes_on(const Mark& last, const Mark& mark) {
    if (!last.copied || last.plain != mark.plain) return false;
    if (last.escapes != 0) {
      const uint64_t bytes = mark.position - last.position;
      const auto escapes = static_cast<uint64_t>(std::popcount(last.escapes));
      return mark.used == 0 && mark.offset == last.offset + bytes + escapes &&
             mark.origin == last.origin + bytes + (last.deeper ? 0 : escapes);
    }
    const uint64_t bytes = mark.position - last.position + last.used - last.made;
    return mark.origin + mark.used - last.origin == bytes &&
           mark.offset + (mark.plain ? mark.used : 0) - last.offset == (mark.plain ? bytes : 0);
  }

  std::vector<Mark> ring_;  // grows up to kMaxMarks, and is kept
  uint64_t added_ = 0;
  mutable uint64_t found_ = 0;  // the one found last
};

}  // namespace gatehouse::dlp
