#include "dlp/marks.h"

#include <gtest/gtest.h>

namespace gatehouse::dlp {
namespace {

TEST(Marks, FindTheRunThatHoldsAPosition) {
  Marks marks;
  EXPECT_EQ(marks.at(5).mark.offset, 0u);
  marks.add({0, 10, 100, false, false});
  marks.add({20, 50, 140, true, true});
  marks.add({30, 90, 180, false, false});
  EXPECT_EQ(marks.at(19).mark.offset, 100u);
  EXPECT_EQ(marks.at(19).end, 20u);
  EXPECT_EQ(marks.at(20).mark.origin, 50u);
  EXPECT_TRUE(marks.at(29).mark.copied);
  EXPECT_EQ(marks.at(1'000'000).mark.offset, 180u);
}

TEST(Marks, OfAnEmptyRunTheNextOneIsKept) {
  Marks marks;
  marks.add({7, 1, 1, true, true});
  marks.add({7, 2, 2, false, false});
  EXPECT_EQ(marks.at(7).mark.offset, 2u);
}

TEST(Marks, KeepTheLastOnesAndCallNothingOlderCopied) {
  Marks marks;
  for (uint64_t i = 0; i < 3 * kMaxMarks; ++i) marks.add({i * 10, i, i, true, true});
  EXPECT_EQ(marks.at(3 * kMaxMarks * 10).mark.offset, 3 * kMaxMarks - 1);
  EXPECT_EQ(marks.at(2 * kMaxMarks * 10 + 5).mark.offset, 2 * kMaxMarks);
  EXPECT_TRUE(marks.at(2 * kMaxMarks * 10 + 5).mark.copied);
  EXPECT_FALSE(marks.at(15).mark.copied);
}

TEST(Marks, AreOneWhereTheCopyGoesOn) {
  Marks marks;
  marks.add({0, 100, 100, true, true});
  marks.add({10, 110, 110, true, true});
  EXPECT_GT(marks.at(0).end, 10u);
  marks.add({20, 120, 70, true, false});  // of what was decoded below
  EXPECT_EQ(marks.at(10).end, 20u);
  EXPECT_TRUE(marks.copied(5, 30));
  marks.add({30, 130, 130, false, false});
  marks.add({31, 133, 133, true, true});
  EXPECT_TRUE(marks.copied(5, 30));
  EXPECT_FALSE(marks.copied(5, 31));
  EXPECT_TRUE(marks.copied(31, 99));
  marks.add({40, 150, 150, true, true});  // something was left out
  EXPECT_FALSE(marks.copied(31, 41));
}

}  // namespace
}  // namespace gatehouse::dlp
