#include "common/ipc/frame.h"

#include <gtest/gtest.h>

namespace gatehouse::ipc {
namespace {

TEST(Frame, HasALittleEndianLengthThatCountsTheType) {
  EXPECT_EQ(encode_frame(9, "abc"), std::string("\x04\0\0\0\x09"
                                                "abc",
                                                8));
}

TEST(FrameReader, PutsFramesTogetherWhateverThePieces) {
  std::string stream;
  append_frame(stream, 1, "");
  append_frame(stream, 2, "payload");
  append_frame(stream, 255, std::string(70'000, 'x'));
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{4096}, stream.size()}) {
    FrameReader reader;
    std::vector<Frame> frames;
    for (size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(std::string_view(stream).substr(at, piece));
      for (;;) {
        auto frame = reader.next();
        ASSERT_TRUE(frame) << frame.error().message();
        if (!*frame) break;
        frames.push_back(std::move(**frame));
      }
    }
    ASSERT_EQ(frames.size(), 3u) << piece;
    EXPECT_EQ(frames[0].payload, "");
    EXPECT_EQ(frames[1].payload, "payload");
    EXPECT_EQ(frames[2].type, 255);
    EXPECT_EQ(frames[2].payload.size(), 70'000u);
    EXPECT_TRUE(reader.at_boundary());
  }
}

TEST(FrameReader, RefusesAFrameWithoutAType) {
  FrameReader reader;
  reader.feed(std::string(4, '\0'));
  const auto frame = reader.next();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().message(), "frame without a type");
}

TEST(FrameReader, RefusesALengthOverItsLimitBeforeThePayloadArrives) {
  FrameReader reader(16);
  reader.feed(std::string("\x12\0\0\0", 4));
  const auto frame = reader.next();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().message(), "frame of 17 bytes is over the limit of 16");
}

TEST(FrameReader, TakesAPayloadOfExactlyTheLimit) {
  FrameReader reader(16);
  reader.feed(encode_frame(3, std::string(16, 'y')));
  const auto frame = reader.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->payload, std::string(16, 'y'));
}

TEST(FrameReader, KnowsThatAFrameIsUnfinished) {
  FrameReader reader;
  reader.feed(encode_frame(3, "abc").substr(0, 6));
  const auto frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_FALSE(frame->has_value());
  EXPECT_FALSE(reader.at_boundary());
}

}  // namespace
}  // namespace gatehouse::ipc
