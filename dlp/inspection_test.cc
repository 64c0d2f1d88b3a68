#include "dlp/inspection.h"

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
  for (size_t i = 0; i < 2 * kMaxKeptFindings; ++i) inspection.write("injection ");
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

}  // namespace
}  // namespace gatehouse::dlp
