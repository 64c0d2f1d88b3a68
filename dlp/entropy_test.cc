#include "dlp/entropy.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::dlp {
namespace {

std::string every_byte() {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  return bytes;
}

TEST(Entropy, IsShannonsOfTheBytesDistribution) {
  const std::pair<std::string, double> cases[] = {
      {"", 0},
      {"a", 0},
      {"aaaa", 0},
      {"abab", 1},
      {"abcd", 2},
      {"hello world", 2.8453509366224368},
      {every_byte(), 8},
      {std::string(1000, 'a') + std::string(500, 'b'), 0.9182958340544896},  // counts beyond the table
  };
  for (const auto& [bytes, entropy] : cases) EXPECT_NEAR(shannon_entropy(bytes), entropy, 1e-9) << bytes.substr(0, 20);
}

TEST(Entropy, OfOneRepeatedLetterIsNeverBelowZero) {
  for (size_t size = 1; size < 2000; ++size) {
    const double entropy = shannon_entropy(std::string(size, 'A'));
    EXPECT_GE(entropy, 0) << size;
    EXPECT_NEAR(entropy, 0, 1e-9) << size;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
