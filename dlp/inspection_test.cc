#include "dlp/inspection.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/literal_reader.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kToken = "ghp_" + std::string(36, 'A');

std::string fingerprint(std::string_view secret) { return "fp" + std::to_string(secret.size()); }

struct Scanner {
  LiteralSource source{{kToken, "injection"}};
  std::chrono::nanoseconds now{0};
  Inspector inspector{source, fingerprint, [this] { return now; }};
  policy::Limits limits;

  Inspection open(Direction direction = Direction::out) {
    return Inspection(inspector, {"https", direction, "api.example.com", "trace"}, limits);
  }
};

TEST(Inspection, FindsASecretInAPartAndSaysWhereItIs) {
  Scanner scanner;
  Inspection inspection = scanner.open();
  inspection.part({"path", {}, {}});
  inspection.write("/search");
  inspection.part({"header:x-key", {}, {}});
  inspection.write("key " + kToken + "; x");
  inspection.finish();
  const auto findings = inspection.take_findings();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rule, "literal-0");
  EXPECT_EQ(findings[0].category, "credentials");
  EXPECT_EQ(findings[0].part, 1u);
  EXPECT_EQ(findings[0].location, "header:x-key");
  EXPECT_EQ(findings[0].path, "");
  EXPECT_EQ(findings[0].offset, 4u);
  EXPECT_EQ(findings[0].length, 40u);
  EXPECT_EQ(findings[0].prefix, "ghp_");
  EXPECT_EQ(findings[0].fingerprint, "fp40");
}

TEST(Inspection, FindsASecretCutAnywhereAndReportsItOnce) {
  const std::string body = "{\"token\": \"" + kToken + "\"}";
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    Scanner scanner;
    Inspection inspection = scanner.open();
    inspection.part({"body", {}, {}});
    inspection.write(body.substr(0, cut));
    auto findings = inspection.take_findings();
    inspection.write(body.substr(cut));
    inspection.finish();
    for (Finding& finding : inspection.take_findings()) findings.push_back(finding);
    EXPECT_THAT(findings, ElementsAre(Field(&Finding::offset, 11u))) << cut;
  }
}

TEST(Inspection, JoinsNothingOverParts) {
  Scanner scanner;
  Inspection inspection = scanner.open();
  inspection.part({"cookie:a", {}, {}});
  inspection.write(kToken.substr(0, 20));
  inspection.part({"cookie:b", {}, {}});
  inspection.write(kToken.substr(20));
  inspection.finish();
  EXPECT_THAT(inspection.take_findings(), IsEmpty());
}

TEST(Inspection, ReportsEachPlaceOfASecretThatMayHaveToBeOverwritten) {
  Scanner scanner;
  Inspection inspection = scanner.open();
  inspection.part({"body", {}, {}});
  inspection.write(kToken + " " + kToken);
  inspection.finish();
  EXPECT_THAT(inspection.take_findings(), ElementsAre(Field(&Finding::offset, 0u), Field(&Finding::offset, 41u)));
}

TEST(Inspection, KeepsAFindingOfEachRuleWhateverFloodOfOthersComesBefore) {
  Scanner scanner;
  Inspection inspection = scanner.open();
  inspection.part({"body", {}, {}});
  for (size_t i = 0; i < 2 * kMaxKeptFindings; ++i) inspection.write(i % 2 == 0 ? "injection " : "an injection, ");
  inspection.write(kToken);
  inspection.finish();
  const auto findings = inspection.take_findings();
  EXPECT_EQ(findings.size(), kMaxKeptFindings + 1);
  EXPECT_EQ(findings.back().rule, "literal-0");
  EXPECT_EQ(inspection.dropped(), kMaxKeptFindings);
}

TEST(Inspection, DeniesWhenItsOwnWorkTakesTooLongWhateverTheClientTakes) {
  Scanner scanner;
  scanner.limits.scan_time = std::chrono::milliseconds(5);
  Inspection inspection = scanner.open();
  inspection.part({"body", {}, {}});
  inspection.write("x");
  scanner.now += std::chrono::hours(1);  // the client's
  inspection.write("y");
  EXPECT_THAT(inspection.take_findings(), IsEmpty());
  // Ours: the clock moves by a millisecond at each reading.
  Scanner slow;
  slow.limits.scan_time = std::chrono::milliseconds(5);
  slow.inspector.clock = [&slow] { return slow.now += std::chrono::milliseconds(1); };
  Inspection dear = slow.open();
  dear.part({"body", {}, {}});
  for (int i = 0; i < 10; ++i) dear.write("z");
  dear.write(kToken);  // not read any more
  dear.finish();
  const auto findings = dear.take_findings();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rule, "decode-budget");
  EXPECT_EQ(findings[0].category, "limits");
  EXPECT_EQ(findings[0].severity, FindingAction::deny);
  EXPECT_EQ(findings[0].location, "body");
  EXPECT_THAT(findings[0].detail, HasSubstr("scan_time"));
}

TEST(Inspection, UsesTheLayersOfOneStreamForTheNext) {
  Scanner scanner;
  for (int i = 0; i < 3; ++i) {
    Inspection inspection = scanner.open();
    inspection.part({"body", {}, {}});
    // The second one stops in mid-stream; what it began is forgotten.
    inspection.write(i == 1 ? kToken.substr(0, 20) : i == 2 ? kToken.substr(20) : kToken);
    if (i != 1) inspection.finish();
    EXPECT_EQ(inspection.take_findings().size(), i == 0 ? 1u : 0u) << i;
  }
}

std::vector<Finding> scan(Scanner& scanner, const std::string& body, size_t piece = 1 << 20) {
  Inspection inspection = scanner.open();
  inspection.part({"body", {}, {}});
  for (size_t at = 0; at < body.size(); at += piece) inspection.write(std::string_view(body).substr(at, piece));
  inspection.finish();
  return inspection.take_findings();
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) bits = bits << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) text += i + j > bytes.size() ? '=' : kLetters[bits >> (18 - 6 * j) & 63];
  }
  return text;
}

std::string percent(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("%{:02x}", static_cast<uint8_t>(c));
  return text;
}

std::string backslashes(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
  return text;
}

std::string references(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("&#{};", static_cast<uint8_t>(c));
  return text;
}

TEST(Inspection, NamesTheDecodingsAndWhereTheEncodedRunIs) {
  Scanner scanner;
  const auto findings = scan(scanner, "{\"first\": 1, \"second\": \"" + base64(percent("token=" + kToken)) + "\"}");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].path, "base64>percent");
  EXPECT_EQ(findings[0].offset, 24u);
  EXPECT_EQ(findings[0].length, 0u);
  EXPECT_EQ(findings[0].prefix, "ghp_");
}

// `text`, with a soft line break of quoted-printable after every `n` characters.
std::string soft_breaks(std::string text, size_t n) {
  constexpr std::string_view kBreak = "=\r\n";
  for (size_t at = n; at < text.size(); at += n + kBreak.size()) text.insert(at, kBreak);
  return text;
}

TEST(Inspection, SeesThroughSoftBreaksWithinEscapes) {
  std::string entities, hex, json;
  for (const char c : kToken) {
    entities += fmt::format("&#{};", static_cast<int>(c));
    hex += fmt::format("\\x{:02x}", static_cast<int>(c));
    json += fmt::format("\\u{:04x}", static_cast<int>(c));
  }
  for (size_t n = 3; n < 40; ++n) {
    for (const std::string& escaped : {entities, hex, json, percent(kToken)}) {
      Scanner scanner;
      const auto findings = scan(scanner, "Dear all,\r\n" + soft_breaks(escaped, n) + "\r\nand so on");
      ASSERT_EQ(findings.size(), 1u) << escaped << " " << n;
      EXPECT_EQ(findings[0].prefix, "ghp_");
    }
  }
}

TEST(Inspection, FindsWhatIsDecodedCutAnywhere) {
  const std::string body = "a=" + base64(percent(kToken));
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    Scanner scanner;
    Inspection inspection = scanner.open();
    inspection.part({"body", {}, {}});
    inspection.write(body.substr(0, cut));
    inspection.write(body.substr(cut));
    inspection.finish();
    EXPECT_THAT(inspection.take_findings(), ElementsAre(Field(&Finding::path, "base64>percent"))) << cut;
  }
}

TEST(Inspection, ReportsWhatADecoderMerelyCopiedWhereItStands) {
  Scanner scanner;
  // The copy near the escape is the secret itself; the second one stands there only once decoded.
  const auto findings = scan(scanner, "a%20b " + kToken + " c " + percent(kToken));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].path, "");
  EXPECT_EQ(findings[0].offset, 6u);
  EXPECT_EQ(findings[1].path, "percent");
}

TEST(Inspection, PrefersTheShortestPath) {
  Scanner scanner;
  const auto findings = scan(scanner, percent(percent(kToken)) + " " + percent(kToken));
  EXPECT_THAT(findings, ElementsAre(Field(&Finding::path, "percent")));
}

TEST(Inspection, DeniesWhatIsEncodedTooManyTimes) {
  Scanner scanner;
  std::string body = kToken;
  for (int i = 0; i < 40; ++i) body = base64(body);
  const auto findings = scan(scanner, body);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rule, "decode-budget");
  EXPECT_EQ(findings[0].severity, FindingAction::deny);
  EXPECT_THAT(findings[0].detail, HasSubstr("decode_depth"));
}

TEST(Inspection, TakesOneSignOverAndOverForNothingEncoded) {
  Scanner scanner;
  Inspection inspection = scanner.open();
  inspection.part({"body", {}, {}});
  inspection.write(std::string(300'000, '\\'));
  inspection.finish();
  EXPECT_THAT(inspection.take_findings(), IsEmpty());
}

// Whatever their number: those that are too many to be read are no way past either.
TEST(Inspection, FindsOrDeniesWhatZerosStandInFrontOf) {
  constexpr size_t kMostRead = 56;
  for (const char* sign : {"&#", "&#x", "\\u{"}) {
    const std::string number = sign == std::string("&#") ? "103" : "67";
    const std::string end = sign == std::string("\\u{") ? "}" : ";";
    for (const size_t zeros : {0, 1, 20, 56, 58, 59, 60, 61, 62, 63, 64, 65, 200, 300, 1000, 5000}) {
      const std::string body =
          "a text, and in it " + (sign + std::string(zeros, '0')) + number + end + kToken.substr(1) + " somewhere";
      for (const size_t piece : {size_t{7}, body.size()}) {
        Scanner scanner;
        const auto findings = scan(scanner, body, piece);
        ASSERT_FALSE(findings.empty()) << sign << zeros;
        EXPECT_EQ(findings[0].severity, FindingAction::deny);
        if (zeros <= kMostRead) {
          EXPECT_EQ(findings[0].prefix, "ghp_") << sign << zeros;
        } else if (findings[0].prefix != "ghp_") {
          EXPECT_EQ(findings[0].rule, "decode-error") << sign << zeros;
          EXPECT_THAT(findings[0].detail, HasSubstr("zeros"));
        }
      }
    }
  }
}

TEST(Inspection, DeniesWhenMoreIsDecodedThanAllowed) {
  Scanner scanner;
  scanner.limits.decoded_bytes = 10'000;
  const auto findings = scan(scanner, base64(std::string(20'000, 'x') + kToken));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].detail, HasSubstr("decoded_bytes"));
  // What comes in may be as long as it likes.
  Inspection download = scanner.open(Direction::in);
  download.part({"body", {}, {}});
  download.write(base64(std::string(20'000, 'x')));
  download.finish();
  EXPECT_THAT(download.take_findings(), IsEmpty());
}

TEST(Inspection, MakesLayersAgainThatWereGivenUpForOthers) {
  // Far apart, each of many combinations of encodings, and in the end the one that was first once more.
  Scanner scanner;
  const std::vector<std::function<std::string(std::string_view)>> encoders{base64, percent, backslashes, references};
  std::string body;
  const auto add = [&](std::string text, size_t number, int times) {
    for (int i = 0; i < times; ++i, number /= encoders.size()) text = encoders[number % encoders.size()](text);
    body += text + " " + std::string(70'000, ' ');
  };
  for (size_t i = 0; i < 512; ++i) add("no secret, is it? " + std::to_string(i), i, 5);
  add(kToken, 0, 5);
  const auto findings = scan(scanner, body);
  ASSERT_EQ(findings.size(), 1u) << findings.back().detail;
  EXPECT_EQ(findings[0].path, "base64>base64>base64>base64>base64");
}

TEST(Inspection, SurvivesAnyBytes) {
  Scanner scanner;
  std::string bytes;
  for (unsigned i = 0; i < 70'000; ++i) bytes += static_cast<char>(i * i * 31 >> 5);
  bytes += std::string(1000, '\0') + "\xc0\x80\xff\xfe\xed\xa0\x80" + kToken;
  for (const size_t piece : {1, 7, 4096, 100'000}) {
    EXPECT_THAT(scan(scanner, bytes, piece), ElementsAre(Field(&Finding::offset, bytes.size() - 40))) << piece;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
