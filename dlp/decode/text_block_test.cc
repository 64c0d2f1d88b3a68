#include "dlp/decode/text_block.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "dlp/decode/base64.h"
#include "dlp/decode/hex.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

TEST(TextBlock, KnowsTheSignsOfEachByteWhateverFindsThem) {
  const struct {
    Sign sign;
    ByteClass members;
  } rows[] = {{Sign::text, ByteClass(std::string_view("\0\t\n\r -~", 7))},
              {Sign::word, ByteClass("a-zA-Z0-9")},
              {Sign::hex, kHexClass},
              {Sign::base64, kBase64Class},
              {Sign::quote, ByteClass("\"'`")},
              {Sign::join, ByteClass("\"'` \n\r\t+.&|~")},
              {Sign::backslash, ByteClass("\\")},
              {Sign::percent, ByteClass("%")},
              {Sign::ampersand, ByteClass("&")},
              {Sign::equals, ByteClass("=")},
              {Sign::hash, ByteClass("#")},
              {Sign::line_end, ByteClass("\r\n")},
              {Sign::number, ByteClass("0-9A-Fa-fxX")},
              {Sign::token, ByteClass("-0-9A-Za-z_+/=.!@#$%^*~&;?:")},
              {Sign::above, ByteClass("", true)}};
  static_assert(std::size(rows) == kSignCount);
  std::mt19937 random(1);
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  while (all.size() < kMaskedBytes) all += static_cast<char>(random());
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    for (const size_t size : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{300}, kMaskedBytes}) {
      const TextBlock block(std::string_view(all).substr(0, size));
      for (const auto& row : rows) {
        bool any = false;
        ASSERT_EQ(block[row.sign].size, size);
        for (size_t i = 0; i < size; ++i) {
          any |= row.members.holds(all[i]);
          ASSERT_EQ(block[row.sign].at(i), row.members.holds(all[i])) << i;
        }
        EXPECT_EQ(block.has(row.sign), any);
        if (size % 64 != 0) {
          EXPECT_EQ(block[row.sign].words[size / 64] >> size % 64, 0u);
        }
      }
    }
  }
  use_vectors = Vectors::avx512;
}

TEST(TextBlock, ListsPositionsWhateverFindsThem) {
  std::mt19937_64 random(1);
  std::array<uint64_t, kMaskWords> words;
  std::vector<uint16_t> expected;
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = random() & (i % 3 == 0 ? ~uint64_t{0} : random()) & (i % 7 == 0 ? 0 : ~uint64_t{0});
    if (i % 5 == 0) words[i] = ~uint64_t{0};
    for (size_t bit = 0; bit < 64; ++bit) {
      if ((words[i] >> bit & 1) != 0) expected.push_back(static_cast<uint16_t>(i * 64 + bit));
    }
  }
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    std::array<uint16_t, kMaxPositions> positions;
    const size_t count = list_positions(words.data(), words.size(), positions.data());
    EXPECT_EQ(std::vector<uint16_t>(positions.begin(), positions.begin() + static_cast<ptrdiff_t>(count)), expected);
  }
  use_vectors = Vectors::avx512;
}

}  // namespace
}  // namespace gatehouse::dlp
