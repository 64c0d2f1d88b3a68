#include "dlp/decode/text_decoders.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "dlp/decode/alphabets.h"
#include "dlp/decode/codes.h"
#include "dlp/decode/entities.h"
#include "dlp/decode/escapes.h"
#include "dlp/decode/joined_strings.h"
#include "dlp/decode/percent.h"
#include "dlp/decode/quoted_printable.h"
#include "dlp/decode/recorded_host.h"
#include "dlp/decode/separated.h"
#include "dlp/decode/simd.h"
#include "dlp/decode/unicode.h"

namespace gatehouse::dlp {
namespace {

// Writes down what it is given: "text", and "[5]" for what it is not.
class Recorder final : public TextDecoder {
 public:
  explicit Recorder(std::string& story) : story_(story) {}
  void take(const TextBlock& block) override {
    flush();
    story_ += block.bytes();
  }
  bool wants(const TextBlock&) const override { return true; }
  void skip(uint64_t bytes) override { skipped_ += bytes; }
  void boundary() override {
    flush();
    story_ += "|";
  }
  void end() override {}

 private:
  void flush() {
    if (skipped_ > 0) story_ += "[" + std::to_string(skipped_) + "]";
    skipped_ = 0;
  }

  std::string& story_;
  uint64_t skipped_ = 0;
};

std::string given(const std::vector<std::string>& pieces, size_t cut) {
  std::string story;
  std::vector<std::unique_ptr<TextDecoder>> decoders;
  decoders.push_back(std::make_unique<Recorder>(story));
  TextDecoders all(std::move(decoders));
  for (const std::string& piece : pieces) {
    for (size_t at = 0; at < piece.size(); at += cut) all.write(std::string_view(piece).substr(at, cut));
    all.boundary();
  }
  return story;
}

const std::string kNoise(200, '\x01');

TEST(TextDecoders, SeeARunOfTextInNoiseFromItsShortestLengthOn) {
  const struct {
    std::string text;
    bool seen;
  } rows[] = {
      {"abcdefghijklmn", true},     // fourteen
      {"abcdefghijklm", false},     // thirteen
      {"abc\ndef\tghi\rjk", true},  // white space
      {std::string("a\0c\0e\0g\0i\0k\0m\0", 14), true},
      {"abcdefg\x7fhijklmn", false},  // a control character between
      {"\xd0\xb3һр_ааааа", true},     // look-alikes, in UTF-8
      {"a\xd0"
       "bcdefghijklmn",
       false},  // half a character
      {"\xf0\x9d\x90\xa0\xf0\x9d\x90\xa1"
       "abcdef",
       true},
      {"\xe2"
       "abcdefghijklm",
       false},             // its other bytes are missing
      {"abcde\\n", true},  // seven, one being an escape's
      {"abcd\\n", false},  // six
      {"ab%63de", true},
      {"abcdefghij=", true},
      {"&#97;bc", true},
      {"abc\"\"de", true},
      {"abc\" + \"", true},
      {"abcdef\"", false},  // one quote joins nothing
  };
  for (const auto& row : rows) {
    const std::string story = given({kNoise + row.text + kNoise}, 1000);
    EXPECT_EQ(story.find(row.text) != std::string::npos, row.seen) << row.text;
  }
}

TEST(TextDecoders, SeeWhatIsShortAtBothEndsOfAPiece) {
  const std::string begins = "\\x67hp_" + kNoise;
  const std::string ends = kNoise + "\\x67hp_";
  EXPECT_EQ(given({begins}, 1000).substr(0, 7), "\\x67hp_");
  EXPECT_TRUE(given({ends, begins}, 1000).find("]" + kNoise.substr(0, 7) + "\\x67hp_|\\x67hp_\x01") !=
              std::string::npos);
}

TEST(TextDecoders, GoOnForAWhileBehindText) {
  const std::string text =
      "Gr\xfc\xdf"
      "e aus M\xfcnchen, M\xe4rz und Stra\xdf"
      "e";  // in ISO 8859-1
  EXPECT_EQ(given({text}, 1000), text + "|");
}

TEST(TextDecoders, SeeTheSameHoweverItIsCutAndWithPlainInstructions) {
  std::mt19937 random(1);
  std::string bytes;
  while (bytes.size() < 20'000) {
    // Runs of what makes a difference, of all lengths.
    static const std::string kSigns[] = {
        "a", "a", "a", "\x01", "\\", "\"", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9d\x90\xa0", "\xe2", "\x80", "\xff", "="};
    const std::string& sign = kSigns[random() % std::size(kSigns)];
    for (size_t n = random() % 12; n > 0; --n) bytes += sign;
  }
  const std::string whole = given({bytes, bytes}, bytes.size());
  EXPECT_NE(whole.find('['), std::string::npos);
  for (size_t cut = 1; cut < 150; ++cut) ASSERT_EQ(given({bytes, bytes}, cut), whole) << cut;
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    EXPECT_EQ(given({bytes, bytes}, 1000), whole) << static_cast<int>(vectors);
  }
  use_vectors = Vectors::avx512;
}

// Takes what has a backslash in it.
class Chooser final : public TextDecoder {
 public:
  explicit Chooser(std::string& story) : story_(story) {}
  void take(const TextBlock& block) override { story_ += block.bytes(); }
  bool wants(const TextBlock& block) const override { return block.has(Sign::backslash); }
  void skip(uint64_t bytes) override { story_ += "[" + std::to_string(bytes) + "]"; }
  void boundary() override { story_ += "|"; }
  void end() override {}

 private:
  std::string& story_;
};

TEST(TextDecoders, GiveAShortStretchOnlyToThoseThatWantIt) {
  const std::string plain = "some words to be read in noise";
  const std::string escaped = "some words with \\x41 in between";
  const std::string longer(kHeldTextBytes + 1, 'a');
  std::string story;
  std::vector<std::unique_ptr<TextDecoder>> decoders;
  decoders.push_back(std::make_unique<Chooser>(story));
  TextDecoders all(std::move(decoders));
  const auto write = [&](const std::string& text) {
    all.write(text);
    all.boundary();
    return std::exchange(story, {});
  };
  EXPECT_EQ(write(plain), "[30]|");
  EXPECT_EQ(write(escaped), escaped + "|");
  EXPECT_EQ(write(longer), longer + "|");
  // All of the noise, and the text in it, is passed over at once.
  EXPECT_EQ(write(kNoise + plain + kNoise), "[430]|");
  EXPECT_EQ(write(kNoise + escaped + kNoise), "[200]" + escaped + std::string(kTextMarginBytes, '\x01') + "[162][14]|");
  // Whatever comes, so far it is text.
  all.write(plain);
  EXPECT_EQ(story, "");
  all.check();
  EXPECT_EQ(story, plain);
  all.write(escaped);
  EXPECT_EQ(story, plain + escaped);
}

// Of a text that is all there is; how many texts it wanted.
template <class D>
size_t wanted_of(const std::vector<std::string>& texts) {
  size_t wanted = 0;
  for (const std::string& text : texts) {
    RecordedHost host;
    D decoder(host);
    decoder.skip(1000);
    const TextBlock block(text);
    const bool wants = decoder.wants(block);
    wanted += wants ? 1 : 0;
    decoder.take(block);
    decoder.skip(1000);
    decoder.end();
    EXPECT_TRUE(wants || host.outputs_asked == 0) << text << " " << host.story();
  }
  return wanted;
}

TEST(TextDecoders, MakeNothingOfWhatTheyDoNotWant) {
  std::mt19937 random(3);
  static const std::string kParts[] = {
      "\\",   "n", "u0061", "x41", "101", "%",   "61", "%u0061",       "&",      "#97",    "amp",
      ";",    "=", "\n",    "\"",  " + ", "abc", "-",  "ghp_AAAAAAAA", "\u200b", "\u0430", "\xff",
      "\x01", " ", "\xc3",  ".",   ",",   "g",   "0x"};
  std::vector<std::string> texts;
  while (texts.size() < 3000) {
    std::string text;
    while (random() % 12 != 0 && text.size() < 200) text += kParts[random() % std::size(kParts)];
    // Some of them are mostly text.
    if (random() % 2 == 0) text += "some words" + text + "and some more";
    if (!text.empty() && text.size() <= kHeldTextBytes) texts.push_back(text);
  }
  for (const size_t wanted :
       {wanted_of<PercentDecoder>(texts), wanted_of<BackslashDecoder>(texts), wanted_of<EntityDecoder>(texts),
        wanted_of<UnicodeDecoder>(texts), wanted_of<JoinedStringsDecoder>(texts), wanted_of<QuotedPrintable>(texts),
        wanted_of<SeparatedDecoder>(texts), wanted_of<CodesDecoder>(texts), wanted_of<AlphabetDecoder>(texts)}) {
    EXPECT_GT(wanted, 0u);
    EXPECT_LT(wanted, texts.size());
  }
}

}  // namespace
}  // namespace gatehouse::dlp
