#include "dlp/entropy.h"

#include <array>
#include <cmath>
#include <cstdint>

namespace gatehouse::dlp {
namespace {

constexpr size_t kTabled = 512;  // counts up to here need no logarithm; secrets are rarely longer

double count_log(size_t n) { return n < 2 ? 0 : static_cast<double>(n) * std::log2(static_cast<double>(n)); }

// step[n] is what the sum of n*log2(n) over all bytes gains when one byte's count goes from n to n + 1.
const std::array<double, kTabled> step = [] {
  std::array<double, kTabled> made{};
  for (size_t n = 0; n < kTabled; ++n) made[n] = count_log(n + 1) - count_log(n);
  return made;
}();

}  // namespace

double shannon_entropy(std::string_view bytes) {
  if (bytes.empty()) return 0;
  std::array<uint32_t, 256> counts{};
  double sum = 0;
  for (const char c : bytes) {
    const uint32_t before = counts[static_cast<uint8_t>(c)]++;
    sum += before < kTabled ? step[before] : count_log(before + 1) - count_log(before);
  }
  const auto size = static_cast<double>(bytes.size());
  const double entropy = std::log2(size) - sum / size;
  return entropy > 0 ? entropy : 0;  // not -0.0, nor what rounding leaves of it
}

}  // namespace gatehouse::dlp
