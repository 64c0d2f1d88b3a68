#include "common/codec/zstd.h"

#include <gtest/gtest.h>

#include "common/codec/test_encoders.h"

namespace gatehouse {
namespace {

struct Text : ByteSink {
  bool write(std::string_view bytes) override {
    text += bytes;
    return true;
  }
  std::string text;
};

std::string skippable(std::string_view content) {
  std::string frame("\x5a\x2a\x4d\x18", 4);
  frame += static_cast<char>(content.size());
  return frame.append(3, '\0').append(content);
}

TEST(Zstd, SkipsSkippableFrames) {
  Zstd codec(kContentZstdWindowLog);
  Text out;
  const std::string bytes = skippable("user data") + zstded("secret") + skippable("") + zstded(" and more");
  EXPECT_EQ(codec.decode(bytes, out).state, Codec::State::more);
  EXPECT_EQ(out.text, "secret and more");
  EXPECT_TRUE(codec.complete());
}

TEST(Zstd, RefusesAWindowOverTheLimitBeforeItIsThere) {
  const std::string text = lines(1000);
  const struct {
    const char* name;
    int limit;
    std::string bytes;
    bool fits;
  } rows[] = {
      {"8 MiB in content", kContentZstdWindowLog, zstded(text, 23), true},
      {"16 MiB in content", kContentZstdWindowLog, zstded(text, 24), false},
      {"128 MiB in a file", kFileZstdWindowLog, zstded(text, 27), true},
      {"256 MiB in a file", kFileZstdWindowLog, zstded(text, 28), false},
      // Window descriptor 0xff: 3.75 TiB.
      {"all there is", kFileZstdWindowLog, std::string("\x28\xb5\x2f\xfd\x00\xff\x00\x00\x00\x00", 10), false},
      // Single segment, content size of 8 bytes: 10 GiB.
      {"a declared 10 GiB", kFileZstdWindowLog, std::string("\x28\xb5\x2f\xfd\xe0\0\0\0\x80\x02\0\0\0\0\0\0", 16),
       false},
  };
  for (const auto& row : rows) {
    Zstd codec(row.limit);
    Text out;
    const auto step = codec.decode(row.bytes, out);
    EXPECT_EQ(step.state, row.fits ? Codec::State::more : Codec::State::failed) << row.name;
    EXPECT_EQ(codec.error(), row.fits ? "" : kTooMuchMemory) << row.name;
    EXPECT_EQ(out.text, row.fits ? text : "") << row.name;
  }
}

TEST(Zstd, HandsOnWhatComesBeforeABadChecksum) {
  const std::string text = lines(200'000);
  std::string bytes = zstded(text);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  for (const size_t piece : {size_t{1}, bytes.size()}) {
    Zstd codec(kContentZstdWindowLog);
    Text out;
    Codec::Step step;
    for (size_t at = 0; at < bytes.size(); at += piece)
      step = codec.decode(std::string_view(bytes).substr(at, piece), out);
    EXPECT_EQ(step.state, Codec::State::failed);
    EXPECT_EQ(codec.error(), "Restored data doesn't match checksum");
    EXPECT_TRUE(out.text == text) << out.text.size();
  }
}

TEST(Zstd, HandsOnEachBlockThoughTheNextIsCorrupt) {
  // Two raw blocks, the second of the reserved type.
  const std::string bytes("\x28\xb5\x2f\xfd\x00\x00\x20\x00\x00text\x07\x00\x00", 16);
  for (const size_t piece : {size_t{1}, bytes.size()}) {
    Zstd codec(kContentZstdWindowLog);
    Text out;
    Codec::Step step;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      step = codec.decode(std::string_view(bytes).substr(at, piece), out);
    }
    EXPECT_EQ(step.state, Codec::State::failed);
    EXPECT_EQ(out.text, "text");
  }
}

TEST(Zstd, HandsOnAsMuchOfARawBlockHoweverItIsCut) {
  // Content of 29 bytes is declared. A last block of 20 is too short; one of 40 is too long.
  const std::string head("\x28\xb5\x2f\xfd\x80\x58\x1d\0\0\0", 10);
  const struct {
    size_t block;
    std::string_view out;
  } rows[] = {{20, "0123456789012345678"}, {40, "01234567890123456789012345678"}};
  for (const auto& row : rows) {
    std::string bytes = head + static_cast<char>(row.block << 3 | 1) + std::string(2, '\0');
    bytes[head.size() + 1] = static_cast<char>(row.block << 3 >> 8);
    for (size_t i = 0; i < row.block; ++i) bytes += static_cast<char>('0' + i % 10);
    for (const size_t piece : {bytes.size(), size_t{1}, size_t{7}}) {
      Zstd codec(kContentZstdWindowLog);
      Text out;
      Codec::Step step;
      for (size_t at = 0; at < bytes.size() && step.state == Codec::State::more; at += piece)
        step = codec.decode(std::string_view(bytes).substr(at, piece), out);
      EXPECT_EQ(step.state, Codec::State::failed) << row.block << " " << piece;
      EXPECT_EQ(out.text, row.out) << piece;
    }
  }
}

TEST(Zstd, SaysThatJunkFollows) {
  Zstd codec(kContentZstdWindowLog);
  Text out;
  EXPECT_EQ(codec.decode(zstded("text") + "junk and more of it", out).state, Codec::State::failed);
  EXPECT_EQ(codec.error(), "bytes after its end");
  EXPECT_EQ(out.text, "text");
}

}  // namespace
}  // namespace gatehouse
