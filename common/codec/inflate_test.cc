#include "common/codec/inflate.h"

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

struct Outcome {
  Codec::State state;
  std::string text;
  std::string error;
};

Outcome inflated(std::string_view bytes, Inflate::Format format = Inflate::Format::gzip, size_t piece = SIZE_MAX) {
  Inflate codec(format);
  Text out;
  Codec::Step step;
  for (size_t at = 0; at < bytes.size() && step.state == Codec::State::more; at += piece) {
    step = codec.decode(bytes.substr(at, piece), out);
    if (piece == SIZE_MAX) break;
  }
  return {step.state, out.text, std::string(codec.error())};
}

// A gzip member around `text` whose header has these flags and optional fields.
std::string member(std::string_view text, char flags, std::string_view fields) {
  const std::string plain = gzipped(text);
  std::string bytes = plain.substr(0, 10);
  bytes[3] = flags;
  return bytes.append(fields) + plain.substr(10);
}

TEST(Inflate, ReadsEveryFieldAGzipHeaderCanHave) {
  using namespace std::string_literals;
  const struct {
    const char* name;
    char flags;
    std::string fields;
  } rows[] = {
      {"text", 1, ""},
      {"header checksum, whatever it is", 2, "xx"},
      {"extra", 4, "\x05\0ab\0de"s},
      {"empty extra", 4, "\0\0"s},
      {"name", 8, "a.txt\0"s},
      {"comment", 16, "for you\0"s},
      {"all", 31, "\x05\0ab\0dea.txt\0for you\0xx"s},
      {"reserved flags, which some readers ignore", static_cast<char>(0xe0), ""},
  };
  for (const auto& row : rows) {
    const std::string bytes = member("secret", row.flags, row.fields);
    for (const size_t piece : {size_t{1}, size_t{3}, SIZE_MAX}) {
      const auto outcome = inflated(bytes, Inflate::Format::gzip, piece);
      EXPECT_EQ(outcome.text, "secret") << row.name;
      EXPECT_EQ(outcome.error, "") << row.name;
    }
  }
}

TEST(Inflate, SaysWhatIsWrong) {
  std::string checksum = gzipped("text"), length = checksum;
  checksum[checksum.size() - 5] ^= 1;
  length[length.size() - 1] ^= 1;
  std::string adler = zlibbed("text");
  adler.back() ^= 1;
  using Format = Inflate::Format;
  const struct {
    const char* error;
    Format format;
    std::string bytes;
    std::string text;
  } rows[] = {
      {"incorrect header check", Format::gzip, "plain text", ""},
      {"incorrect header check", Format::zlib, "plain text", ""},
      {"unknown compression method", Format::gzip, "\x1f\x8b\x07 ......", ""},
      {"incorrect data check", Format::gzip, checksum, "text"},
      {"incorrect length check", Format::gzip, length, "text"},
      {"incorrect data check", Format::zlib, adler, "text"},
      {"invalid block type", Format::raw, "\x07", ""},
      {"invalid stored block lengths", Format::raw, std::string("\x01\x05\0\0\0", 5), ""},
      {"invalid distance too far back", Format::raw, "\x63\x02\x02\x02\x02\x02\x02", ""},
      {"bytes after its end", Format::gzip, gzipped("text") + "\x1f\x1f", "text"},
  };
  for (const auto& row : rows) {
    const auto outcome = inflated(row.bytes, row.format);
    EXPECT_EQ(outcome.state, Codec::State::failed) << row.error;
    EXPECT_EQ(outcome.error, row.error);
    if (!row.text.empty()) {
      EXPECT_EQ(outcome.text, row.text) << row.error;
    }
  }
}

TEST(Inflate, TakesJunkAfterAMemberForTheEnd) {
  const auto outcome = inflated(gzipped("text") + "junk");
  EXPECT_EQ(outcome.state, Codec::State::done);
  EXPECT_EQ(outcome.text, "text");
}

TEST(Inflate, KnowsAZlibHeaderByItsChecksum) {
  for (const uint8_t second : {0x01, 0x5e, 0x9c, 0xda}) EXPECT_TRUE(Inflate::is_zlib_header(0x78, second));
  EXPECT_TRUE(Inflate::is_zlib_header(0x48, 0x89));
  EXPECT_FALSE(Inflate::is_zlib_header(0x78, 0x9d));
  EXPECT_FALSE(Inflate::is_zlib_header(0x78, 0x20));  // asks for a dictionary
  EXPECT_FALSE(Inflate::is_zlib_header(0x88, 0x1c));  // 64 KiB window
  EXPECT_FALSE(Inflate::is_zlib_header('P', 'K'));
}

}  // namespace
}  // namespace gatehouse
