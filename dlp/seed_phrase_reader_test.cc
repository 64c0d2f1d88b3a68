#include "dlp/seed_phrase_reader.h"

#include <gmock/gmock.h>

#include <numeric>

#include "dlp/seed_phrase_words.h"

namespace gatehouse::dlp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Of the vectors that BIP 39 refers to.
constexpr std::string_view kZeros =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
constexpr std::string_view kWinner = "legal winner thank year wave sausage worth useful legal winner thank yellow";
constexpr std::string_view kLetter18 =
    "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid "
    "letter always";
constexpr std::string_view kVote24 =
    "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote";

struct Found {
  std::string secret;
  uint64_t begin = 0;
  Confidence confidence = Confidence::low;
  FindingAction severity = FindingAction::exempt;

  bool operator==(const Found& other) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Found& found) {
    return out << found.begin << " '" << found.secret << "' " << to_string(found.confidence);
  }
};

Found confirmed(std::string_view secret, uint64_t begin) {
  return {std::string(secret), begin, Confidence::high, FindingAction::deny};
}
Found unconfirmed(std::string_view secret, uint64_t begin) {
  return {std::string(secret), begin, Confidence::medium, FindingAction::redact};
}

OnMatch collect(std::vector<Found>& found) {
  return [&found](const Match& match) {
    EXPECT_EQ(match.rule, &seed_phrase_rule());
    EXPECT_EQ(match.end - match.begin, match.secret.size());
    found.push_back({std::string(match.secret), match.begin, match.confidence, match.severity});
  };
}

std::vector<Found> read(const std::vector<std::string_view>& pieces) {
  std::vector<Found> found;
  SeedPhraseReader reader;
  for (const auto piece : pieces) reader.write(piece, collect(found));
  reader.end(collect(found));
  return found;
}
std::vector<Found> read(std::string_view text) { return read(std::vector{text}); }

std::string joined(std::string_view words, std::string_view separator) {
  std::string text;
  for (const char c : words) text += c == ' ' ? std::string(separator) : std::string(1, c);
  return text;
}

uint64_t packed(std::string_view word) { return std::accumulate(word.begin(), word.end(), uint64_t{0}, append_letter); }

TEST(SeedWords, AreKnownByTheirPlace) {
  const std::pair<const char*, int> cases[] = {
      {"abandon", 0},   {"ability", 1}, {"about", 3},   {"zoo", 2047}, {"ZOO", 2047},
      {"letter", 1028}, {"", -1},       {"abando", -1}, {"zooo", -1},  {"the", -1},
  };
  for (const auto& [word, index] : cases) EXPECT_EQ(seed_word_index(packed(word)), index) << word;
}

TEST(SeedPhrase, IsConfirmedByItsChecksum) {
  for (const auto phrase : {kZeros, kWinner, kLetter18, kVote24}) {
    EXPECT_THAT(read(phrase), ElementsAre(confirmed(phrase, 0)));
  }
}

TEST(SeedPhrase, WithoutAValidChecksumIsRedacted) {
  const std::string phrase = "legal winner thank year wave sausage worth useful legal winner thank zoo";
  EXPECT_THAT(read(phrase), ElementsAre(unconfirmed(phrase, 0)));
}

TEST(SeedPhrase, OfElevenWordsIsNone) {
  EXPECT_THAT(read(kWinner.substr(0, kWinner.rfind(' '))), IsEmpty());
  EXPECT_THAT(read(kWinner.substr(kWinner.find(' ') + 1)), IsEmpty());
  // Nor do two halves with another word between.
  EXPECT_THAT(read("legal winner thank year wave sausage and worth useful legal winner thank yellow"), IsEmpty());
}

TEST(SeedPhrase, MayBeWrittenInMostWays) {
  for (const auto* separator : {"\n", "\r\n", ", ", ",", "\t", "  ", " - ", "_", "\", \"", "','", "--", "\n    "}) {
    const std::string phrase = joined(kWinner, separator);
    EXPECT_THAT(read("mine: " + phrase + "."), ElementsAre(confirmed(phrase, 6))) << separator;
  }
  std::string numbered;
  int number = 0;
  for (const char c : " " + std::string(kWinner)) {
    numbered += c == ' ' ? "\n" + std::to_string(++number) + ". " : std::string(1, c);
  }
  const std::string text = numbered.substr(4);
  EXPECT_THAT(read(numbered), ElementsAre(confirmed(text, 4)));
  const std::string upper = "LEGAL Winner THANK year WAVE sausage worth USEFUL legal winner thank Yellow";
  EXPECT_THAT(read(upper), ElementsAre(confirmed(upper, 0)));
}

TEST(SeedPhrase, IsFoundAtEveryPlaceInEverything) {
  const std::string shortest = "zoo act add age aim air all art ask bar box zoo";  // 47 bytes
  for (const auto* filler : {"x", "{", "\xc3", "0", "internationalization ", "Of the ", "cat to "}) {
    std::string before;
    while (before.size() < 200) before += filler;
    for (size_t size = 0; size <= before.size(); ++size) {
      const std::string text = before.substr(0, size) + "\n{" + shortest + "} of " + before;
      const auto found = read(text);
      ASSERT_EQ(found.size(), 1u) << size << filler;
      ASSERT_EQ(found[0].secret, shortest) << size << filler;
      ASSERT_EQ(found[0].begin, size + 2);
    }
  }
}

TEST(SeedPhrase, IsFoundHoweverItIsCut) {
  const std::string text = "My words (keep them):\n" + joined(kLetter18, ",\n") + "\n-- of which " +
                           std::string(kWinner) + " was the first; " + std::string(300, '=');
  const auto whole = read(text);
  ASSERT_EQ(whole.size(), 2u);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const std::string_view view = text;
    ASSERT_EQ(read({view.substr(0, cut), view.substr(cut)}), whole) << cut;
  }
  for (const size_t size : {1, 2, 3, 7, 31, 32, 33, 64, 95, 96, 97, 191, 193}) {
    std::vector<std::string_view> pieces;
    for (size_t at = 0; at < text.size(); at += size) pieces.push_back(std::string_view(text).substr(at, size));
    ASSERT_EQ(read(pieces), whole) << "in pieces of " << size;
  }
}

TEST(SeedPhrase, IsNotPutTogetherAcrossABoundary) {
  std::vector<Found> found;
  SeedPhraseReader reader;
  reader.write(kWinner.substr(0, 40), collect(found));
  reader.boundary(collect(found));
  reader.write(kWinner.substr(40), collect(found));
  reader.boundary(collect(found));
  EXPECT_THAT(found, IsEmpty());
  reader.write(kWinner, collect(found));
  reader.boundary(collect(found));
  EXPECT_THAT(found, ElementsAre(confirmed(kWinner, kWinner.size())));
  reader.end(collect(found));
  found.clear();
  reader.write(kWinner, collect(found));  // as new
  reader.end(collect(found));
  EXPECT_THAT(found, ElementsAre(confirmed(kWinner, 0)));
}

TEST(SeedPhrase, TakesInTheWordsOfTheSentenceAroundThatAreOfTheList) {
  const std::string text = "about all " + std::string(kWinner) + " only";
  EXPECT_THAT(read(text), ElementsAre(confirmed(text, 0)));
}

TEST(SeedPhrase, ThatGoesOnIsReportedInPieces) {
  std::string text;
  for (int i = 0; i < 11; ++i) text += std::string(kWinner) + " ";  // 132 words
  const auto found = read(text);
  ASSERT_EQ(found.size(), 2u);  // of 64; what is left is no phrase
  for (const auto& piece : found) EXPECT_EQ(piece.confidence, Confidence::high);
}

TEST(SeedPhrase, IsNotTheListItselfNorProse) {
  const char* const cases[] = {
      "abandon ability able about above absent absorb abstract absurd abuse access accident account accuse achieve",
      "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of "
      "a wife. However little known the feelings or views of such a man may be on his first entering a neighbourhood, "
      "this truth is so well fixed in the minds of the surrounding families, that he is considered as the rightful "
      "property of some one or other of their daughters.",
      "for (auto item : list) { if (item.type == type && base.find(item.name) != end) return item.value; }",
      "case alert allow author avoid base because become blue-xx body bottom brand breeze bring brother build burden",
      "test test test test test test test test test test test test test test test test test test test test test",
      "border-image-repeat', 'border-image-slice', 'border-image-source', 'border-image-middle', 'border-image-hour'",
      "true,false,false,true,true,false,false,true,false,true,true,true,false,false,false,false,true,true",
      "Add.\n\n Fix.\n\n Add.\n\n Fix.\n\n Add.\n\n More.\n\n Update.\n\n Update.\n\n Fix.\n\n Add.\n\n Add.\n\n Add",
      "legalwinnerthankyearwavesausageworthusefullegalwinnerthankyellow",
      "legal winner thank year wave sausage worth useful legal winner thankful yellow",
  };
  for (const auto* text : cases) EXPECT_THAT(read(text), IsEmpty()) << text;
  std::string far = joined(kWinner, std::string(15, ' '));
  EXPECT_THAT(read(far), IsEmpty()) << "separators without end would take all of a blank page for one phrase";
}

TEST(SeedPhraseSource, ReadsWhatGoesOut) {
  SeedPhraseSource source;
  StreamInfo stream;
  stream.direction = Direction::out;
  EXPECT_EQ(source.open(stream).size(), 1u);
  stream.direction = Direction::in;
  EXPECT_THAT(source.open(stream), IsEmpty());
}

}  // namespace
}  // namespace gatehouse::dlp
