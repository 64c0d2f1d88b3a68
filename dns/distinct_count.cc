#include "dns/distinct_count.h"

#include <bit>
#include <cmath>

namespace gatehouse::dns {

void DistinctCount::add(uint64_t hash) {
  auto& place = registers_[hash >> (64 - kIndexBits)];
  // One more than the zero bits before the first one of the rest; the bit set below the rest bounds it.
  const auto rank = static_cast<uint8_t>(1 + std::countl_zero(hash << kIndexBits | uint64_t{1} << (kIndexBits - 1)));
  if (rank <= place) return;
  if (place == 0) --empty_;
  sum_ += std::ldexp(1, -rank) - std::ldexp(1, -place);
  place = rank;
}

double DistinctCount::estimate() const {
  constexpr double m = kRegisters;
  constexpr double kBias = 0.7213 / (1 + 1.079 / m);
  const double raw = kBias * m * m / sum_;
  if (raw <= 2.5 * m && empty_ > 0) return m * std::log(m / static_cast<double>(empty_));
  return raw;
}

}  // namespace gatehouse::dns
