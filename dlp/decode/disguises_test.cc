// Text that is there, but not as one is used to: in wide characters, in other letters, cut up.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "dlp/decode/codes.h"
#include "dlp/decode/fold.h"
#include "dlp/decode/joined_strings.h"
#include "dlp/decode/listed_strings.h"
#include "dlp/decode/separated.h"
#include "dlp/decode/simd.h"
#include "dlp/decode/story_host.h"
#include "dlp/decode/unicode.h"
#include "dlp/decode/wide_text.h"

namespace gatehouse::dlp {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kToken = "ghp_" + std::string(36, 'A');

struct Case {
  const char* what;
  std::string text;
  const char* kind;
};

// Finds the token in each text, alone and between others, cut in any way, with vector instructions and without.
template <class D>
void expect_token(const std::string& token, const std::vector<Case>& rows, const std::string& between) {
  std::string all;
  for (const Case& row : rows) {
    EXPECT_THAT(story_of<D>(row.text, row.text.size(), row.kind), HasSubstr(token)) << row.what;
    const std::string text = between + row.text + between;
    EXPECT_THAT(story_of<D>(text, text.size(), row.kind), HasSubstr(token)) << row.what << ", between";
    all += text;
  }
  const std::string whole = story_of<D>(all, all.size());
  for (size_t piece = 1; piece < 150; ++piece) ASSERT_EQ(story_of<D>(all, piece), whole) << piece;
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    EXPECT_EQ(story_of<D>(all, 1000), whole) << static_cast<int>(vectors);
  }
  use_vectors = Vectors::avx512;
}

template <class D>
void expect_token(const std::vector<Case>& rows, const std::string& between) {
  expect_token<D>(kToken, rows, between);
}

std::string wide(std::string_view text, size_t width, bool big_endian) {
  std::string all;
  for (const char c : text) {
    const std::string zeros(width - 1, '\0');
    all += big_endian ? zeros + c : c + zeros;
  }
  return all;
}

// `separator` after every `n` characters.
std::string every(size_t n, std::string text, std::string_view separator) {
  for (size_t at = n; at < text.size(); at += n + separator.size()) text.insert(at, separator);
  return text;
}

std::string numbers(const char* format, std::string_view separator) {
  std::string all;
  for (const char c : kToken) {
    char number[16];
    snprintf(number, sizeof number, format, static_cast<unsigned>(static_cast<uint8_t>(c)));
    all += (all.empty() ? std::string() : std::string(separator)) + number;
  }
  return all;
}

TEST(WideText, IsFoundByItsZerosOrItsMark) {
  expect_token<WideTextDecoder>(
      {
          {"UTF-16LE", wide(kToken, 2, false), "utf16"},
          {"UTF-16BE", wide(kToken, 2, true), "utf16"},
          {"UTF-16LE with a mark", "\xff\xfe" + wide(kToken, 2, false), "utf16"},
          {"UTF-16BE with a mark", "\xfe\xff" + wide(kToken, 2, true), "utf16"},
          {"UTF-32LE", wide(kToken, 4, false), "utf32"},
          {"UTF-32BE", wide(kToken, 4, true), "utf32"},
      },
      std::string("\x01 plain\0 text \x02\xfe\0\0\0\0\0\0\0", 22));
}

TEST(WideText, KeepsCharactersBeyondAsciiAndPairsOfSurrogates) {
  const std::string text("k\0e\0y\0:\0\x3d\xd8\x11\xdd\x30\x04!\0", 16);
  EXPECT_EQ(story_of<WideTextDecoder>(text, 3, "utf16"), "key:\xf0\x9f\x94\x91\xd0\xb0!|");
}

TEST(WideText, GoesOnOverATokenOfLookAlikes) {
  std::string text = wide("key ", 2, false), token;
  for (int i = 0; i < 40; ++i) {
    text += "\x21\xff";
    token += "\uff21";
  }
  EXPECT_EQ(story_of<WideTextDecoder>(text, text.size(), "utf16"), "key " + token + "|");
}

TEST(WideText, WithAMarkNeedsNoAscii) {
  EXPECT_EQ(story_of<WideTextDecoder>("\xff\xfe\x30\x04\x31\x04", 1, "utf16"), "\xd0\xb0\xd0\xb1|");
}

TEST(WideText, IsNotMadeOfZerosAlone) {
  const std::string zeros(10'000, '\0');
  EXPECT_EQ(story_of<WideTextDecoder>(zeros, 4096), "");
}

TEST(Unicode, FoldsLookalikesAndDropsWhatCannotBeSeen) {
  std::string mathematical;
  for (int i = 0; i < 36; ++i) mathematical += "\U0001d400";
  std::string fullwidth;
  for (int i = 0; i < 36; ++i) fullwidth += "Ａ";
  std::string combining;
  for (int i = 0; i < 36; ++i) combining += "A\u0336";
  std::string tags;
  for (const char c : kToken)
    tags += "\xf3\xa0" + std::string(c < '@' ? "\x80" : "\x81") + static_cast<char>(0x80 | (c & 0x3f));
  expect_token<UnicodeDecoder>(
      {
          {"nothing but tags", tags, "unicode"},
          {"tags between all", every(1, kToken, "\U000e0061"), "unicode"},
          {"zero width space", "ghp_\u200b" + kToken.substr(4), "unicode"},
          {"between all", every(1, kToken, "\u2060"), "unicode"},
          {"soft hyphen", "gh\u00adp_" + kToken.substr(4), "unicode"},
          {"marks of direction", "\u202eghp\u202d_\u200f" + kToken.substr(4), "unicode"},
          {"tags", "ghp\U000e0041_" + kToken.substr(4), "unicode"},
          {"variation selectors", "gh\ufe0fp\U000e0101_" + kToken.substr(4), "unicode"},
          {"Cyrillic", "gһр_АА" + kToken.substr(6), "unicode"},
          {"Greek", "ghρ_ΑΑ" + kToken.substr(6), "unicode"},
          {"fullwidth", "ｇｈｐ＿" + fullwidth, "unicode"},
          {"mathematical", "\U0001d420\U0001d5c1\U0001d699_" + mathematical, "unicode"},
          {"struck through", "ghp_" + combining, "unicode"},
      },
      " caf\u00e9 \u65e5\u672c \x01\xff ");
}

TEST(Unicode, LeavesOtherTextAndNoiseAlone) {
  const std::string text = "Ein Käse für 5 €, 日本語のテキスト, \"schön\" und 한국어.";
  EXPECT_EQ(story_of<UnicodeDecoder>(text, text.size()), "");
  std::string noise;
  uint32_t state = 1;
  for (int i = 0; i < 100'000; ++i) noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  StoryHost host;
  UnicodeDecoder decoder(host);
  decoder.write(noise);
  decoder.end();
  EXPECT_LT(host.bytes(), noise.size() / 100);
}

TEST(Unicode, FoldsDigitsOfAllScripts) {
  EXPECT_EQ(fold(U'٤').text, "4");
  EXPECT_EQ(fold(U'९').text, "9");
  EXPECT_EQ(fold(U'Ⅷ').text, "VIII");
  EXPECT_EQ(fold(U'ﬁ').text, "fi");
  EXPECT_EQ(fold(0x1fbf5).text, "5");
  EXPECT_EQ(fold(U'字').fold, Fold::stays);
  EXPECT_EQ(fold(0x110000).fold, Fold::stays);
}

TEST(JoinedStrings, AreOneString) {
  const std::string rest = kToken.substr(4);
  expect_token<JoinedStringsDecoder>(
      {
          {"plus", "t = \"ghp_\" + \"" + rest + "\"", "separated"},
          {"plus, other quotes", "t = 'ghp_'+\"" + rest + "\"", "separated"},
          {"over lines", "t = \"ghp_\"\n        + \"" + rest + "\"", "separated"},
          {"dot", "t = 'ghp_' . '" + rest + "'", "separated"},
          {"two dots", "t = 'ghp_' .. '" + rest + "'", "separated"},
          {"side by side", "t = \"ghp_\" \"" + rest + "\"", "separated"},
          {"of a shell", "curl ghp_\"\"" + rest, "separated"},
          {"of SQL", "'ghp_' || '" + rest + "'", "separated"},
          {"three", "'ghp_A' + 'AAAA' + '" + rest.substr(5) + "'", "separated"},
      },
      ";\n{\"a\": \"b\", \"c\": [\"\", \"d\", 'e']}\n");
}

TEST(JoinedStrings, AreNotMembersOfAList) {
  const std::string text = "{\"a\": \"b\", \"c\" : [\"\", \"d\", 'e'], \"f\":\"\"} don't 'a' or 'b', it's \"x\" and";
  EXPECT_EQ(story_of<JoinedStringsDecoder>(text, text.size()), "");
}

// As random as tokens are, which rows of words are not.
const std::string kMixedToken = "ghp_" + std::string("A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8");

// In pieces of different lengths, in order.
std::vector<std::string> pieces_of(const std::string& text) {
  std::vector<std::string> pieces;
  for (size_t at = 0, n = 3; at < text.size(); at += n, n = n * 5 % 7) pieces.push_back(text.substr(at, n));
  return pieces;
}

std::string list(const char* format, std::string_view between) {
  std::string all;
  for (const std::string& piece : pieces_of(kMixedToken)) {
    all += (all.empty() ? std::string() : std::string(between)) + fmt::format(fmt::runtime(format), piece);
  }
  return all;
}

TEST(ListedStrings, AreOneString) {
  expect_token<ListedStringsDecoder>(
      kMixedToken,
      {
          {"a list", "[" + list("\"{}\"", ", ") + "]", "separated"},
          {"close", "[" + list("\"{}\"", ",") + "]", "separated"},
          {"indented", "[\n        " + list("\"{}\"", ",\n        ") + "\n]", "separated"},
          {"of two", "[\"ghp_A1\", \"" + kMixedToken.substr(6) + "\"]", "separated"},
          {"of which the last is long", "[\"gh\", \"" + kMixedToken.substr(2) + std::string(60, 'A') + "\"]",
           "separated"},
          {"with an empty one", "[\"ghp\", \"\", \"_A1\", \"" + kMixedToken.substr(6) + "\"]", "separated"},
          {"of lists", "[" + list("[\"{}\"]", ", ") + "]", "separated"},
          {"nested", "[[\"ghp\", [\"_\", [[\"A\"]]]], \"" + kMixedToken.substr(5) + "\"]", "separated"},
          {"values", "{" + list("\"k\": \"{}\"", ", ") + "}", "separated"},
          {"values of keys with blanks", "{" + list("\"a key\" : \"{}\"", ", ") + "}", "separated"},
          {"objects", "[" + list("{{\"i\": 12, \"v\": \"{}\"}}", ", ") + "]", "separated"},
          {"numbered", "[" + list("[1, \"{}\"]", ", ") + "]", "separated"},
          {"of Python", "(" + list("'{}'", ", ") + ")", "separated"},
          {"of PHP", "[" + list("'k' => '{}'", ", ") + "]", "separated"},
          {"of YAML", list("  - \"{}\"", "\n"), "separated"},
          {"assignments", list("a0 = \"{}\"", "\n"), "separated"},
          {"attributes", list("<p v=\"{}\"/>", ""), "separated"},
      },
      " it's \"(other)\" words; \n");
}

TEST(ListedStrings, AreNotKeysNorTexts) {
  for (const std::string text :
       {R"({"some key": 1, "another-one": 2, "yet_another": 3})", R"(["a text with blanks", "and one more of them"])",
        R"("one-of-sixteen-bytes" and that is all)", "it's what 'they' say, isn't it? 'tis so",
        R"(["12345678", "12345678", "12345678"])", R"(["pg_lsn", "pg_snapshot", "serial2", "serial4", "serial8"])"}) {
    EXPECT_EQ(story_of<ListedStringsDecoder>(text, text.size()), "") << text;
  }
}

TEST(Separated, TakesOutWhatRecurs) {
  std::vector<Case> rows;
  for (size_t n = 1; n <= 8; ++n) rows.push_back({"dots", every(n, kToken, "."), "separated"});
  rows.push_back({"commas", every(4, kToken, ","), "separated"});
  rows.push_back({"dashes", "ghp_-" + every(4, kToken.substr(4), "-"), "separated"});
  rows.push_back({"one a line", every(1, kToken, "\n"), "separated"});
  rows.push_back({"one a line, Windows", every(1, kToken, "\r\n"), "separated"});
  rows.push_back({"spaces", every(1, kToken, " "), "separated"});
  rows.push_back({"underlines", every(1, kToken, "_"), "separated"});
  rows.push_back({"in a list", "[\"" + every(1, kToken, "\",\"") + "\"]", "separated"});
  rows.push_back({"in a list of fours", "['" + every(4, kToken, "', '") + "']", "separated"});
  rows.push_back({"middle dots", every(2, kToken, "\u00b7"), "separated"});
  for (const char* sign : {"#", "&", "%", "\\"}) {
    rows.push_back({sign, "ghp_" + std::string(sign) + every(5, kToken.substr(4), sign), "separated"});
  }
  rows.push_back({"in an indented list", "[\n    \"" + every(1, kToken, "\",\n    \"") + "\"\n]", "separated"});
  rows.push_back({"lines of twelve", every(12, kToken, "\n"), "separated"});
  rows.push_back({"zeros", every(3, kToken, std::string_view("\0", 1)), "separated"});
  expect_token<SeparatedDecoder>(rows, " some (other) words\n");
}

TEST(Separated, SeesTheSameHoweverItIsCutAndWithPlainInstructions) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < 60'000) {
    // Words on a grid, and words that are on none.
    const size_t group = 1 + random() % 18;
    const std::string separator(1 + random() % 3, ",.- \n/"[random() % 6]);
    for (size_t words = random() % 9; words > 0; --words) {
      for (size_t n = random() % 16 == 0 ? 1 + random() % 30 : group; n > 0; --n) {
        text += static_cast<char>((random() % 3 == 0 ? 'A' : 'a') + random() % 26);
      }
      text += separator;
    }
    if (random() % 50 == 0) text.append(random() % 5000, '~');
  }
  const std::string whole = story_of<SeparatedDecoder>(text, text.size());
  EXPECT_GT(whole.size(), 1000u);
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    for (const size_t piece : {1, 7, 63, 64, 1000, 5000}) {
      EXPECT_TRUE(story_of<SeparatedDecoder>(text, piece) == whole) << piece << " " << static_cast<int>(vectors);
    }
  }
  use_vectors = Vectors::avx512;
}

TEST(Separated, LeavesProseNumbersAndIdentifiersAlone) {
  for (const std::string text :
       {"The quick brown fox, it is said, jumps over the lazy dog; and (so on) for ever and ever.",
        "[1234, 5678, 9012, 3456, 7890, 1234, 5678]", "1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3",
        "123e4567-e89b-12d3-a456-426614174000", "2024-01-02T03:04:05Z", "00:1a:2b:3c:4d:5e"}) {
    EXPECT_EQ(story_of<SeparatedDecoder>(text, text.size()), "") << text;
  }
}

TEST(Separated, LeavesTheMappingsOfASourceMapAlone) {
  // The second has a key's letters in a row without the commas.
  for (const std::string text :
       {"IAAI,GAAG,MAAM,CAAC,IAAI,CAAC,GAAG,CAAC,CAAC;", ";QAC9B,KAAK,IAAI,CAAC,GAAG,CAAC,EAAE,CAAC,GAAG;"}) {
    EXPECT_EQ(story_of<SeparatedDecoder>(text, text.size()), "") << text;
  }
  // What ends them is on the grid too.
  for (const std::string text :
       {";MACM,CAAC,KAAK,IAAI,KAAK,IAAI,IAAI,EAAE,pBAApB;", "KAAK,SAAS,IAAI,CAAC,IAAI,3BAA3B;"}) {
    EXPECT_EQ(story_of<SeparatedDecoder>(text, text.size()), "") << text;
  }
  const std::string key = "AKIARZPUZDIKKUABCDEF";
  EXPECT_THAT(story_of<SeparatedDecoder>(every(4, key, ","), 1000, "separated"), HasSubstr(key));
  const std::string behind = "GAAG,MAAM,CAAC,IAAI,CAAC,GAAG,CAAC,CAAC,GAAG,MAAM," + every(4, key, ",");
  EXPECT_THAT(story_of<SeparatedDecoder>(behind, 1000, "separated"), HasSubstr(key)) << "behind them";
}

TEST(Separated, TakesTheSeparatorInFrontOfTheFirstWholeGroupToo) {
  EXPECT_THAT(story_of<SeparatedDecoder>(every(5, "my key=\"" + kToken + "\" and more", "\n"), 1000, "separated"),
              HasSubstr(kToken));
}

TEST(Separated, LeavesWhatStandsForAnEscapeToItsDecoder) {
  for (const char* format : {"%%%02x", "%%25%02x", "%%u%04x", "\\x%02x", "\\u%04x", "\\%03o", "&#%u;", "&#x%x;"}) {
    const std::string text = numbers(format, "");
    EXPECT_EQ(story_of<SeparatedDecoder>(text, text.size()), "") << text;
  }
}

TEST(Separated, LeavesOneGroupOverAndOverAlone) {
  for (const std::string group : {"q\xc7\x1c", "aa.", "\"a\"+", "a\u200b"}) {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += group;
    EXPECT_EQ(story_of<SeparatedDecoder>(text, text.size()), "") << group;
    const std::string before = every(4, kToken, ".");
    EXPECT_THAT(story_of<SeparatedDecoder>(before + " " + text + before, 1000, "separated"),
                testing::AllOf(HasSubstr(kToken), testing::SizeIs(testing::Le(2000))))
        << group;
  }
}

TEST(Separated, PassesOnDigitsOnlyIfTheyAreFew) {
  EXPECT_THAT(story_of<SeparatedDecoder>("card 4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1 yes", 1000, "separated"),
              HasSubstr("card 4111111111111111 yes"));
}

TEST(Codes, AreReadAsBytes) {
  expect_token<CodesDecoder>(
      {
          {"spaces", numbers("%02x", " "), "hex"},
          {"colons", numbers("%02X", ":"), "hex"},
          {"dashes", numbers("%02x", "-"), "hex"},
          {"commas", numbers("%02x", ","), "hex"},
          {"0x", numbers("0x%02x", ", "), "hex"},
          {"0X, one a line", numbers("0X%02X", ",\n    "), "hex"},
          {"strings", numbers("\"%02x\"", ", "), "hex"},
          {"decimal", "[" + numbers("%u", ", ") + "]", "decimal"},
          {"decimal, close", numbers("%u", ","), "decimal"},
      },
      "; it was in the year 1999 (!) and 3 days\n");
}

TEST(Codes, AreNotWords) {
  const std::string text = "be a bad dad, add a bed, 12 of 100: dead beef 7 cafe 1999 and a fee is paid";
  EXPECT_EQ(story_of<CodesDecoder>(text, text.size()), "");
}

}  // namespace
}  // namespace gatehouse::dlp
