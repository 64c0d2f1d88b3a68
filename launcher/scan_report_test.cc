#include "launcher/scan_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gatehouse::launcher {
namespace {

FileFinding sample() {
  FileFinding found;
  found.file = "a dir/x\x1b.py";
  found.line = 3;
  found.column = 12;
  found.finding.rule = "github-pat";
  found.finding.title = "GitHub personal access token";
  found.finding.category = "credentials";
  found.finding.location = "body";
  found.finding.path = "gzip>base64";
  found.finding.offset = 70;
  found.finding.prefix = "ghp_";
  found.finding.fingerprint = "0123456789abcdef";
  return found;
}

TEST(ScanReport, SaysWhereAndWhatInOneLineThatCannotHarmATerminal) {
  EXPECT_EQ(report_text({sample()}),
            "a dir/x\\x1b.py:3:12: block github-pat: GitHub personal access token (ghp_...), encoded as gzip>base64\n");
  auto entry = sample();
  entry.finding.path.clear();
  entry.finding.location = "body/entry:a.txt";
  entry.finding.severity = FindingAction::warn;
  EXPECT_EQ(report_text({entry}),
            "a dir/x\\x1b.py:3:12: warn github-pat: GitHub personal access token (ghp_...) in body/entry:a.txt\n");
}

TEST(ScanReport, WritesOneJsonObjectALine) {
  const auto text = report_json({sample(), sample()});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  const auto object = nlohmann::json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(object["rule"], "github-pat");
  EXPECT_EQ(object["severity"], "block");
  EXPECT_EQ(object["decode_path"], "gzip>base64");
  EXPECT_EQ(object["line"], 3);
}

TEST(ScanReport, WritesSarifWithEachRuleOnce) {
  const auto sarif = nlohmann::json::parse(report_sarif({sample(), sample()}));
  EXPECT_EQ(sarif["version"], "2.1.0");
  const auto& run = sarif["runs"][0];
  EXPECT_EQ(run["tool"]["driver"]["rules"].size(), 1U);
  ASSERT_EQ(run["results"].size(), 2U);
  const auto& result = run["results"][0];
  EXPECT_EQ(result["ruleId"], run["tool"]["driver"]["rules"][0]["id"]);
  EXPECT_EQ(result["level"], "error");
  const auto& place = result["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "a%20dir/x%1B.py");
  EXPECT_EQ(place["region"]["startLine"], 3);
  EXPECT_EQ(nlohmann::json::parse(report_sarif({}))["runs"][0]["results"], nlohmann::json::array());
}

}  // namespace
}  // namespace gatehouse::launcher
