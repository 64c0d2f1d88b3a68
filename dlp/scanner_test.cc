#include "dlp/scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

namespace gatehouse::dlp {
namespace {

using testing::HasSubstr;

const std::string kToken = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6";

// A scanner of one rule and one secret.
class Scanning : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_ + "/rules");
    std::ofstream(directory_ + "/rules/one.json") << R"({"rules": [{"id": "acme-key", "title": "Acme key",
        "category": "credentials", "pattern": "acme_[0-9]{8}", "keywords": ["acme_"], "severity": "block",
        "examples": ["acme_12345678"], "negative_examples": ["acme_1"]}]})";
    const std::string secrets = directory_ + "/secrets.json";
    std::ofstream(secrets) << R"({"secrets": [{"name": "TOKEN", "value": ")" + kToken + R"("}]})";
    ::chmod(secrets.c_str(), 0600);
    const auto policy = policy::Policy::parse({{"test.json", R"({"version": 1})", false}});
    ASSERT_TRUE(policy);
    auto scanner = Scanner::load({directory_ + "/rules", secrets, ""}, *policy);
    ASSERT_TRUE(scanner) << scanner.error().message();
    scanner_ = std::move(*scanner);
    auto scans = scanner_->open_scans(1);
    ASSERT_TRUE(scans);
    open_ = std::move((*scans)[0]);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::vector<Finding> send(const std::vector<std::pair<std::string, std::string>>& parts, const StreamInfo& stream) {
    const auto scan = open_(stream);
    for (const auto& [location, bytes] : parts) {
      scan->part({location, "", ""});
      scan->write(bytes);
    }
    scan->finish();
    return scan->take_findings();
  }

  const std::string directory_ = testing::TempDir() + "/scanner-" + std::to_string(::getpid());
  std::unique_ptr<Scanner> scanner_;
  OpenScan open_;
  const StreamInfo to_a_{"https", Direction::out, "a.example", "t1"};
  const StreamInfo to_b_{"dns", Direction::out, "b.example", "t2"};
};

TEST_F(Scanning, FindsAKnownSecretInEveryLayer) {
  // base64 of "token=" + kToken
  const auto findings =
      send({{"path", "/v1"}, {"body", R"({"a": "dG9rZW49Z2hwX2FCM2RFNmdIOWpLMm1ONXBROHNUMXZXNHlaN2JDMGVGM2hKNg=="})"}},
           to_a_);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].rule, "known-secret");
  EXPECT_EQ(findings[0].severity, FindingAction::deny);
  EXPECT_EQ(findings[0].path, "base64");
  EXPECT_EQ(findings[0].part, 1U);
  EXPECT_EQ(findings[0].prefix, "ghp_");
  const auto open = send({{"path", kToken}}, to_a_);
  ASSERT_FALSE(open.empty());
  EXPECT_EQ(open[0].fingerprint, findings[0].fingerprint);
}

TEST_F(Scanning, AddsPiecesUpOverStreams) {
  const auto first = send({{"query:a", kToken.substr(4, 12)}}, to_a_);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].rule, "secret-fragment");
  EXPECT_EQ(first[0].severity, FindingAction::warn);
  const auto second = send({{"name", "x.b.example"}, {"name", kToken.substr(20, 12) + ".b.example"}}, to_b_);
  ASSERT_FALSE(second.empty());
  EXPECT_EQ(second[0].severity, FindingAction::deny);
  EXPECT_EQ(second[0].part, 1U);
  EXPECT_THAT(second[0].detail, HasSubstr("with pieces sent to a.example (https, trace t1"));
  EXPECT_EQ(second[0].fingerprint, first[0].fingerprint);
}

TEST_F(Scanning, WarnsOfManyRandomValuesToOneDestination) {
  std::mt19937 random(3);
  std::vector<Finding> findings;
  for (int i = 0; i < 300; ++i) {
    std::string value(30, '\0');
    for (char& c : value) c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[random() % 62];
    for (auto& finding : send({{"path", "/"}, {"query:q", value}, {"header:accept", "*/*"}}, to_a_)) {
      findings.push_back(std::move(finding));
    }
  }
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].rule, "entropy-exfiltration");
  EXPECT_EQ(findings[0].severity, FindingAction::warn);
  EXPECT_EQ(findings[0].location, "query:q");
  EXPECT_EQ(findings[0].part, 1U);
}

}  // namespace
}  // namespace gatehouse::dlp
