#include "proxy/held_body.h"

#include <gmock/gmock.h>

#include <filesystem>

namespace gatehouse::proxy {
namespace {

class HeldBodyTest : public testing::Test {
 protected:
  HeldBodyTest() { std::filesystem::create_directory(folder_); }
  ~HeldBodyTest() override { std::filesystem::remove_all(folder_); }

  // Bytes that tell their own place.
  static std::string pattern(size_t size) {
    std::string bytes;
    for (size_t i = 0; bytes.size() < size; ++i) bytes += std::to_string(i) + ",";
    bytes.resize(size);
    return bytes;
  }
  static std::string whole(HeldBody& body) {
    std::string bytes;
    while (bytes.size() < body.size()) {
      const auto piece = body.read(bytes.size());
      EXPECT_LE(piece.value().size(), kBodyPieceBytes);
      bytes += piece.value();
    }
    return bytes;
  }
  static void fill(HeldBody& body, std::string_view bytes, size_t step) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
      ASSERT_TRUE(body.append(bytes.substr(0, step)));
    }
  }

  std::string folder_ = testing::TempDir() + "held_body_test." + std::to_string(::getpid());
};

TEST_F(HeldBodyTest, GivesBackWhatItWasGivenInMemoryAndInAFile) {
  for (const size_t size : {size_t{0}, size_t{1}, kBodyPieceBytes, kBodyPieceBytes + 1, kMaxBodyInMemoryBytes,
                            kMaxBodyInMemoryBytes + 1, size_t{3} << 20}) {
    for (const size_t step : {size_t{1009}, size_t{16384}, size_t{1} << 20}) {
      BodyRoom room(folder_);
      HeldBody body(room);
      fill(body, pattern(size), step);
      EXPECT_EQ(body.size(), size);
      EXPECT_EQ(body.in_file(), size > kMaxBodyInMemoryBytes) << size;
      EXPECT_EQ(whole(body), pattern(size)) << size << " by " << step;
    }
  }
}

TEST_F(HeldBodyTest, OverwritesSpansInPlace) {
  for (const size_t size : {size_t{1000}, size_t{1} << 20}) {
    BodyRoom room(folder_);
    HeldBody body(room);
    fill(body, pattern(size), 4096);
    std::string expected = pattern(size);
    for (const auto& [offset, length] : {std::pair<size_t, size_t>{0, 3}, {size / 2, size / 4}, {size - 1, 1}}) {
      EXPECT_TRUE(body.overwrite(offset, length, '*').value());
      expected.replace(offset, length, length, '*');
    }
    EXPECT_EQ(whole(body), expected);
    EXPECT_FALSE(body.overwrite(size - 1, 2, '*').value());
    EXPECT_FALSE(body.overwrite(UINT64_MAX, 2, '*').value());
    EXPECT_EQ(whole(body), expected);
  }
}

TEST_F(HeldBodyTest, GoesToAFileAtOnceWhenTheWorkersMemoryIsTaken) {
  BodyRoom room(folder_, {.memory = kMaxBodyInMemoryBytes, .files = 1 << 20});
  {
    HeldBody first(room), second(room);
    fill(first, pattern(kMaxBodyInMemoryBytes), 4096);
    EXPECT_EQ(room.memory(), kMaxBodyInMemoryBytes);
    fill(second, "four", 4);
    EXPECT_TRUE(second.in_file());
    EXPECT_FALSE(first.in_file());
    EXPECT_EQ(whole(second), "four");
    EXPECT_EQ(room.files(), 4U);
  }
  EXPECT_EQ(room.memory(), 0U);
  EXPECT_EQ(room.files(), 0U);
}

TEST_F(HeldBodyTest, ChargesForWhatItReservesAndGivesItBackWhenItMovesToAFile) {
  BodyRoom room(folder_);
  HeldBody body(room);
  fill(body, pattern(kMaxBodyInMemoryBytes / 2 + 1), 1000);
  EXPECT_GE(room.memory(), body.size());
  EXPECT_LE(room.memory(), kMaxBodyInMemoryBytes);
  fill(body, pattern(kMaxBodyInMemoryBytes), 1000);
  EXPECT_EQ(room.memory(), 0U);
  EXPECT_EQ(room.files(), body.size());
}

TEST_F(HeldBodyTest, FailsWhereNoMoreMayBeHeld) {
  BodyRoom room(folder_, {.memory = 10, .files = 100});
  HeldBody body(room);
  ASSERT_TRUE(body.append(std::string(100, 'x')));
  const auto over = body.append("y");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().message(), "too many bytes of requests are held already");
}

TEST_F(HeldBodyTest, FailsWhereNoFileCanBeMade) {
  BodyRoom room(folder_ + "/missing", {.memory = 0});
  HeldBody body(room);
  const auto made = body.append("x");
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message(), testing::HasSubstr("/missing: No such file"));
}

TEST_F(HeldBodyTest, LeavesNoNameBehind) {
  BodyRoom room(folder_, {.memory = 0});
  HeldBody body(room);
  ASSERT_TRUE(body.append("x"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace gatehouse::proxy
