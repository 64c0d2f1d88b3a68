#include "dns/name_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace gatehouse::dns {
namespace {

using namespace std::chrono_literals;

constexpr Time kStart{1h};
constexpr uint16_t kA = 1, kTxt = 16;

std::string random_text(std::mt19937_64& random, std::string_view alphabet, size_t length) {
  std::string text;
  while (text.size() < length) text += alphabet[random() % alphabet.size()];
  return text;
}

TEST(DistinctCount, CountsFewExactlyAndManyNearly) {
  std::mt19937_64 random(1);
  DistinctCount count;
  EXPECT_EQ(count.estimate(), 0);
  double worst = 0;
  for (int i = 1; i <= 1'000'000; ++i) {
    const auto thing = random();
    count.add(thing);
    count.add(thing);
    if (i <= 16) {
      EXPECT_NEAR(count.estimate(), i, 1) << i;
    }
    if (i % 1000 == 0) worst = std::max(worst, std::abs(count.estimate() / i - 1));
  }
  EXPECT_LT(worst, 0.25);
  EXPECT_NEAR(count.estimate(), 1e6, 2e5);
}

TEST(NameStatistics, EstimatesWhatDifferentNamesCanCarry) {
  std::mt19937_64 random(2);
  const KeyedHash hash({1, 2});
  struct Case {
    std::string_view alphabet;
    double bits;  // a character
  };
  for (const auto& [alphabet, bits] : {Case{"0123456789abcdef", 4}, Case{"abcdefghijklmnopqrstuvwxyz234567", 5}}) {
    NameStatistics statistics;
    for (int i = 0; i < 200; ++i) statistics.add(random_text(random, alphabet, 60), kA, hash, kStart);
    EXPECT_NEAR(statistics.information_bytes(), 200 * 60 * bits / 8, 0.25 * 200 * 60 * bits / 8);
    EXPECT_NEAR(statistics.entropy(), bits, 0.1);
    EXPECT_NEAR(static_cast<double>(statistics.names()), 200, 20);
    EXPECT_EQ(statistics.longest_label(), 60U);
  }
}

TEST(NameStatistics, CountsRepeatsAndWhatStandsStillForNothing) {
  const KeyedHash hash({1, 2});
  NameStatistics repeated;
  for (int i = 0; i < 10'000; ++i) repeated.add("telemetry.eu-west-1", kA, hash, kStart);
  EXPECT_EQ(repeated.names(), 1U);
  EXPECT_LT(repeated.information_bytes(), 1);

  std::mt19937_64 random(3);
  NameStatistics with_session, without;
  for (int i = 0; i < 100; ++i) {
    const auto chunk = random_text(random, "0123456789abcdef", 20);
    with_session.add(chunk + ".session-4711.exfil", kA, hash, kStart);
    without.add(chunk, kA, hash, kStart);
  }
  EXPECT_NEAR(with_session.information_bytes(), without.information_bytes(), 0.1 * without.information_bytes());
}

TEST(NameStatistics, TellsTypesRatesAndLabels) {
  const KeyedHash hash({1, 2});
  NameStatistics statistics;
  for (int i = 0; i < 30; ++i) statistics.add("a" + std::to_string(i) + ".bb", i % 3 == 0 ? kTxt : kA, hash, kStart);
  for (int i = 0; i < 10; ++i) statistics.add("c", kA, hash, kStart + 5s + i * 100ms);
  EXPECT_EQ(statistics.questions(), 40U);
  EXPECT_EQ(statistics.busiest_second(), 30U);
  EXPECT_DOUBLE_EQ(statistics.bulk_share(), 0.25);
  EXPECT_NE(statistics.text().find("labels up to 3 bytes (2 on average)"), std::string::npos) << statistics.text();
  EXPECT_NE(statistics.text().find("25 % of the questions for TXT or NULL, up to 30 a second"), std::string::npos);
}

TEST(NameStatistics, StaysSaneOverAnyNames) {
  std::mt19937_64 random(4);
  const KeyedHash hash({1, 2});
  NameStatistics statistics;
  std::string any;
  for (int i = 0; i < 256; ++i) any += static_cast<char>(i);
  any += "....";
  for (int i = 0; i < 20'000; ++i) {
    statistics.add(random_text(random, any, random() % 254), static_cast<uint16_t>(random()), hash, kStart + i * 1ms);
  }
  EXPECT_GT(statistics.information_bytes(), 0);
  EXPECT_TRUE(std::isfinite(statistics.information_bytes()));
  EXPECT_LE(statistics.names(), statistics.questions());
  EXPECT_LE(sizeof(NameStatistics), 640U);
}

}  // namespace
}  // namespace gatehouse::dns
