#include "proxy/telemetry/plain_body.h"

#include <gtest/gtest.h>

#include "common/codec/test_encoders.h"

namespace gatehouse::proxy {
namespace {

struct Case {
  const char* coding;
  std::string bytes;
};

TEST(PlainBody, UndoesEveryCodingHoweverTheBytesAreCut) {
  const std::string text = "some text that is said, some text that is said, and some more";
  const Case cases[] = {{"", text},
                        {"identity", text},
                        {"gzip", gzipped(text)},
                        {" GZip ", gzipped(text)},
                        {"x-gzip", gzipped(text)},
                        {"deflate", zlibbed(text)},
                        {"deflate", deflated(text, -15)},
                        {"br", brotlied(text)},
                        {"zstd", zstded(text)}};
  for (const auto& one : cases) {
    for (const size_t piece : {size_t{1}, size_t{7}, one.bytes.size()}) {
      std::string got;
      PlainBody body(one.coding, [&](std::string_view bytes) { got += bytes; });
      for (size_t at = 0; at < one.bytes.size(); at += piece) body.feed(std::string_view(one.bytes).substr(at, piece));
      EXPECT_EQ(got, text) << one.coding;
      EXPECT_TRUE(body.readable()) << one.coding;
    }
  }
}

TEST(PlainBody, ReadsNothingOfWhatItDoesNotKnow) {
  for (const char* coding : {"gzip, br", "compress", "x"}) {
    PlainBody body(coding, [](std::string_view) { FAIL(); });
    body.feed("abc");
    EXPECT_FALSE(body.readable()) << coding;
  }
}

TEST(PlainBody, SaysWhenTheBytesAreCorrupt) {
  PlainBody body("gzip", [](std::string_view) {});
  body.feed("this is no gzip");
  EXPECT_FALSE(body.readable());
}

TEST(PlainBody, StopsWhereLittleStandsForVeryMuch) {
  const std::string bomb = gzipped(std::string(64 << 20, 'x'));
  uint64_t out = 0;
  PlainBody body("gzip", [&](std::string_view bytes) { out += bytes.size(); });
  body.feed(bomb);
  EXPECT_FALSE(body.readable());
  EXPECT_LE(out, kPlainBodyAllowance + kPlainBodyRatio * bomb.size() + kDecodedChunkBytes);
}

}  // namespace
}  // namespace gatehouse::proxy
