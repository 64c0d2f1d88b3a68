#include "dlp/marks.h"

#include <gtest/gtest.h>

namespace gatehouse::dlp {
namespace {

TEST(Marks, FindTheRunThatHoldsAPosition) {
  Marks marks;
  EXPECT_EQ(marks.at(5).offset, 0u);
  marks.add({0, 10, 100, false, false, 0, 0});
  marks.add({20, 50, 140, true, true, 0, 0});
  marks.add({30, 90, 180, false, false, 0, 0});
  EXPECT_EQ(marks.at(19).offset, 100u);
  EXPECT_EQ(marks.at(19).end, 20u);
  EXPECT_EQ(marks.at(20).origin, 50u);
  EXPECT_TRUE(marks.at(29).copied);
  EXPECT_EQ(marks.at(1'000'000).offset, 180u);
}

TEST(Marks, OfAnEmptyRunTheNextOneIsKept) {
  Marks marks;
  marks.add({7, 1, 1, true, true, 0, 0});
  marks.add({7, 2, 2, false, false, 0, 0});
  EXPECT_EQ(marks.at(7).offset, 2u);
}

TEST(Marks, KeepTheLastOnesAndCallNothingOlderCopied) {
  Marks marks;
  for (uint64_t i = 0; i < 3 * kMaxMarks; ++i) marks.add({i * 10, i, i, true, true, 0, 0});
  EXPECT_EQ(marks.at(3 * kMaxMarks * 10).offset, 3 * kMaxMarks - 1);
  EXPECT_EQ(marks.at(2 * kMaxMarks * 10 + 5).offset, 2 * kMaxMarks);
  EXPECT_TRUE(marks.at(2 * kMaxMarks * 10 + 5).copied);
  EXPECT_FALSE(marks.at(15).copied);
}

TEST(Marks, AreOneWhereTheCopyGoesOn) {
  Marks marks;
  marks.add({0, 100, 100, true, true, 0, 0});
  marks.add({10, 110, 110, true, true, 0, 0});
  EXPECT_GT(marks.at(0).end, 10u);
  marks.add({20, 120, 70, true, false, 0, 0});  // of what was decoded below
  EXPECT_EQ(marks.at(10).end, 20u);
  EXPECT_TRUE(marks.copied(5, 30));
  marks.add({30, 130, 130, false, false, 0, 0});
  marks.add({31, 133, 133, true, true, 0, 0});
  EXPECT_TRUE(marks.copied(5, 30));
  EXPECT_FALSE(marks.copied(5, 31));
  EXPECT_TRUE(marks.copied(31, 99));
  marks.add({40, 150, 150, true, true, 0, 0});  // something was left out
  EXPECT_FALSE(marks.copied(31, 41));
}

TEST(Marks, OfAnEscapeAndTheTextBehindItAreTwoRuns) {
  Marks marks;
  marks.add({0, 100, 100, true, true, 0, 0});
  marks.add({20, 120, 120, true, true, 1, 6});
  marks.add({30, 135, 135, true, true, 0, 2});  // something stands for nothing
  EXPECT_EQ(marks.at(19).end, 20u);
  EXPECT_FALSE(marks.at(20).copied);
  EXPECT_EQ(marks.at(20).origin, 120u);
  EXPECT_EQ(marks.at(20).end, 21u);
  EXPECT_TRUE(marks.at(21).plain);
  EXPECT_EQ(marks.at(29).position, 21u);
  EXPECT_EQ(marks.at(29).offset, 126u);
  EXPECT_EQ(marks.at(29).end, 30u);
  EXPECT_EQ(marks.at(30).offset, 137u);
  EXPECT_TRUE(marks.copied(21, 30));
  EXPECT_FALSE(marks.copied(21, 31));
  EXPECT_FALSE(marks.copied(20, 22));
}

// abc\n\"defgh...: the part's bytes 103 and 105 begin escapes.
TEST(Marks, KnowEachByteOfATextWithEscapes) {
  Marks marks;
  marks.add({.position = 10, .origin = 100, .offset = 100, .copied = true, .plain = true, .escapes = 0b101000});
  EXPECT_TRUE(marks.at(12).plain);
  EXPECT_EQ(marks.at(12).end, 13u);
  EXPECT_FALSE(marks.at(13).copied);
  EXPECT_EQ(marks.at(13).offset, 103u);
  EXPECT_EQ(marks.at(14).origin, 105u);
  EXPECT_EQ(marks.at(14).end, 15u);
  EXPECT_TRUE(marks.at(15).copied);
  EXPECT_EQ(marks.at(15).origin, 107u);
  marks.add(
      {.position = 70, .origin = 162, .offset = 162, .copied = true, .plain = true});  // as the one before goes on
  EXPECT_GT(marks.at(15).end, 71u);
  marks.add({.position = 80, .origin = 172, .offset = 172, .copied = true, .plain = true, .escapes = 0b1});
  EXPECT_EQ(marks.at(15).end, 80u);
  EXPECT_TRUE(marks.copied(10, 13));
  EXPECT_FALSE(marks.copied(10, 14));
  EXPECT_TRUE(marks.plain(15, 80));
  EXPECT_FALSE(marks.plain(15, 81));
  marks.add({.position = 100, .origin = 193, .offset = 193, .copied = true, .plain = true, .escapes = 0b100});
  EXPECT_TRUE(marks.plain(81, 102));  // from one into the next
}

TEST(Marks, KnowWhatIsCopiedOfATextWithEscapes) {
  Marks below;
  below.add({.position = 10, .origin = 100, .offset = 100, .copied = true, .plain = true, .escapes = 0b101000});
  const auto copy = below.copy_of(12);
  EXPECT_EQ(copy.offset, 102u);
  EXPECT_EQ(copy.escapes, 0b1010u);
  EXPECT_TRUE(copy.plain);
  Marks marks;
  marks.add({.position = 0,
             .origin = 12,
             .offset = copy.offset,
             .copied = true,
             .plain = true,
             .escapes = copy.escapes,
             .deeper = true});
  EXPECT_TRUE(marks.plain(0, 1));
  EXPECT_FALSE(marks.plain(0, 2));
  EXPECT_TRUE(marks.copied(0, 9));
  EXPECT_EQ(marks.at(1).offset, 103u);
  EXPECT_EQ(marks.at(1).origin, 13u);
  EXPECT_EQ(marks.at(4).offset, 107u);
  EXPECT_TRUE(marks.at(4).plain);
  // It ended before the second escape.
  marks.add({.position = 2, .origin = 14, .offset = 105});
  EXPECT_EQ(marks.at(1).end, 2u);
  EXPECT_FALSE(marks.plain(2, 3));
  EXPECT_EQ(below.copy_of(14).escapes, 0b1u);
  EXPECT_EQ(below.copy_of(20).escapes, 0u);
}

}  // namespace
}  // namespace gatehouse::dlp
