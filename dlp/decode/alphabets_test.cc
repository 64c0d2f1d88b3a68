#include "dlp/decode/alphabets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "dlp/decode/simd.h"
#include "dlp/decode/story_host.h"

namespace gatehouse::dlp {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kToken = "ghp_" + std::string(36, 'A');
const std::string kBase64 = "Z2hwX0FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==";
const std::string kBase32 = "M5UHAX2BIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKB";
const std::string kHex = "6768705f" + [] {
  std::string digits;
  for (int i = 0; i < 36; ++i) digits += "41";
  return digits;
}();

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return text;
}

// Every third letter, and the ones behind a digit, in lower case.
std::string mixed(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 1 || (i > 0 && std::isdigit(text[i - 1]) != 0)) text[i] = static_cast<char>(std::tolower(text[i]));
  }
  return text;
}

std::string every(size_t n, std::string text, std::string_view separator) {
  for (size_t at = n; at < text.size(); at += n + separator.size()) text.insert(at, separator);
  return text;
}

struct Case {
  const char* what;
  std::string text;
  const char* kind;
};

const std::vector<Case> kCases{
    {"padded", kBase64, "base64"},
    {"not padded", kBase64.substr(0, 54), "base64"},
    {"in JSON", "{\"a\":\"" + kBase64 + "\",\"b\":1}", "base64"},
    {"one letter in front", "x" + kBase64, "base64"},
    {"two letters in front", "xy" + kBase64, "base64"},
    {"three letters in front", "xyz" + kBase64, "base64"},
    {"a word in front", "sha512-" + kBase64, "base64"},
    {"behind an equals sign", "password=" + kBase64, "base64"},
    {"letters behind", kBase64.substr(0, 54) + "abc", "base64"},
    {"in lines of 16", every(16, kBase64, "\r\n"), "base64"},
    {"in lines of 20, indented", every(20, kBase64, "\n    "), "base64"},
    {"in quoted lines", every(20, kBase64, "\n> "), "base64"},
    {"in the lines of a comment", "# " + every(16, kBase64, "\r\n   # "), "base64"},
    {"in lines, the last one short", every(53, kBase64, "\n"), "base64"},
    {"letters in front, in lines", every(25, "q" + kBase64, "\n"), "base64"},
    {"two joined by padding", "QUFBQUFBQUFBQUFBQQ==" + kBase64, "base64"},
    {"each character by itself",
     "Zw==aA==cA==Xw==" +
         [] {
           std::string all;
           for (int i = 0; i < 36; ++i) all += "QQ==";
           return all;
         }(),
     "base64"},
    {"base32", kBase32, "base32"},
    {"base32 in lower case", lower(kBase32), "base32"},
    {"base32 in both cases", mixed(kBase32), "base32"},
    {"base32 in both cases, in lines", every(20, mixed(kBase32), "\n"), "base32"},
    {"base32 in both cases, one letter in front", "a" + mixed(kBase32), "base32"},
    {"base32 in both cases, within base64", kBase64.substr(0, 50) + "9" + mixed(kBase32) + "/9" + kBase64, "base32"},
    {"base32 in lines", every(20, kBase32, "\n"), "base32"},
    {"hex", kHex, "hex"},
    {"hex in lines", every(17, kHex, "\n"), "hex"},
    {"hex behind a letter", "z" + kHex, "hex"},
    {"hex behind a digit", "7" + kHex, "hex"},
    {"hex behind 0x", "0x" + kHex, "hex"},
};

TEST(Alphabets, DecodeWhatIsWrittenInThem) {
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    for (const Case& row : kCases) {
      EXPECT_THAT(story_of<AlphabetDecoder>(row.text, row.text.size(), row.kind), HasSubstr(kToken)) << row.what;
    }
  }
  use_vectors = Vectors::avx512;
}

TEST(Alphabets, DecodeBase32BehindAnyNumberOfLetters) {
  for (size_t i = 1; i < 8; ++i) {
    const std::string text = std::string(i, 'Q') + kBase32;
    EXPECT_THAT(story_of<AlphabetDecoder>(text, text.size(), "base32"), HasSubstr(kToken)) << i;
  }
}

TEST(Alphabets, DecodeTheSameHoweverTheTextIsCut) {
  std::string all;
  for (const Case& row : kCases) all += row.text + "\x01 some words; in between.\n\n";
  const std::string whole = story_of<AlphabetDecoder>(all, all.size());
  for (size_t piece = 1; piece < 200; ++piece) ASSERT_EQ(story_of<AlphabetDecoder>(all, piece), whole) << piece;
}

TEST(Alphabets, SeeARunOfASmallerOneFromItsShortestLengthOnWithAnyInstructions) {
  const std::string_view runs[] = {"ABCDEFGHIJKLMNOPQRST", "abcdefghijklmnopqrst", "0123456789abcdefABCD",
                                   "234567=234567=234567"};
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    for (const std::string_view run : runs) {
      for (size_t at = 0; at < 140; ++at) {
        for (const size_t size : {kMinRunBytes - 1, kMinRunBytes}) {
          const std::string chars = std::string(at, '+') + std::string(run.substr(0, size)) + std::string(at % 70, '_');
          ASSERT_EQ(holds_smaller_run(chars), size == kMinRunBytes) << chars << static_cast<int>(vectors);
        }
      }
    }
  }
  use_vectors = Vectors::avx512;
}

TEST(Alphabets, DecodeShortRunsTheSameWithVectorInstructionsAndWithout) {
  std::mt19937 random(1);
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
  // Words of all lengths, what noise seldom has in some of them: text, and beginnings of files.
  const std::string inner[] = {"",
                               "c29tZSB0ZXh0IG9mIHdvcmRz",
                               "w6TDtsO8w6TDtsO8w6TDtsO8",
                               "H4sIAAAA",
                               "UEsDBAAA",
                               "KLUv/QAA",
                               "eJwDAAAA",
                               "eAEDAAAA",
                               "AGMAbwBkAGUAcwBzAA"};
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    std::string word;
    for (size_t n = random() % 48; n > 0; --n) word += alphabet[random() % alphabet.size()];
    word.insert(random() % (word.size() + 1), inner[random() % std::size(inner)]);
    if (random() % 8 == 0) word += random() % 2 == 0 ? "=" : "==";
    text += word + (random() % 16 == 0 ? "\n" : "; ");
  }
  use_vectors = Vectors::none;
  const std::string plain = story_of<AlphabetDecoder>(text, 10'000);
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    EXPECT_TRUE(story_of<AlphabetDecoder>(text, 10'000) == plain) << static_cast<int>(vectors);
    EXPECT_TRUE(story_of<AlphabetDecoder>(text, 7) == plain) << static_cast<int>(vectors);
  }
  use_vectors = Vectors::avx512;
}

TEST(Alphabets, DecodeTheSameWithVectorInstructionsAndWithout) {
  std::mt19937 random(1);
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += alphabet[random() % alphabet.size()];
  text += " " + kHex + " " + kBase64;
  const std::string with = story_of<AlphabetDecoder>(text, 10'000);
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    EXPECT_EQ(story_of<AlphabetDecoder>(text, 10'000), with) << static_cast<int>(vectors);
  }
  use_vectors = Vectors::avx512;
}

TEST(Alphabets, FindTextInShiftedNoise) {
  // A token within a long run that begins at another bit: random base64 around it.
  std::mt19937 random(2);
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t before = 0; before < 64; ++before) {
    std::string text;
    for (size_t i = 0; i < 5000 + before; ++i) text += alphabet[random() % 64];
    text += kBase64.substr(0, 53);
    for (size_t i = 0; i < 5000; ++i) text += alphabet[random() % 64];
    StoryHost host;
    AlphabetDecoder decoder(host);
    decoder.write(text);
    decoder.end();
    EXPECT_THAT(host.text("base64"), HasSubstr(kToken.substr(0, 39))) << before;
    EXPECT_LT(host.bytes(), 9300u) << "the other shifts are noise";
  }
}

TEST(Alphabets, FollowACompressedFileFromAShiftedBitOn) {
  // The first bytes of gzip behind a letter: what follows is no text, and all of it is passed on.
  const std::string file = "xH4sIAAAAAAAAA" + std::string(200, 'k') + "m";
  EXPECT_THAT(story_of<AlphabetDecoder>(file, file.size(), "base64"), HasSubstr(std::string("\x1f\x8b\x08\0\0", 5)));
  EXPECT_GE(story_of<AlphabetDecoder>(file, file.size(), "base64").size(), 150u);
}

TEST(Alphabets, FollowZlibBehindAFewLetters) {
  for (size_t letters = 0; letters < 32; ++letters) {
    const std::string file = std::string(letters, 'Q') + "eJyr" + std::string(200, 'k') + "m";
    EXPECT_THAT(story_of<AlphabetDecoder>(file, file.size(), "base64"), HasSubstr("\x78\x9c\xab")) << letters;
  }
}

TEST(Alphabets, DecodeBase32InBothCasesFromItsShortestLengthOn) {
  const std::string key = "IFFUSQKJIFBUIRKGJBKEYTKQKVBVUWKDKZIV2X2B";  // of 25 bytes
  const auto is_read = [](const std::string& text) { return !story_of<AlphabetDecoder>(text, 7, "base32").empty(); };
  EXPECT_TRUE(is_read(mixed(key)));
  EXPECT_FALSE(is_read(mixed(key.substr(0, 39))));
  const std::string base64 = "9/" + std::string(70, '8') + "/";
  EXPECT_TRUE(is_read(base64 + mixed(key) + "/9"));
  EXPECT_FALSE(is_read(base64 + mixed(key.substr(0, 39)) + "/9"));
}

TEST(Alphabets, FindLittleBase32InRandomBase64) {
  std::mt19937 random(3);
  std::string text;
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 300'000; ++i) text += kLetters[random() % 64];
  EXPECT_LT(story_of<AlphabetDecoder>(text, 4096, "base32").size(), text.size() / 50);
}

TEST(Alphabets, LeaveWordsAlone) {
  const std::string text = "The quick brown fox, it is said, jumps over the lazy dog; and (so on) for ever.";
  EXPECT_EQ(story_of<AlphabetDecoder>(text, text.size()), "");
}

TEST(Alphabets, JoinNothingOverABoundary) {
  StoryHost host;
  AlphabetDecoder decoder(host);
  decoder.write(kBase64.substr(0, 30));
  decoder.boundary();
  decoder.write(kBase64.substr(30));
  decoder.end();
  EXPECT_THAT(host.story(), Not(HasSubstr(kToken)));
}

}  // namespace
}  // namespace gatehouse::dlp
