// What holds for every decompressor, one row each.
#include "common/codec/codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "common/codec/brotli.h"
#include "common/codec/inflate.h"
#include "common/codec/test_encoders.h"
#include "common/codec/zstd.h"

namespace gatehouse {
namespace {

struct Collected : ByteSink {
  explicit Collected(size_t most = SIZE_MAX) : capacity(most) {}
  bool write(std::string_view bytes) override {
    EXPECT_LE(bytes.size(), kDecodedChunkBytes);
    EXPECT_FALSE(bytes.empty());
    EXPECT_LT(text.size(), capacity) << "written to after it said no";
    text += bytes;
    return text.size() < capacity;
  }
  size_t capacity;
  std::string text;
};

struct Row {
  const char* name;
  std::function<std::string(std::string_view)> encode;
  std::function<std::unique_ptr<Codec>()> decoder;
  bool has_check;  // a flipped bit is always noticed
  bool has_more;   // members or frames may follow
};

template <Inflate::Format format>
std::unique_ptr<Codec> inflate_codec() {
  return std::make_unique<Inflate>(format);
}

const Row kRows[] = {
    {"gzip", [](auto text) { return gzipped(text); }, inflate_codec<Inflate::Format::gzip>, true, true},
    {"zlib", [](auto text) { return zlibbed(text); }, inflate_codec<Inflate::Format::zlib>, true, false},
    {"raw", [](auto text) { return deflated(text, -15); }, inflate_codec<Inflate::Format::raw>, false, false},
    {"deflate of zlib", [](auto text) { return zlibbed(text); }, inflate_codec<Inflate::Format::deflate>, false, false},
    {"deflate raw", [](auto text) { return deflated(text, -15); }, inflate_codec<Inflate::Format::deflate>, false,
     false},
    {"br", [](auto text) { return brotlied(text); }, [] { return std::make_unique<Brotli>(); }, false, false},
    {"zstd", [](auto text) { return zstded(text); }, [] { return std::make_unique<Zstd>(kContentZstdWindowLog); }, true,
     true},
};

struct Outcome {
  Codec::State state = Codec::State::more;
  std::string text;
  std::string error;
  bool complete = false;
  size_t used = 0;
};

// Gives `bytes` in two parts and the rest in `piece`s.
Outcome decode(Codec& codec, std::string_view bytes, size_t cut, size_t piece = SIZE_MAX, size_t capacity = SIZE_MAX) {
  Collected out(capacity);
  Outcome outcome;
  for (size_t at = 0; at < bytes.size() && outcome.state == Codec::State::more;) {
    const auto part = bytes.substr(at, at == 0 && cut > 0 ? cut : piece);
    const auto step = codec.decode(part, out);
    if (step.state == Codec::State::more) {
      EXPECT_EQ(step.used, part.size());
    }
    outcome.state = step.state;
    outcome.used += step.used;
    at += part.size();
  }
  outcome.text = out.text;
  outcome.error = codec.error();
  outcome.complete = codec.complete();
  return outcome;
}

TEST(Codec, DecodesWhatItsLibraryEncodes) {
  for (const auto& row : kRows) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, size_t{32 * 1024}, size_t{1'000'000}}) {
      const std::string text = lines(size);
      auto codec = row.decoder();
      const auto outcome = decode(*codec, row.encode(text), 0);
      EXPECT_EQ(outcome.text, text) << row.name << " " << size;
      EXPECT_TRUE(outcome.complete) << row.name << " " << size << outcome.error;
    }
  }
}

TEST(Codec, DecodesTheSameHoweverTheInputIsCut) {
  const std::string text = lines(700);
  for (const auto& row : kRows) {
    const std::string bytes = row.encode(text);
    for (size_t cut = 0; cut <= bytes.size(); ++cut) {
      for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
        auto codec = row.decoder();
        const auto outcome = decode(*codec, bytes, cut, piece);
        ASSERT_EQ(outcome.text, text) << row.name << " cut at " << cut << " pieces of " << piece;
        ASSERT_TRUE(outcome.complete) << row.name;
      }
    }
  }
}

TEST(Codec, IsIncompleteBeforeTheLastByte) {
  for (const auto& row : kRows) {
    const std::string bytes = row.encode(lines(300));
    for (size_t size = 0; size < bytes.size(); ++size) {
      auto codec = row.decoder();
      const auto outcome = decode(*codec, bytes.substr(0, size), 0);
      ASSERT_FALSE(outcome.complete) << row.name << " at " << size << " of " << bytes.size();
      ASSERT_TRUE(lines(300).starts_with(outcome.text)) << row.name;
    }
  }
}

TEST(Codec, MakesOfEachCorruptByteAnErrorOrSomethingOfBoundedSize) {
  const std::string text = lines(600);
  for (const auto& row : kRows) {
    const std::string bytes = row.encode(text);
    size_t unnoticed = 0;
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string bad = bytes;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        auto codec = row.decoder();
        const auto outcome = decode(*codec, bad, 0, 16, 1 << 20);
        EXPECT_EQ(outcome.state == Codec::State::failed, !outcome.error.empty()) << row.name;
        ASSERT_LE(outcome.text.size(), (1 << 20) + kDecodedChunkBytes);
        if (outcome.complete && outcome.text != text) ++unnoticed;
      }
    }
    if (row.has_check) {
      EXPECT_EQ(unnoticed, 0u) << row.name;
    }
  }
}

TEST(Codec, LeavesWhatFollowsItsEndAlone) {
  for (const auto& row : kRows) {
    if (row.has_more) continue;
    const std::string bytes = row.encode("text");
    auto codec = row.decoder();
    const auto outcome = decode(*codec, bytes + "junk", 0);
    EXPECT_EQ(outcome.state, Codec::State::done) << row.name;
    EXPECT_EQ(outcome.used, bytes.size()) << row.name;
    EXPECT_EQ(outcome.text, "text") << row.name;
  }
}

TEST(Codec, GoesOnWithTheNextMemberAndKnowsWhereItBegan) {
  for (const auto& row : kRows) {
    if (!row.has_more) continue;
    const std::string first = row.encode("one ");
    const std::string second = row.encode("two");
    for (size_t cut = 0; cut < first.size() + second.size(); ++cut) {
      auto codec = row.decoder();
      const auto outcome = decode(*codec, first + second, cut);
      EXPECT_EQ(outcome.text, "one two") << row.name;
      EXPECT_TRUE(outcome.complete) << row.name;
      EXPECT_EQ(codec->frame_start(), first.size()) << row.name;
    }
  }
}

TEST(Codec, StopsABombAtOnceWhenNoMoreIsWanted) {
  const std::string text(16 << 20, '\0');
  for (const auto& row : kRows) {
    const std::string bomb = row.encode(text);
    ASSERT_LT(bomb.size(), text.size() / 900) << row.name;
    auto codec = row.decoder();
    const auto outcome = decode(*codec, bomb, 0, SIZE_MAX, 100'000);
    EXPECT_EQ(outcome.state, Codec::State::stopped) << row.name;
    EXPECT_LE(outcome.text.size(), 100'000 + kDecodedChunkBytes) << row.name;
  }
}

}  // namespace
}  // namespace gatehouse
