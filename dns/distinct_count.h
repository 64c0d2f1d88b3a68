// How many different things there were, in 256 bytes: HyperLogLog (Flajolet and others, 2007) with linear counting for
// few of them. Exact to one or two up to 16, within about 7 % beyond.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace gatehouse::dns {

class DistinctCount {
 public:
  // `hash` of the thing, all 64 bits of it even (KeyedHash: whoever chooses the things cannot choose their hashes).
  void add(uint64_t hash);
  double estimate() const;

 private:
  static constexpr int kIndexBits = 8;
  static constexpr size_t kRegisters = 1 << kIndexBits;

  std::array<uint8_t, kRegisters> registers_{};
  size_t empty_ = kRegisters;
  double sum_ = kRegisters;  // of 2^-register
};

}  // namespace gatehouse::dns
