// Where the bytes of a layer came from: for each run of them, its beginning in the layer below and in the part. Keeps
// the last kMaxMarks only; an older position is taken for the oldest one kept. A mark needs none of the marks below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gatehouse::dlp {

inline constexpr size_t kMaxMarks = 1024;  // far more than runs of 16 bytes fit into kMaxMatchBytes

struct Mark {
  uint64_t position = 0;  // in the layer, of the run's first byte
  uint64_t origin = 0;    // in the layer below: of what it was made of
  uint64_t offset = 0;    // in the part, likewise
  bool copied = false;    // the run stands below as it is
  bool plain = false;     // copied all the way: it stands in the part as it is
};

class Marks {
 public:
  // Positions never decrease. A mark at the same position as the last one replaces it; one that goes on as the last one
  // does is none.
  void add(const Mark& mark);
  void clear();

  struct Found {
    Mark mark;
    uint64_t end;  // where the next run begins; the greatest number for the last one
  };
  // The run that holds `position`, or nothing known when none was added.
  Found at(uint64_t position) const;
  // Whether all of it stands below as it is, in one piece.
  bool copied(uint64_t begin, uint64_t end) const;

 private:
  // Before the ring is full, the first is at 0.
  const Mark& nth(size_t index) const { return ring_[(first_ + index) % kMaxMarks]; }

  std::vector<Mark> ring_;   // grows up to kMaxMarks
  size_t first_ = 0;         // the oldest one, once it is full
  mutable size_t last_ = 0;  // the one found last
};

}  // namespace gatehouse::dlp
