#include "common/codec/brotli.h"

#include <gtest/gtest.h>

#include "common/codec/test_encoders.h"

namespace gatehouse {
namespace {

struct Counted : ByteSink {
  bool write(std::string_view bytes) override {
    size += bytes.size();
    return true;
  }
  size_t size = 0;
};

TEST(Brotli, TakesTheLargestWindowForContentThatFits) {
  const std::string text = lines(3 << 20);
  Brotli codec;
  Counted out;
  EXPECT_EQ(codec.decode(brotlied(text, 24), out).state, Codec::State::done);
  EXPECT_EQ(out.size, text.size());
}

TEST(Brotli, RefusesToUseMoreMemoryThanAllowed) {
  const std::string text = lines(11 << 20);
  const std::string bytes = brotlied(text, 24);
  Brotli codec;
  Counted out;
  EXPECT_EQ(codec.decode(bytes, out).state, Codec::State::failed);
  EXPECT_EQ(codec.error(), kTooMuchMemory);
}

TEST(Brotli, RefusesALargeWindow) {
  // The first byte of a large-window stream, which RFC 7932 section 9.1 has no meaning for.
  Brotli codec;
  Counted out;
  EXPECT_EQ(codec.decode("\x11\x1e\x00\x00", out).state, Codec::State::failed);
  EXPECT_EQ(codec.error(), "corrupt data");
}

}  // namespace
}  // namespace gatehouse
