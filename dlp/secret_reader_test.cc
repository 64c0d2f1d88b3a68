#include "dlp/secret_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace gatehouse::dlp {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

const std::string kToken = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6";  // 40 bytes, 36 of which count
const std::string kHex = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const std::string kCanary = "AKIAZ9Y8X7W6V5U4T3S2";
const std::string kPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIA0b1C2d3E4f5G6h7I8j\n"
    "9K0l1M2n3O4p5Q6r7S8t9U0v\n"
    "-----END PRIVATE KEY-----";
const std::string kPemBody = "MC4CAQAwBQYDK2VwBCIEIA0b1C2d3E4f5G6h7I8j9K0l1M2n3O4p5Q6r7S8t9U0v";

std::string quoted(std::string text) {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) text.replace(at, 1, "\\n");
  return '"' + text + '"';
}

KnownSecrets secrets_of(const std::vector<std::pair<std::string, std::string>>& known,
                        const std::vector<std::pair<std::string, std::string>>& canaries = {}) {
  const auto list = [](const auto& items) {
    std::string json;
    for (const auto& [name, value] : items) {
      json += fmt::format(R"({}{{"name":"{}","value":{}}})", json.empty() ? "" : ",", name, quoted(value));
    }
    return json;
  };
  auto secrets = KnownSecrets::parse(fmt::format(R"({{"secrets":[{}],"canaries":[{}]}})", list(known), list(canaries)));
  EXPECT_TRUE(secrets) << secrets.error().message();
  return std::move(*secrets);
}

struct Seen {
  std::string rule, title;
  FindingAction severity;
  uint64_t begin, end;
  std::string secret, detail;

  bool operator==(const Seen& other) const {
    return std::tie(rule, title, severity, begin, end, secret, detail) ==
           std::tie(other.rule, other.title, other.severity, other.begin, other.end, other.secret, other.detail);
  }
};

void PrintTo(const Seen& seen, std::ostream* out) {
  *out << seen.rule << ' ' << to_string(seen.severity) << ' ' << seen.begin << '-' << seen.end << ' ' << seen.detail;
}

// A house with these secrets, its ledger and its clock.
class House {
 public:
  explicit House(KnownSecrets secrets) : secrets_(std::move(secrets)), ledger_(secrets_) {}

  // What is found in `text`, sent on in pieces of these sizes (the last for all that follow); all at once without.
  std::vector<Seen> send(std::string_view text, StreamInfo stream = {"https", Direction::out, "a.example", "t1"},
                         const std::vector<size_t>& pieces = {}) {
    std::vector<Seen> seen;
    const OnMatch on_match = [&](const Match& match) {
      seen.push_back({match.rule->id, match.rule->title, match.severity, match.begin, match.end,
                      std::string(match.secret), match.detail});
    };
    SecretReaderSource source(secrets_, ledger_, [this] { return now; });
    const auto readers = source.open(stream);
    EXPECT_EQ(readers.size(), 1U);
    for (size_t i = 0; !text.empty(); ++i) {
      const size_t size = pieces.empty() ? text.size() : pieces[std::min(i, pieces.size() - 1)];
      // In memory of its own, so that a sanitizer sees what is read beyond it.
      const std::string piece(text.substr(0, size));
      readers[0]->write(piece, on_match);
      text.remove_prefix(piece.size());
    }
    readers[0]->end(on_match);
    std::stable_sort(seen.begin(), seen.end(), [](const Seen& a, const Seen& b) {
      return std::tie(a.begin, a.end, a.title) < std::tie(b.begin, b.end, b.title);
    });
    return seen;
  }

  std::chrono::steady_clock::time_point now{100h};

 private:
  KnownSecrets secrets_;
  FragmentLedger ledger_;
};

std::string reversed(std::string text) {
  std::reverse(text.begin(), text.end());
  return text;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  return text;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST(SecretReader, FindsPlaceholdersOnTheirWayOutAlone) {
  auto secrets = KnownSecrets::parse(fmt::format(
      R"({{"secrets":[{{"name":"T","value":"{}","placeholder":"gatehouse-placeholder-T-{}"}}]}})", kToken, kHex));
  ASSERT_TRUE(secrets) << secrets.error().message();
  House house(std::move(*secrets));
  const auto out = house.send("Authorization: Bearer gatehouse-placeholder-T-" + kHex);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].rule + ": " + out[0].title, "placeholder: placeholder of T");
  EXPECT_EQ(out[0].severity, FindingAction::deny);
  EXPECT_THAT(out[0].detail, HasSubstr("only at the hosts and places that the policy names"));
  EXPECT_EQ(house.send(reversed(kHex))[0].rule, "placeholder");
  EXPECT_EQ(house.send(kToken)[0].rule, "known-secret");
  // What every placeholder begins with is in any text about them.
  EXPECT_THAT(house.send("gatehouse-placeholder-T-"), IsEmpty());
  const StreamInfo in{"https", Direction::in, "a.example", "t1"};
  EXPECT_THAT(house.send("Bearer gatehouse-placeholder-T-" + kHex, in, {7}), IsEmpty());
  EXPECT_EQ(house.send(kToken, in)[0].rule, "known-secret");
}

TEST(SecretReader, FindsASecretWhateverItIsDressedAs) {
  const struct {
    std::string what, value, sent, detail;
  } cases[] = {
      {"itself", kToken, kToken, ""},
      {"within a word", kToken, "xx" + kToken + "yy", ""},
      {"reversed", kToken, reversed(kToken), "reversed"},
      {"in upper case", kToken, upper(kToken), ""},
      {"hex in upper case", kHex, upper(kHex), ""},
      {"hex, as bytes", kHex, from_hex(kHex), "the bytes it is hex of"},
      {"hex, as bytes reversed", kHex, reversed(from_hex(kHex)), "the bytes it is hex of, reversed"},
      {"of six bytes", "hunt3r", "xxhunt3rxx", ""},
      {"of seven bytes", "hunter2", "hunter2", ""},
      {"of eight bytes", "hunter-2", "a hunter-2", ""},
      {"of eight bytes, reversed", "hunter-2", "2-retnuh", "reversed"},
      {"of eleven bytes", "hunter-2-xy", "1hunter-2-xy", ""},
      {"of one letter mostly", "ghp_" + std::string(36, 'A'), "token=ghp_" + std::string(36, 'A'), ""},
      {"a password of a pair", "me:s3cret-Pass", "s3cret-Pass", ""},
      {"a password of a URL", "postgres://app:s3cret-Pw@db.example/prod", "pw=s3cret-Pw", ""},
      {"a key as it is", kPem, kPem, ""},
      {"a key in one line", kPem, kPemBody, ""},
      {"a key, indented", kPem, "MC4CAQAwBQYDK2VwBCIEIA0b1C2d3E4f5G6h7I8j\r\n      9K0l1M2n3O4p5Q6r7S8t9U0v", ""},
      {"a key backwards", kPem, reversed(kPem), "reversed"},
      {"a leaf of JSON", R"({\"a\": \"b\", \"id\": \")" + kHex + R"(\"})", "x" + kHex, ""},
  };
  for (const auto& one : cases) {
    House house(secrets_of({{"A", one.value}}));
    const auto seen = house.send(one.sent);
    ASSERT_EQ(seen.size(), 1U) << one.what << testing::PrintToString(seen);
    EXPECT_EQ(seen[0].rule, "known-secret") << one.what;
    EXPECT_EQ(seen[0].title, "value of the secret A");
    EXPECT_EQ(seen[0].severity, FindingAction::deny);
    EXPECT_EQ(seen[0].detail, one.detail) << one.what;
  }
}

TEST(SecretReader, SaysWhereAndWhich) {
  House house(secrets_of({{"A", kToken}, {"B", kHex}}));
  EXPECT_THAT(house.send("x=" + kToken + "&y=" + kHex),
              ElementsAre(Seen{"known-secret", "value of the secret A", FindingAction::deny, 2, 42, kToken, ""},
                          Seen{"known-secret", "value of the secret B", FindingAction::deny, 45, 77, kHex, ""}));
}

TEST(SecretReader, FindsNothingInWhatIsMerelyAlike) {
  House house(secrets_of({{"A", kToken},
                          {"B", "hunter2"},
                          {"C", "password-of-the-house"},
                          {"D", kPem},
                          {"E", "postgres://app:s3cret-Pw@db.example.com/production"}}));
  const std::string innocent[] = {
      "",
      "ghp_",
      "hunter",
      "Hunter2",
      "the password-of-my-cat",
      "ghp_aB3d E6gH 9jK2",
      "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIOther",
      "postgres://app:other@db.example.com/production",
      std::string(10000, 'A'),
      std::string(10000, '\0'),
  };
  for (const auto& text : innocent) EXPECT_THAT(house.send(text), IsEmpty()) << text;
}

TEST(SecretReader, FindsTheSameHoweverItIsCut) {
  const auto secrets = [] {
    return secrets_of({{"A", kToken}, {"B", "hunter2"}, {"C", kPem}, {"D", kHex}}, {{"decoy", kCanary}});
  };
  const std::string text = "a" + kToken + reversed(kToken) + kToken.substr(7, 20) + " hunter2 " + kCanary +
                           kCanary.substr(2, 15) + "\n" + kPem + "\n" + kPemBody.substr(21, 30) + from_hex(kHex) +
                           kHex.substr(3, 9) + "." + kHex.substr(8, 14);
  const StreamInfo stream{"https", Direction::out, "a.example", "t1"};
  const auto whole = House(secrets()).send(text, stream);
  ASSERT_GE(whole.size(), 10U);
  for (size_t cut = 1; cut < text.size(); ++cut) {
    EXPECT_EQ(House(secrets()).send(text, stream, {cut, text.size()}), whole) << "cut at " << cut;
  }
  for (size_t size = 1; size < 200; ++size) {
    EXPECT_EQ(House(secrets()).send(text, stream, {size}), whole) << "in pieces of " << size;
  }
}

TEST(SecretReader, FindsWhatLiesAnywhereInALongText) {
  House house(secrets_of({{"A", kToken}, {"B", "hunter2"}}));
  const std::string filler(20000, '.');
  for (const size_t before : {0, 1, 63, 64, 71, 72, 73, 8100, 8150, 8185, 8191, 8192, 8193, 16380}) {
    const auto seen = house.send(filler.substr(0, before) + kToken + "hunter2" + filler);
    ASSERT_EQ(seen.size(), 2U) << before;
    EXPECT_EQ(seen[0].begin, before);
    EXPECT_EQ(seen[1].begin, before + kToken.size());
  }
}

TEST(SecretReader, TellsOfASecretAsSoonAsItsLastByteIsThere) {
  for (const std::string& value : {std::string("hunt3r"), std::string("hunter-2"), kToken, kPemBody}) {
    const auto known = secrets_of({{"A", value}});
    FragmentLedger ledger(known);
    const StreamInfo stream{"https", Direction::in, "a.example", "t1"};
    const Clock clock = [] { return FragmentLedger::Time(100h); };
    for (size_t before = 0; before < 20; ++before) {
      SecretReader reader(known, ledger, stream, clock);
      size_t seen = 0;
      reader.write(std::string(before, '.') + value, [&](const Match&) { ++seen; });
      EXPECT_EQ(seen, 1U) << value << " after " << before;
      reader.write("...", [&](const Match&) { ++seen; });
      reader.end([&](const Match&) { ++seen; });
      EXPECT_EQ(seen, 1U) << "and once";
    }
  }
}

TEST(SecretReader, JoinsNothingAcrossABoundary) {
  const auto known = secrets_of({{"A", "hunter2-hunter3"}});
  FragmentLedger ledger(known);
  const StreamInfo stream;
  const Clock clock = [] { return FragmentLedger::Time(100h); };
  SecretReader reader(known, ledger, stream, clock);
  std::vector<uint64_t> begins;
  const OnMatch on_match = [&](const Match& match) { begins.push_back(match.begin); };
  reader.write("..hunter2", on_match);
  reader.boundary(on_match);
  reader.write("-hunter3.", on_match);
  reader.boundary(on_match);
  reader.write("hunter2-hunter3", on_match);
  reader.end(on_match);
  EXPECT_THAT(begins, ElementsAre(18)) << "counted over boundaries";
  reader.write("hunter2-hunter3", on_match);
  reader.end(on_match);
  EXPECT_THAT(begins, ElementsAre(18, 0)) << "anew after the end";
}

TEST(SecretReader, WarnsOfAPieceAndDeniesTheNextOneNamingTheFirst) {
  House house(secrets_of({{"A", kToken}}));
  const auto first = house.send(kToken.substr(4, 10), {"dns", Direction::out, "x.evil.example", "t1"});
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].rule, "secret-fragment");
  EXPECT_EQ(first[0].title, "piece of the secret A");
  EXPECT_EQ(first[0].severity, FindingAction::warn);
  EXPECT_EQ(first[0].secret, kToken) << "so that all pieces have the secret's own fingerprint";
  EXPECT_EQ(first[0].detail, "10 of its 36 bytes seen so far");
  house.now += 3min;
  const auto second = house.send("q=" + kToken.substr(20, 9), {"https", Direction::out, "b.example", "t2"});
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].severity, FindingAction::deny);
  EXPECT_EQ(second[0].detail,
            "19 of its 36 bytes seen so far, with pieces sent to x.evil.example (dns, trace t1, 3 min ago)");
}

TEST(SecretReader, CountsAPieceOnce) {
  House house(secrets_of({{"A", kToken}}));
  for (int i = 0; i < 100; ++i) {
    const auto seen = house.send(kToken.substr(6, 12), {"https", Direction::out, fmt::format("h{}.example", i), "t"});
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].severity, FindingAction::warn) << i;
  }
  const auto more = house.send(kToken.substr(8, 12));
  ASSERT_EQ(more.size(), 1U);
  EXPECT_EQ(more[0].severity, FindingAction::deny) << "14 positions in all, of 14";
}

TEST(SecretReader, ForgetsPiecesAfterTheWindow) {
  House house(secrets_of({{"A", kToken}}));
  EXPECT_EQ(house.send(kToken.substr(4, 12))[0].severity, FindingAction::warn);
  house.now += 3599s;
  EXPECT_EQ(house.send(kToken.substr(20, 12), {"https", Direction::out, "a.example", "t2"})[0].severity,
            FindingAction::deny);
  house.now += 1s;
  const auto later = house.send(kToken.substr(20, 12), {"https", Direction::out, "a.example", "t3"});
  EXPECT_EQ(later[0].severity, FindingAction::warn) << "the first piece is forgotten";
  EXPECT_THAT(later[0].detail, AllOf(HasSubstr("12 of its 36"), HasSubstr("trace t2"), Not(HasSubstr("trace t1"))));
}

TEST(SecretReader, DeniesHalfASecretAtOnce) {
  for (const std::string& piece : {kToken.substr(4, 20), reversed(kToken.substr(16)), lower(kToken.substr(12, 16))}) {
    House house(secrets_of({{"A", kToken}}));
    const auto seen = house.send("z" + piece + "z");
    ASSERT_EQ(seen.size(), 1U) << piece;
    EXPECT_EQ(seen[0].rule, "secret-fragment");
    EXPECT_EQ(seen[0].severity, FindingAction::deny);
    EXPECT_EQ(seen[0].begin, 1U);
    EXPECT_EQ(seen[0].end, 1 + piece.size());
  }
}

TEST(SecretReader, AddsPiecesOfDifferentDisguises) {
  House house(secrets_of({{"A", kHex}}));
  EXPECT_EQ(house.send(kHex.substr(0, 10))[0].severity, FindingAction::warn);
  const auto second = house.send(from_hex(kHex).substr(4, 8));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].severity, FindingAction::deny);
  EXPECT_THAT(second[0].detail, HasSubstr("the bytes it is hex of; 24 of its 32 bytes"));
}

TEST(SecretReader, TakesNoPieceOfAShortSecretNorOfOneThatComesIn) {
  House house(secrets_of({{"A", "a1B2c3D4e5F"}, {"B", kToken}}));
  EXPECT_THAT(house.send("a1B2c3D4e5"), IsEmpty());
  const StreamInfo inbound{"https", Direction::in, "a.example", "t1"};
  EXPECT_THAT(house.send(kToken.substr(4, 20), inbound), IsEmpty());
  EXPECT_EQ(house.send(kToken, inbound).size(), 1U) << "the whole of it may not come in either";
}

TEST(SecretReader, TellsOfADecoyWhateverIsSeenOfIt) {
  const StreamInfo out{"https", Direction::out, "a.example", "t1"}, in{"https", Direction::in, "a.example", "t1"};
  for (const auto& stream : {out, in}) {
    for (const std::string& piece : {kCanary, kCanary.substr(3, 12)}) {
      House house(secrets_of({}, {{"aws-decoy", kCanary}}));
      const auto seen = house.send(piece, stream);
      ASSERT_EQ(seen.size(), 1U);
      EXPECT_EQ(seen[0].rule, "canary");
      EXPECT_EQ(seen[0].severity, FindingAction::deny);
      EXPECT_THAT(seen[0].title, HasSubstr("decoy aws-decoy"));
    }
  }
}

TEST(SecretReader, IgnoresCaseInNames) {
  House house(secrets_of({{"A", "Hunter2"}}));
  EXPECT_THAT(house.send("hunter2", {"https", Direction::out, "a.example", "t"}), IsEmpty());
  EXPECT_EQ(house.send("hunter2", {"dns", Direction::out, "a.example", "t"}).size(), 1U);
}

TEST(SecretReader, OpensNothingWithoutSecrets) {
  const auto none = secrets_of({});
  FragmentLedger ledger(none);
  const StreamInfo stream;
  EXPECT_THAT(SecretReaderSource(none, ledger, [] { return FragmentLedger::Time(); }).open(stream), IsEmpty());
}

std::string random_text(std::mt19937& random, size_t size, std::string_view alphabet) {
  std::string text(size, '\0');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHexDigits = "0123456789abcdef";

TEST(SecretReader, FindsEachOf256AndNothingInRandomText) {
  std::mt19937 random(7);
  std::vector<std::pair<std::string, std::string>> known;
  for (size_t i = 0; i < kMaxSecrets; ++i) {
    known.emplace_back(fmt::format("S{}", i), random_text(random, 20 + i % 200, kBase64));
  }
  House house(secrets_of(known));
  for (const auto& alphabet : {kBase64, kHexDigits, std::string_view("etaoin shrdlu,.\n")}) {
    EXPECT_THAT(house.send(random_text(random, 4 << 20, alphabet)), IsEmpty());
  }
  std::string all;
  for (const auto& [name, value] : known) all += value + "\n";
  const auto seen = house.send(all);
  ASSERT_EQ(seen.size(), kMaxSecrets);
  for (size_t i = 0; i < kMaxSecrets; ++i) EXPECT_EQ(seen[i].secret, known[i].second);
}

TEST(SecretReader, FindsEveryPieceAtEveryPlace) {
  std::mt19937 random(11);
  const std::string value = random_text(random, 300, kBase64);
  for (size_t size = kMinPieceBytes; size < 16; ++size) {
    for (size_t at = 0; at + size <= value.size(); at += 3) {
      House house(secrets_of({{"A", value}}));
      const auto seen = house.send(std::string(at % 7, '.') + value.substr(at, size) + '.');
      ASSERT_EQ(seen.size(), looks_random(value.substr(at, size)) ? 1U : 0U) << at;
      if (seen.empty()) continue;
      EXPECT_EQ(seen[0].begin, at % 7);
      EXPECT_EQ(seen[0].end, at % 7 + size);
      EXPECT_EQ(seen[0].severity, FindingAction::warn);
    }
  }
}

TEST(SecretReader, SharesSecretsAndLedgerAmongThreads) {
  const auto known = secrets_of({{"A", kToken}, {"B", kHex}});
  FragmentLedger ledger(known);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      SecretReaderSource source(known, ledger, [] { return FragmentLedger::Time(100h); });
      for (size_t round = 0; round < 200; ++round) {
        const StreamInfo stream{"https", Direction::out, "a.example", fmt::format("t{}-{}", i, round)};
        const auto readers = source.open(stream);
        readers[0]->write(kToken.substr(4 + 8 * i, 8) + " " + kHex.substr(8 * i, 8), [](const Match&) {});
        readers[0]->end([](const Match&) {});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const StreamInfo stream{"https", Direction::out, "a.example", "last"};
  EXPECT_EQ(ledger.add(0, {4, 5}, stream, FragmentLedger::Time(100h)).seen, 32U) << "of the 36 that count";
  EXPECT_EQ(ledger.add(1, {0, 1}, stream, FragmentLedger::Time(100h)).seen, 32U);
}

}  // namespace
}  // namespace gatehouse::dlp
