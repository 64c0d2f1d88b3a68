#include "dlp/exfiltration.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <thread>

namespace gatehouse::dlp {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kBase62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::mt19937& random_numbers() {
  static std::mt19937 random(5);
  return random;
}

std::string random_text(size_t size, std::string_view alphabet) {
  std::string text(size, '\0');
  for (char& c : text) c = alphabet[random_numbers()() % alphabet.size()];
  return text;
}

std::string uuid() {
  return random_text(8, kHex) + "-" + random_text(4, kHex) + "-4" + random_text(3, kHex) + "-a" + random_text(3, kHex) +
         "-" + random_text(12, kHex);
}

using Part = std::pair<std::string, std::string>;  // location, value

struct House {
  ExfiltrationScore score;
  ExfiltrationScore::Time now{100h};

  std::vector<Finding> send(const std::vector<Part>& parts,
                            const StreamInfo& stream = {"https", Direction::out, "api.example.com", "t"}) {
    std::vector<Finding> findings;
    ParameterScore parameters(score, stream, [this] { return now; });
    for (const auto& [location, value] : parts) {
      parameters.begin({location, "", ""});
      for (const char c : value) parameters.write({&c, 1});
      if (auto finding = parameters.end()) findings.push_back(std::move(*finding));
    }
    return findings;
  }
};

TEST(ExfiltrationScore, WarnsOnceOfASteadyFlowOfNewValues) {
  House house;
  std::vector<Finding> findings;
  for (int i = 0; i < 400; ++i) {
    house.now += 500ms;
    for (auto& finding : house.send({{"query:q", random_text(30, kBase62)}})) findings.push_back(std::move(finding));
  }
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].rule, "entropy-exfiltration");
  EXPECT_EQ(findings[0].category, "entropy");
  EXPECT_EQ(findings[0].severity, FindingAction::warn);
  EXPECT_EQ(findings[0].location, "query:q");
  EXPECT_THAT(findings[0].detail, HasSubstr("sent to example.com in parameters within 10 minutes"));
}

TEST(ExfiltrationScore, WarnsAgainInALaterWindow) {
  House house;
  size_t findings = 0;
  for (int i = 0; i < 3600; ++i) {
    house.now += 1s;
    findings += house.send({{"path", "/t/" + random_text(32, kBase62)}}).size();
  }
  EXPECT_GE(findings, 5U);
  EXPECT_LE(findings, 7U);
}

TEST(ExfiltrationScore, IsOfADestinationWhateverTheHost) {
  House house;
  size_t findings = 0;
  for (int i = 0; i < 300; ++i) {
    findings += house
                    .send({{"query:q", random_text(30, kBase62)}},
                          {"https", Direction::out, fmt::format("h{}.evil.example", i), "t"})
                    .size();
  }
  EXPECT_EQ(findings, 1U);
  for (int i = 0; i < 300; ++i) {
    findings += house
                    .send({{"query:q", random_text(30, kBase62)}},
                          {"https", Direction::out, fmt::format("site{}.example", i), "t"})
                    .size();
  }
  EXPECT_EQ(findings, 1U) << "a value to each of many";
}

TEST(ExfiltrationScore, KnowsWhereAHostBelongs) {
  const struct {
    std::string host, destination;
  } cases[] = {{"a.b.example.com", "example.com"},
               {"example.com", "example.com"},
               {"localhost", "localhost"},
               {"a.b.example.co.uk", "example.co.uk"},
               {"b.co.uk", "b.co.uk"},
               {"192.0.2.17", "192.0.2.17"},
               {"x.files.example", "files.example"},
               {"", ""},
               {".", "."}};
  for (const auto& one : cases) EXPECT_EQ(ExfiltrationScore::destination(one.host), one.destination) << one.host;
}

TEST(ExfiltrationScore, TakesLessOfNames) {
  House house;
  size_t findings = 0;
  int sent = 0;
  while (findings == 0 && sent < 100) {
    ++sent;
    const std::string name = random_text(50, kBase32) + ".t.evil.example";
    findings += house.send({{"name", name}, {"names", name}}, {"dns", Direction::out, name, "t"}).size();
  }
  EXPECT_EQ(findings, 1U);
  EXPECT_GE(sent, 30);
  EXPECT_LE(sent, 45);
}

TEST(ExfiltrationScore, IsTheSameForAValueSentAgain) {
  House house;
  std::vector<std::string> values;
  for (int i = 0; i < 50; ++i) values.push_back(random_text(60, kBase62));
  for (int i = 0; i < 5000; ++i) {
    EXPECT_TRUE(house.send({{"header:authorization", "Bearer " + values[0]}, {"cookie:sid", values[i % 50]}}).empty());
  }
}

TEST(ExfiltrationScore, PassesOverBodiesJoinedPartsAndWhatComesIn) {
  House house;
  for (int i = 0; i < 1000; ++i) {
    const std::string value = random_text(60, kBase62);
    EXPECT_TRUE(house.send({{"body", value}, {"body/form:field", value}, {"query", value}, {"head", value}}).empty());
    EXPECT_TRUE(house.send({{"header:x", value}}, {"https", Direction::in, "api.example.com", "t"}).empty());
  }
}

// What ordinary clients do within ten minutes, as often as they might.
TEST(ExfiltrationScore, IsQuietAboutOrdinaryUse) {
  struct Case {
    std::string what;
    int requests;
    std::function<std::vector<Part>(int)> parts;
  };
  const std::string token = random_text(180, kBase62);
  const Case cases[] = {
      {"request ids and traces", 1000,
       [](int) -> std::vector<Part> {
         return {{"header:x-request-id", uuid()},
                 {"header:traceparent", "00-" + random_text(32, kHex) + "-" + random_text(16, kHex) + "-01"}};
       }},
      {"objects by UUID", 1000,
       [](int) -> std::vector<Part> {
         return {{"path", "/v1/items/" + uuid()}};
       }},
      {"objects by short id", 300,
       [](int) -> std::vector<Part> {
         return {{"path", "/v1/customers/cus_" + random_text(14, kBase62)}};
       }},
      {"commits by hash", 1000,
       [](int) -> std::vector<Part> {
         return {{"path", "/repos/acme/app/commits/" + random_text(40, kHex)},
                 {"header:if-none-match", "W/\"" + random_text(64, kHex) + "\""}};
       }},
      {"pages by cursor", 400,
       [](int) -> std::vector<Part> {
         return {{"query:cursor", random_text(80, kBase62)}};
       }},
      {"pages by number", 5000,
       [](int i) -> std::vector<Part> {
         return {{"query:page", std::to_string(i)},
                 {"query:since", fmt::format("2026-01-02T03:{:02}:{:02}Z", i / 60 % 60, i % 60)}};
       }},
      {"signed requests of an object store", 2000,
       [&](int i) -> std::vector<Part> {
         return {{"path", fmt::format("/bucket/backup/2026/file-{:05}.parquet", i)},
                 {"header:authorization",
                  "AWS4-HMAC-SHA256 Credential=AKIAZ9Y8X7W6V5U4T3S2/20260102/us-east-1/s3, Signature=" +
                      random_text(64, kHex)},
                 {"header:x-amz-content-sha256", random_text(64, kHex)},
                 {"header:x-amz-security-token", token}};
       }},
      {"Python packages", 400,
       [](int i) -> std::vector<Part> {
         return {
             {"path",
              "/packages/" + random_text(2, kHex) + "/" + random_text(2, kHex) + "/" + random_text(60, kHex) +
                  fmt::format("/package{}-1.{}.3-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", i, i)}};
       }},
      {"Debian packages", 2000,
       [](int i) -> std::vector<Part> {
         return {{"path", fmt::format("/debian/pool/main/l/lib/lib{}_2.36-9+deb12u{}_amd64.deb", i, i % 9)}};
       }},
      {"Go modules", 300,
       [](int i) -> std::vector<Part> {
         return {
             {"path", fmt::format("/github.com/a/m{}/@v/v0.0.0-20231012003{:03}-{}.zip", i, i, random_text(12, kHex))}};
       }},
      {"container layers", 500,
       [](int) -> std::vector<Part> {
         return {{"path", "/v2/library/app/blobs/sha256:" + random_text(64, kHex)}};
       }},
      {"a search in words", 3000,
       [](int i) -> std::vector<Part> {
         return {{"query:q", fmt::format("how to build-a-house number {} in C++20", i)},
                 {"header:user-agent", "curl/7.88.1"}};
       }},
  };
  for (const auto& one : cases) {
    House house;
    for (int i = 0; i < one.requests; ++i) {
      house.now += 580s / one.requests;
      for (const auto& finding : house.send(one.parts(i)))
        ADD_FAILURE() << one.what << " " << i << ": " << finding.detail;
    }
  }
}

TEST(ExfiltrationScore, ForgetsADestinationLongUnusedRatherThanGrow) {
  House house;
  for (size_t i = 0; i < 4 * kScoredDestinations; ++i) {
    house.send({{"query:q", random_text(30, kBase62)}},
               {"https", Direction::out, fmt::format("site{}.example", i), "t"});
  }
  size_t findings = 0;
  for (int i = 0; i < 300; ++i) findings += house.send({{"query:q", random_text(30, kBase62)}}).size();
  EXPECT_EQ(findings, 1U) << "and still scores";
}

TEST(ExfiltrationScore, IsSharedByThreads) {
  House house;
  std::vector<std::string> values;
  for (int i = 0; i < 400; ++i) values.push_back(random_text(30, kBase62));
  std::vector<size_t> findings(4);
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < findings.size(); ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = thread; i < values.size(); i += findings.size()) {
        findings[thread] += house.send({{"query:q", values[i]}}).size();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(findings[0] + findings[1] + findings[2] + findings[3], 1U);
}

}  // namespace
}  // namespace gatehouse::dlp
