#include "dlp/decode/escape_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "dlp/decode/entities.h"
#include "dlp/decode/escapes.h"
#include "dlp/decode/percent.h"
#include "dlp/decode/recorded_host.h"
#include "dlp/decode/simd.h"
#include "dlp/decode/story_host.h"

namespace gatehouse::dlp {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Case {
  const char* encoded;
  const char* decoded;
};

template <class D>
void expect_decoded(const std::vector<Case>& rows, const char* kind) {
  std::string all;
  for (const Case& row : rows) {
    // In a text long enough to be one.
    const std::string text = std::string("the token is ") + row.encoded + " and no other";
    EXPECT_EQ(story_of<D>(text, text.size(), kind), std::string("the token is ") + row.decoded + " and no other|");
    EXPECT_EQ(story_of<D>(row.encoded, 1000, kind), std::string(row.decoded) + "|") << "alone";
    all += text + std::string(all.size() % 700, '.') + '\x01';
  }
  for (size_t piece = 1; piece < 80; ++piece) {
    ASSERT_EQ(story_of<D>(all, piece), story_of<D>(all, all.size())) << piece;
  }
}

TEST(Percent, DecodesEscapesOnce) {
  expect_decoded<PercentDecoder>(
      {
          {"ghp%5FAAAA", "ghp_AAAA"},
          {"%67%68%70%5f%41%41", "ghp_AA"},
          {"ghp%255fAAAA", "ghp%5fAAAA"},
          {"100%, ghp%5fA %4", "100%, ghp_A %4"},
          {"a+b%2bc%%41%zz%", "a+b+c%A%zz%"},
          {"%u0067hp%u005FA%u12", "ghp_A%u12"},
      },
      "percent");
}

TEST(Backslash, DecodesEscapesOfJsonAndScripts) {
  expect_decoded<BackslashDecoder>(
      {
          {R"(ghp\u005fAAAA)", "ghp_AAAA"},
          {R"(\x67\x68\x70\x5F\x41\x41)", "ghp_AA"},
          {R"(\147\150\160_\101A)", "ghp_AA"},
          {R"(a\/b\"c\\d\ne\tf)", "a/b\"c\\d\ne\tf"},
          {R"(\u{67}\u{000068}p_\U00000041A)", "ghp_AA"},
          {R"(\u{0000000000000000000000000000000000000000000000000000000067}hp_AAAA)", "ghp_AAAA"},
          {R"(key \ud83d\udd11, lone \ud83d, \u00e9)", "key \xf0\x9f\x94\x91, lone \xef\xbf\xbd, \xc3\xa9"},
          {R"(\ud83d\u0041BCD)",
           "\xef\xbf\xbd"
           "ABCD"},
          {R"(ghp\_AAAA\u00zz)", "ghp_AAAA\\u00zz"},
          {R"(C:\Program \q\z \-)", "C:\\Program \\q\\z -"},
          {"ghp_\\\nAAAA\\\r\nAA", "ghp_AAAAAA"},
      },
      "json");
}

TEST(Entity, DecodesNumbersAndNames) {
  expect_decoded<EntityDecoder>(
      {
          {"&#103;&#104;&#112;&#95;AA", "ghp_AA"},
          {"&#x67;&#X68;&#x000070;_AA", "ghp_AA"},
          {"&#103&#104&#112_ABC", "ghp_ABC"},
          {"ghp&lowbar;AAAA&amp;lt;", "ghp_AAAA&lt;"},
          {"&quot;a&apos; & b &unknown; &#; &#x;&period;", "\"a' & b &unknown; &#; &#x;."},
          {"&#9999999999;ABCDE",
           "\xef\xbf\xbd"
           "ABCDE"},
      },
      "html");
}

// Texts that are nearly nothing but escapes, of every kind and at every distance.
std::string dense_escapes(unsigned seed, size_t size) {
  static constexpr std::string_view kParts[] = {"\\n",
                                                "\\\"",
                                                "\\\\",
                                                "\\/",
                                                "\\",
                                                "\\u0041",
                                                "\\ud83d\\udd11",
                                                "\\q",
                                                "\\x41",
                                                "a",
                                                "bc",
                                                "words of a text that goes on for a while, and on"};
  std::mt19937 random(seed);
  std::string text = "The text begins. ";
  while (text.size() < size) text += kParts[random() % (seed % 3 == 0 ? 5 : std::size(kParts))];
  return text;
}

TEST(Backslash, ReadsManyEscapesAsItReadsEach) {
  const Vectors before = use_vectors;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const std::string text = dense_escapes(seed, 6000);
    std::string expected;
    for (const Vectors vectors : kAllVectors) {
      use_vectors = vectors;
      RecordedHost host;
      BackslashDecoder decoder(host);
      for (size_t at = 0; at < text.size(); at += 700 + seed)
        decoder.write(std::string_view(text).substr(at, 700 + seed));
      decoder.end();
      EXPECT_TRUE(host.copies_are_of(text)) << seed;
      if (vectors == Vectors::none) expected = host.story();
      EXPECT_EQ(host.story(), expected) << seed;
    }
  }
  use_vectors = before;
}

TEST(EscapeDecoder, PassesOnWhatIsNearAnEscapeOnly) {
  const std::string far(2000, '.');
  const std::string text = far + "x%41y" + far + "x%42y" + std::string(300, ',') + "x%43y" + far;
  const std::string decoded = story_of<PercentDecoder>(text, text.size(), "percent");
  EXPECT_EQ(decoded, std::string(255, '.') + "xAy" + std::string(255, '.') + "|" + std::string(255, '.') + "xBy" +
                         std::string(300, ',') + "xCy" + std::string(255, '.') + "|");
}

TEST(EscapeDecoder, TakesAnEscapeAmongControlCharactersForNoise) {
  const std::string noise =
      "some text\x01\x02"
      "abc%41def\x7f and text";
  EXPECT_EQ(story_of<PercentDecoder>(noise, noise.size(), "percent"), "");
  const std::string text =
      "some text\x01\x02"
      "abcdefgh%41bcdefgh\x7f and text";
  EXPECT_THAT(story_of<PercentDecoder>(text, text.size(), "percent"), HasSubstr("abcdefghAbcdefgh"));
}

TEST(EscapeDecoder, JoinsNothingOverABoundary) {
  StoryHost host;
  PercentDecoder decoder(host);
  decoder.write("the first piece %4");
  decoder.boundary();
  decoder.write("1 and the second%20one");
  decoder.end();
  EXPECT_THAT(host.text("percent"), Not(HasSubstr("piece")));
  EXPECT_THAT(host.text("percent"), HasSubstr("1 and the second one"));
}

TEST(EscapeDecoder, SaysWhatIsCopied) {
  struct Host final : DecoderHost, DecoderOutput {
    DecoderOutput* output(std::string_view) override { return this; }
    void fault(std::string_view, std::string_view) override {}
    void begin(const Piece&) override {}
    bool write(std::string_view bytes) override {
      text += bytes;
      return true;
    }
    void end() override {}
    void from(uint64_t origin, bool copied) override {
      text += (copied ? "[" : "<") + std::to_string(origin) + (copied ? "]" : ">");
    }
    std::string text;
  } host;
  PercentDecoder decoder(host);
  decoder.write("ghp_AAAAAAAAAAAAAAAA%41BCDEFGHIJK%4");
  decoder.write("c");
  decoder.end();
  EXPECT_EQ(host.text, "[0]ghp_AAAAAAAAAAAAAAAA<20>A[23]BCDEFGHIJK<33>L");
}

}  // namespace
}  // namespace gatehouse::dlp
