// What the rules find in a layer, wherever it lies and however the layer is cut.
#include "dlp/rule_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <tuple>

#include "dlp/inspection.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Rule rule(std::string id, std::string pattern, std::vector<std::string> keywords, int group = 0) {
  Rule made;
  made.id = made.title = std::move(id);
  made.category = "credentials";
  made.pattern = std::move(pattern);
  made.keywords = std::move(keywords);
  made.group = group;
  made.source = "test.json:1";
  return made;
}

// A dozen rules of the kinds there are.
std::vector<Rule> dozen() {
  std::vector<Rule> rules = {
      rule("ghp", "ghp_[A-Za-z0-9]{36}", {"ghp_"}),
      rule("acme", "(?i)acme[a-z_ .-]{0,20}[=:]\\s{0,3}['\"]?([a-z0-9]{16,40})", {"acme"}, 1),
      rule("pem", "-----BEGIN KEY-----[A-Za-z0-9+/=\\s]{16,1000}(?:-----END KEY-----)?", {"-----BEGIN KEY-----"}),
      rule("suffix", "[a-z0-9]{8}\\.vault\\.example", {".vault.example"}),
      rule("card", "\\b[0-9]{4}(?:[ -]?[0-9]{4}){3}\\b", {}),
      rule("account", "\\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,5}\\b", {}),
      rule("bars", "[|][0-9]{3,5}[|]", {}),
      rule("password", "(?i)password=([^\\s&]+)", {"password"}, 1),
      rule("either", "(?:one|two)_key_[0-9]{4}", {"one_key", "two_key"}),
      rule("again", "ghp_[A-Za-z0-9]{8}", {"GHP_"}),
      rule("edges", "\\bedge[0-9]{3}\\b", {"edge"}),
      rule("start", "^magic[0-9]", {"magic"}),
      rule("last", "trailer[0-9]$", {"trailer"}),
      rule("behind", "[0-9]-key[0-9]", {"-key"}),
      rule("bytes", "\\x00\\xff\\xfe[^\\x00]{4}\\x00",
           {"\xff\xfe"
            "k"}),
  };
  rules[4].shape = "digit-groups";
  rules[5].shape = "letters-digits";
  return rules;
}

std::shared_ptr<const RuleTable> table_of(std::vector<Rule> rules) {
  auto table = RuleTable::build(std::move(rules), "");
  if (!table) throw std::runtime_error(table.error().message());
  return *table;
}

using Found = std::tuple<std::string, uint64_t, std::string>;  // rule, offset, secret

class Scanner {
 public:
  explicit Scanner(std::vector<Rule> rules = dozen())
      : workspace_(RuleWorkspace::create(table_of(std::move(rules))).value()), reader_(*workspace_) {}

  void write(std::string_view bytes) {
    const std::string copy(bytes);  // gone after the call
    reader_.write(copy, note_);
  }
  void boundary() { reader_.boundary(note_); }
  // What is found by now.
  std::vector<Found> check() {
    reader_.check(note_);
    return std::exchange(found_, {});
  }
  // What was found since the last end(), in order.
  std::vector<Found> end() {
    reader_.end(note_);
    std::sort(found_.begin(), found_.end());
    return std::exchange(found_, {});
  }
  std::vector<Found> scan(std::string_view text) {
    write(text);
    return end();
  }
  std::vector<Found> scan_cut(std::string_view text, size_t piece) {
    for (size_t at = 0; at < text.size(); at += piece) write(text.substr(at, piece));
    return end();
  }
  std::vector<Match> matches(std::string_view text) {
    write(text);
    end();
    return std::exchange(matches_, {});
  }
  const RuleWorkspace::Effort& effort() const { return workspace_->effort(); }

 private:
  std::unique_ptr<RuleWorkspace> workspace_;
  RuleReader reader_;
  std::vector<Found> found_;
  std::vector<Match> matches_;
  OnMatch note_ = [this](const Match& match) {
    EXPECT_EQ(match.end - match.begin, match.secret.size());
    found_.emplace_back(match.rule->id, match.begin, match.secret);
    matches_.push_back(match);
  };
};

const std::string kGhp = "ghp_" + std::string(36, 'A');
const std::string kGhpShort = kGhp.substr(0, 12);  // what the rule "again" takes of it
const std::string kValue = "0123456789abcdef";

TEST(RuleReader, FindsASecretWhereItIs) {
  Scanner scanner;
  const struct {
    std::string text;
    std::vector<Found> expected;
  } cases[] = {
      {"", {}},
      {kGhp, {{"again", 0, kGhpShort}, {"ghp", 0, kGhp}}},
      {"x" + kGhp + "BBBB", {{"again", 1, kGhpShort}, {"ghp", 1, kGhp}}},
      {"ghp_ and nothing after it", {}},
      {"GHP_" + std::string(36, 'A'), {}},  // keywords have no case, patterns have
      {"Acme_Key: '" + kValue + "'", {{"acme", 11, kValue}}},
      {"acme" + std::string(600, ' ') + "= " + kValue, {}},
      {"abcdefgh.vault.example", {{"suffix", 0, "abcdefgh.vault.example"}}},
      {"a.vault.example", {}},
      {"-key1", {}},
      {"1-key1", {{"behind", 0, "1-key1"}}},
      {".vault.example", {}},
      {"4111 1111 1111 1111", {{"card", 0, "4111 1111 1111 1111"}}},
      {"a4111111111111111", {}},
      {"4111111111111111,4222222222222222", {{"card", 0, "4111111111111111"}, {"card", 17, "4222222222222222"}}},
      {"on DE56 1111 2222.", {{"account", 3, "DE56 1111 2222"}}},
      {"DE56 1111 222", {}},
      {"|123|45678|", {{"bars", 0, "|123|"}}},
      {"password=a&password=bc&x=password=d", {{"password", 9, "a"}, {"password", 20, "bc"}, {"password", 34, "d"}}},
      {"password=password=a", {{"password", 9, "password=a"}}},
      {"one_key_1111two_key_2222", {{"either", 0, "one_key_1111"}, {"either", 12, "two_key_2222"}}},
      {"edge123", {{"edges", 0, "edge123"}}},
      {"-edge123-edge456", {{"edges", 1, "edge123"}, {"edges", 9, "edge456"}}},
      {"edge1234 xedge123", {}},
      {"magic1", {{"start", 0, "magic1"}}},
      {" magic1", {}},
      {"trailer1", {{"last", 0, "trailer1"}}},
      {"trailer1 ", {}},
      {std::string("\0\xff\xfekeys\0", 8), {{"bytes", 0, std::string("\0\xff\xfekeys\0", 8)}}},
      {std::string("\xc3\x28\xff\xf0 ") + kGhp, {{"again", 5, kGhpShort}, {"ghp", 5, kGhp}}},
      {std::string(3, '\0') + kGhp + std::string(3, '\0'), {{"again", 3, kGhpShort}, {"ghp", 3, kGhp}}},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(scanner.scan(text), expected) << testing::PrintToString(text);
}

TEST(RuleReader, FindsTheSameCutAtEveryOffset) {
  Scanner scanner;
  const std::string filler = "int main() { return acme ? password : edge; } // ";
  const std::string text = "magic7" + filler + kGhp + " Acme key=" + kValue + "\nabcdefgh.vault.example edge123 " +
                           "4111-1111-1111-1111 DE56MALT1234 |123| password=hunter2 -----BEGIN KEY-----\n" +
                           std::string(300, 'Q') + "\n-----END KEY----- " + filler +
                           std::string("\0\xff\xfekeys\0", 8) + " trailer5";
  const auto whole = scanner.scan(text);
  ASSERT_EQ(whole.size(), 13u);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    scanner.write(text.substr(0, cut));
    scanner.write(text.substr(cut));
    ASSERT_EQ(scanner.end(), whole) << "cut at " << cut;
  }
  for (size_t piece = 1; piece < 80; ++piece) ASSERT_EQ(scanner.scan_cut(text, piece), whole) << "pieces of " << piece;
}

// Long enough to leave the held bytes behind, so that streams, slices and the tail take part.
TEST(RuleReader, FindsTheSameInLongInputCutAnywhere) {
  std::mt19937 random(7);
  const std::string words[] = {kGhp,
                               "acme: " + kValue,
                               "acme ",
                               "password=",
                               "password=x ",
                               "abcdefgh.vault.example",
                               "edge123",
                               "4111111111111111",
                               "GB29 NWBK 6016 1331",
                               "|1234|",
                               "\n",
                               " ",
                               "-----BEGIN KEY-----",
                               "ghp_",
                               "one_key_1234",
                               std::string(40, 'Z'),
                               std::string(700, '.'),
                               std::string(3, '\0'),
                               "\xff\xfek",
                               "4"};
  Scanner scanner;
  for (int round = 0; round < 40; ++round) {
    std::string text;
    const size_t size = round % 4 == 0 ? 200000 : 5000 + random() % 20000;
    while (text.size() < size) text += words[random() % std::size(words)];
    const auto whole = scanner.scan(text);
    ASSERT_FALSE(whole.empty());
    for (const size_t piece : {1 + random() % 7, 100 + random() % 900, 4000 + random() % 200, 9000ul, 65536ul}) {
      if (piece < 8 && size > 30000) continue;
      ASSERT_EQ(scanner.scan_cut(text, piece), whole) << "round " << round << ", pieces of " << piece;
    }
  }
}

TEST(RuleReader, ASecretMayLieAcrossAnyCutOfALongInput) {
  Scanner scanner;
  for (const size_t before : {0u, 4056u, 4090u, 4096u, 8192u, 65500u, 65536u, 131060u}) {
    const std::string text = std::string(before, '\n') + kGhp + std::string(10000, '\n');
    const std::vector<Found> expected = {{"again", before, kGhpShort}, {"ghp", before, kGhp}};
    EXPECT_EQ(scanner.scan(text), expected);
    for (size_t cut = before; cut <= before + kGhp.size(); ++cut) {
      scanner.write(text.substr(0, cut));
      scanner.write(text.substr(cut));
      EXPECT_EQ(scanner.end(), expected) << before << " bytes before, cut at " << cut;
    }
  }
}

// A response goes on piece by piece; what is in a piece is to be told before it goes.
TEST(RuleReader, ACheckTellsWhatIsWholeAndTellsItOnce) {
  Scanner scanner;
  const std::vector<Found> expected = {{"again", 6, kGhpShort}, {"ghp", 6, kGhp}};
  for (const size_t before : {0u, 6000u}) {
    scanner.write(std::string(before, ' ') + "key = " + kGhp.substr(0, 10));
    EXPECT_THAT(scanner.check(), IsEmpty());
    scanner.write(kGhp.substr(10));
    auto found = scanner.check();
    std::sort(found.begin(), found.end());
    for (auto& [id, offset, secret] : found) offset -= before;
    EXPECT_EQ(found, expected);
    EXPECT_THAT(scanner.check(), IsEmpty());
    scanner.write(" and more");
    EXPECT_THAT(scanner.check(), IsEmpty());
    scanner.write(std::string(20000, '.'));
    EXPECT_THAT(scanner.check(), IsEmpty());
    EXPECT_THAT(scanner.end(), IsEmpty());
  }
}

TEST(RuleReader, WhatTurnsOutLongerIsToldAgain) {
  Scanner scanner;
  scanner.write("password=hunter");
  EXPECT_THAT(scanner.check(), ElementsAre(Found{"password", 9, "hunter"}));
  scanner.write("2 ");
  EXPECT_THAT(scanner.check(), ElementsAre(Found{"password", 9, "hunter2"}));
  EXPECT_THAT(scanner.end(), IsEmpty());
}

TEST(RuleReader, ACheckDoesNotTakeWhatIsToComeForTheEnd) {
  Scanner scanner;
  scanner.write("4111111111111111");
  EXPECT_THAT(scanner.check(), IsEmpty());
  scanner.write("1 trailer1");
  EXPECT_THAT(scanner.check(), IsEmpty());
  EXPECT_THAT(scanner.end(), ElementsAre(Found{"last", 18, "trailer1"}));
  scanner.write("edge123");
  EXPECT_THAT(scanner.check(), IsEmpty());
  scanner.write(" ");
  EXPECT_THAT(scanner.check(), ElementsAre(Found{"edges", 0, "edge123"}));
  EXPECT_THAT(scanner.end(), IsEmpty());
}

// With checks in between, what is told at last covers what is found without.
TEST(RuleReader, ChecksLoseNothing) {
  std::mt19937 random(11);
  const std::string words[] = {kGhp,
                               "acme: " + kValue,
                               "password=x ",
                               "4111111111111111",
                               " ",
                               "edge123",
                               "GB29 NWBK 6016 1331",
                               "abcdefgh.vault.example",
                               std::string(300, '.')};
  Scanner scanner;
  for (int round = 0; round < 60; ++round) {
    std::string text;
    while (text.size() < 6000) text += words[random() % std::size(words)];
    const auto whole = scanner.scan(text);
    std::vector<Found> told;
    for (size_t at = 0; at < text.size();) {
      const size_t piece = 1 + random() % 700;
      scanner.write(text.substr(at, piece));
      at += piece;
      for (auto& found : scanner.check()) told.push_back(found);
    }
    for (auto& found : scanner.end()) told.push_back(found);
    for (const auto& [id, offset, secret] : whole) {
      const bool covered =
          std::any_of(told.begin(), told.end(), [&, &id = id, &offset = offset, &secret = secret](const Found& t) {
            return std::get<0>(t) == id && std::get<1>(t) <= offset &&
                   std::get<1>(t) + std::get<2>(t).size() >= offset + secret.size();
          });
      EXPECT_TRUE(covered) << id << " at " << offset << " in round " << round;
    }
  }
}

TEST(RuleReader, NothingSpansABoundary) {
  Scanner scanner;
  for (const size_t before : {0u, 10000u}) {
    const std::string filler(before, ' ');
    for (size_t cut = 1; cut < 12; ++cut) {  // the shorter rule needs 12 bytes
      scanner.write(filler + kGhp.substr(0, cut));
      scanner.boundary();
      scanner.write(kGhp.substr(cut));
      EXPECT_THAT(scanner.end(), IsEmpty()) << cut;
    }
  }
}

TEST(RuleReader, OffsetsCountOverBoundariesAndStartAnewAfterTheEnd) {
  Scanner scanner;
  scanner.write("edge111");
  scanner.boundary();
  scanner.write("magic1");
  scanner.boundary();
  scanner.boundary();
  scanner.write(std::string(10000, ' ') + "edge222");
  scanner.boundary();
  scanner.write("edge333");
  EXPECT_THAT(scanner.end(), ElementsAre(Found{"edges", 0, "edge111"}, Found{"edges", 10013, "edge222"},
                                         Found{"edges", 10020, "edge333"}, Found{"start", 7, "magic1"}));
  EXPECT_THAT(scanner.scan("edge444"), ElementsAre(Found{"edges", 0, "edge444"}));
}

TEST(RuleReader, AMatchIsNoLongerThanTheLimit) {
  Scanner scanner({rule("long", "(?s)open<.*>shut", {"open<"})});
  const std::string longest = "open<" + std::string(kMaxMatchBytes - 10, '.') + ">shut";
  EXPECT_EQ(scanner.scan(longest), (std::vector<Found>{{"long", 0, longest}}));
  EXPECT_THAT(scanner.scan("open<." + longest.substr(5)), IsEmpty());
  // The one too long does not hide the one that begins inside it.
  EXPECT_EQ(scanner.scan("open<open<" + longest.substr(5)), (std::vector<Found>{{"long", 5, longest}}));
}

TEST(RuleReader, AKeywordTooFarFromWhereAMatchBeginsDoesNotCount) {
  Scanner scanner({rule("far", "<[a-z.]{0,1000}key", {"key"})});
  const std::string near_enough = "<" + std::string(kMaxKeywordDistance - 1, '.') + "key";
  EXPECT_EQ(scanner.scan(near_enough), (std::vector<Found>{{"far", 0, near_enough}}));
  EXPECT_THAT(scanner.scan("<." + near_enough.substr(1)), IsEmpty());
}

TEST(RuleReader, JudgesTheSecret) {
  Rule entropy = rule("entropy", "tok=([a-z0-9]{8})", {"tok="}, 1);
  entropy.entropy = 2.5;
  Rule allow = rule("allow", "pub_[a-z0-9]{8}", {"pub_"});
  allow.allow = {"pub_sample[0-9]+"};
  Rule checked = rule("checked", "card ([0-9]{16})", {"card "}, 1);
  checked.validator = "luhn";
  checked.severity = FindingAction::redact;
  checked.unconfirmed = FindingAction::warn;
  Scanner scanner({entropy, allow, checked});

  const struct {
    std::string text;
    std::vector<Found> expected;
  } cases[] = {
      {"tok=aaaaaaa1", {}}, {"tok=abcdefg1", {{"entropy", 4, "abcdefg1"}}},
      {"pub_sample11", {}}, {"pub_sample1a", {{"allow", 0, "pub_sample1a"}}},
      {"pub_xxxxxxxx", {}}, {"pub_aaaaaaaa", {{"allow", 0, "pub_aaaaaaaa"}}},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(scanner.scan(text), expected) << text;
  scanner.matches("");

  const auto confirmed = scanner.matches("card 4111111111111111");
  ASSERT_EQ(confirmed.size(), 1u);
  EXPECT_EQ(confirmed[0].confidence, Confidence::high);
  EXPECT_EQ(confirmed[0].severity, FindingAction::redact);
  const auto unconfirmed = scanner.matches("card 4111111111111112");
  ASSERT_EQ(unconfirmed.size(), 1u);
  EXPECT_EQ(unconfirmed[0].confidence, Confidence::low);
  EXPECT_EQ(unconfirmed[0].severity, FindingAction::warn);
  EXPECT_EQ(unconfirmed[0].detail, "not confirmed as luhn");
  const auto unchecked = scanner.matches("pub_abcdefgh");
  ASSERT_EQ(unchecked.size(), 1u);
  EXPECT_EQ(unchecked[0].confidence, Confidence::medium);
  EXPECT_EQ(unchecked[0].severity, FindingAction::deny);
}

TEST(RuleReader, APlaceholderDoesNotHideWhatFollowsIt) {
  Rule entropy = rule("entropy", "tok[=a-z]{0,8}=([a-z0-9]{8})", {"tok"}, 1);
  entropy.entropy = 2.5;
  Scanner scanner({entropy});
  EXPECT_EQ(scanner.scan("tok=aaaaaaaa tok=abcdefg1"), (std::vector<Found>{{"entropy", 17, "abcdefg1"}}));
}

// Each byte is read by stage 2 a bounded number of times, however often the keyword is there.
TEST(RuleReader, TenThousandHitsAreLinearWork) {
  const struct {
    std::string name;
    std::string unit;
  } cases[] = {{"matches", "password=hunter2 "},
               {"keywords only", "password "},
               {"keywords that touch", "password"},
               {"with gaps", "password              . . . . . . . . . . . . . . . . . . . . . . . . .\n"},
               {"unended", "password=password="},
               {"prefixes", "ghp_ghp_"},
               {"other", "acme acme_"},
               {"pem", "-----BEGIN KEY-----"}};
  for (const auto& [name, unit] : cases) {
    Scanner scanner;
    std::string text;
    for (int i = 0; i < 10000; ++i) text += unit;
    const auto whole = scanner.scan(text);
    const auto once = scanner.effort();
    EXPECT_LE(once.bytes, 16 * text.size()) << name;
    EXPECT_LE(once.searches, 40000u) << name;
    for (const size_t piece : {1u, 1000u, 5000u}) {
      const auto before = scanner.effort();
      EXPECT_EQ(scanner.scan_cut(text, piece), whole) << name << " in pieces of " << piece;
      EXPECT_LE(scanner.effort().bytes - before.bytes, 32 * text.size()) << name << " in pieces of " << piece;
    }
  }
}

TEST(RuleReader, ReadersOfOneSourceWorkInTurn) {
  const auto tables = RuleTables::build(dozen(), "");
  ASSERT_TRUE(tables);
  const auto source = RuleReaderSource::create(*tables);
  ASSERT_TRUE(source);
  StreamInfo out;
  std::vector<std::unique_ptr<LayerReader>> readers;
  for (int i = 0; i < 100; ++i) readers.push_back(std::move((*source)->open(out).front()));
  std::vector<int> found(readers.size());
  const std::string text = std::string(5000, ' ') + kGhp + std::string(5000, ' ');
  for (size_t at = 0; at < text.size(); at += 5011) {
    for (size_t i = 0; i < readers.size(); ++i) {
      readers[i]->write(text.substr(at, 5011), [&](const Match&) { ++found[i]; });
    }
  }
  for (size_t i = 0; i < readers.size(); i += 2) readers[i]->end([&](const Match&) { ++found[i]; });
  readers.clear();  // half of them in the middle of their layer
  EXPECT_THAT(found, testing::Each(2));
}

// Through the layers, also of one that a decoder makes, while the body goes on.
TEST(RuleReader, AnInspectionTellsWhatIsWholeByNow) {
  const auto source = RuleReaderSource::create(RuleTables::build(dozen(), "").value()).value();
  Inspector inspector{*source, [](std::string_view) { return std::string("fp"); }};
  for (const std::string& text : {kGhp, std::string("%67%68%70%5F" + kGhp.substr(4))}) {
    Inspection inspection(inspector, {"https", Direction::out, "api.example.com", "trace"}, {});
    inspection.part({"body", "text/plain", {}});
    inspection.write("data: " + text + "\n\n");
    std::vector<std::string> rules;
    for (const Finding& finding : inspection.take_findings()) rules.push_back(finding.rule);
    EXPECT_THAT(rules, testing::IsSupersetOf({"ghp", "again"})) << text;
    EXPECT_THAT(inspection.take_findings(), IsEmpty()) << text;
    inspection.write("data: done\n\n");
    EXPECT_THAT(inspection.take_findings(), IsEmpty()) << text;
    inspection.finish();
    EXPECT_THAT(inspection.take_findings(), IsEmpty()) << text;
  }
}

TEST(RuleReader, EachDirectionHasItsRules) {
  Rule out = rule("out", "aaaa[0-9]", {"aaaa"});
  Rule in = rule("in", "bbbb[0-9]", {"bbbb"});
  in.direction = RuleDirection::in;
  Rule both = rule("both", "cccc[0-9]", {"cccc"});
  both.direction = RuleDirection::both;
  const auto source = RuleReaderSource::create(RuleTables::build({out, in, both}, "").value()).value();
  const auto found = [&](Direction direction) {
    StreamInfo stream;
    stream.direction = direction;
    std::vector<std::string> ids;
    const auto note = [&](const Match& match) { ids.push_back(match.rule->id); };
    for (const auto& reader : source->open(stream)) {
      reader->write("aaaa1 bbbb2 cccc3", note);
      reader->end(note);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  EXPECT_THAT(found(Direction::out), ElementsAre("both", "out"));
  EXPECT_THAT(found(Direction::in), ElementsAre("both", "in"));
}

TEST(RuleReader, NoRulesFindNothing) {
  Scanner scanner(std::vector<Rule>{});
  EXPECT_THAT(scanner.scan(std::string(10000, 'x')), IsEmpty());
}

}  // namespace
}  // namespace gatehouse::dlp
