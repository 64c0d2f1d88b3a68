#include "dlp/decode/byte_class.h"

#include <gtest/gtest.h>

#include <string>

#include "dlp/decode/base64.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

TEST(ByteClass, HoldsItsMembersAlone) {
  EXPECT_TRUE(kBase64Class.holds('-') && kBase64Class.holds('z') && kBase64Class.holds('9') && kBase64Class.holds('/'));
  EXPECT_FALSE(kBase64Class.holds('.') || kBase64Class.holds(',') || kBase64Class.holds('\xc1'));
}

TEST(ByteClass, MaskSaysWhereItsMembersStand) {
  constexpr ByteClass kAbove("%", true);
  std::string all;
  for (int i = 0; i < 1000; ++i) all += static_cast<char>(i * 7);
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    for (const ByteClass* members : {&kBase64Class, &kAbove}) {
      for (size_t size : {0, 1, 63, 64, 65, 130, 1000}) {
        Mask mask;
        find_members(*members, std::string_view(all).substr(0, size), mask);
        for (size_t i = 0; i < size; ++i) ASSERT_EQ(mask.at(i), members->holds(all[i])) << i;
        for (size_t from = 0; from <= size; ++from) {
          size_t next = from;
          while (next < size && !members->holds(all[next])) ++next;
          ASSERT_EQ(mask.find(from), next);
          next = from;
          while (next < size && members->holds(all[next])) ++next;
          ASSERT_EQ(mask.find_not(from), next);
        }
      }
    }
  }
  use_vectors = Vectors::avx512;
}

}  // namespace
}  // namespace gatehouse::dlp
