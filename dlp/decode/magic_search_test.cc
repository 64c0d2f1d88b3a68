#include "dlp/decode/magic_search.h"

#include <gtest/gtest.h>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

TEST(MagicSearch, FindsEachPairAtEachPlaceWithAndWithoutVectors) {
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    for (const std::string_view pair : {"\x1f\x8b", "\x28\xb5", "PK", "\x78\x01", "\x78\x5e", "\x78\x9c", "\x78\xda"}) {
      for (size_t at = 0; at + 2 <= 200; ++at) {
        std::string bytes(200, pair[0]);  // first halves only
        bytes.replace(at, 2, pair);
        ASSERT_EQ(find_magic_pair(bytes, 0), at) << pair[0] << " " << static_cast<int>(vectors);
        ASSERT_EQ(find_magic_pair(bytes, at), at);
        ASSERT_EQ(find_magic_pair(bytes, at + 1), std::string_view::npos) << at << " " << static_cast<int>(vectors);
        ASSERT_EQ(find_magic_pair(std::string_view(bytes).substr(0, at + 1), 0), std::string_view::npos);
      }
    }
  }
  use_vectors = Vectors::avx512;
}

TEST(MagicSearch, AsksForMoreThanThePair) {
  const struct {
    std::string_view bytes;
    Magic magic;
  } rows[] = {
      {std::string_view("\x1f\x8b\x08\0\0\0\0\0\0\3............", 22), Magic::gzip},
      {std::string_view("\x1f\x8b\x07\0\0\0\0\0\0\3............", 22), Magic::none},
      {std::string_view("\x28\xb5\x2f\xfd............"), Magic::zstd},
      {std::string_view("\x28\xb5\x2f\xfc............"), Magic::none},
      {std::string_view("PK\x03\x04............"), Magic::zip},
      {std::string_view("PK\x01\x02............"), Magic::none},
      {std::string_view("PK\x03\x04..........."), Magic::none},  // too short for anything
      {std::string_view("\x78\x9c\x4b\x80............"), Magic::zlib},
      {std::string_view("\x78\x9c\x4b............."), Magic::none},     // all text
      {std::string_view("\x78\x9c\x07\x80............"), Magic::none},  // no such block
      {std::string_view("\x78\x01\x01\x05\x00\xfa\xff.........", 16), Magic::zlib},
      {std::string_view("\x78\x01\x01\x05\x00\xfa\xfe.........", 16), Magic::none},  // lengths that disagree
  };
  for (const auto& row : rows) EXPECT_EQ(magic_of(row.bytes), row.magic) << &row - rows;
}

}  // namespace
}  // namespace gatehouse::dlp
