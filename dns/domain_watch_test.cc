#include "dns/domain_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace gatehouse::dns {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr uint16_t kA = 1, kNull = 10, kTxt = 16;
constexpr std::string_view kHex = "0123456789abcdef", kBase32 = "abcdefghijklmnopqrstuvwxyz234567",
                           kBase64 = "abcdefghijklmnopqrstuvwxyz0123456789-_";

class Watch {
 public:
  // True when the question has no row of its own.
  bool ask(const std::string& name, uint16_t type = kA, bool allowed = false) {
    now_ += 50ms;
    const auto* id = watch.note(name, type, allowed, now_, rows);
    if (id != nullptr) last_id = *id;
    return id != nullptr;
  }
  std::string random(std::string_view alphabet, size_t length) {
    std::string text;
    while (text.size() < length) text += alphabet[random_() % alphabet.size()];
    return text;
  }
  void wait(std::chrono::seconds time) {
    now_ += time;
    watch.sum_up(now_, rows);
  }

  DomainWatch watch{KeyedHash({1, 2})};
  DomainWatch::Rows rows;
  std::string last_id;

 private:
  std::mt19937_64 random_{7};
  Time now_{1h};
};

struct Shape {
  std::string what;
  std::function<std::string(Watch&, int)> name;
  uint16_t type;
  std::string domain;
  int listed_at_most;  // questions that still get a row
};

TEST(DomainWatch, NoticesThePublicShapesOfExfiltration) {
  const auto n = [](int i) { return std::to_string(i); };
  const std::vector<Shape> shapes = {
      {"hex", [](Watch& w, int) { return w.random(kHex, 62) + ".evil.example"; }, kA, "evil.example", 10},
      {"base32", [](Watch& w, int) { return w.random(kBase32, 63) + ".evil.example"; }, kA, "evil.example", 10},
      {"base64url", [](Watch& w, int) { return w.random(kBase64, 60) + ".evil.co.uk"; }, kA, "evil.co.uk", 10},
      {"small chunks with numbers",
       [&](Watch& w, int i) { return n(i) + "." + w.random(kHex, 8) + ".s1.evil.example"; }, kA, "evil.example", 64},
      {"tiny chunks", [](Watch& w, int) { return w.random(kBase32, 4) + ".evil.example"; }, kA, "evil.example", 140},
      {"long chains of labels",
       [](Watch& w, int) {
         std::string name;
         for (int label = 0; label < 20; ++label) name += w.random(kHex, 10) + ".";
         return name + "evil.example";
       },
       kA, "evil.example", 10},
      {"TXT polling", [&](Watch&, int i) { return "poll" + n(i) + ".evil.example"; }, kTxt, "evil.example", 9},
      {"a NULL tunnel", [](Watch& w, int) { return w.random(kBase32, 50) + ".t.evil.example"; }, kNull, "evil.example",
       9},
      {"reverse names", [](Watch& w, int) { return w.random(kHex, 32) + ".1.10.in-addr.arpa"; }, kA, "in-addr.arpa",
       16},
      {"counting", [&](Watch&, int i) { return "host" + n(i) + ".evil.example"; }, kA, "evil.example", 240},
  };
  for (const auto& shape : shapes) {
    SCOPED_TRACE(shape.what);
    Watch watch;
    constexpr int kQuestions = 500;
    int listed = 0;
    for (int i = 0; i < kQuestions; ++i) listed += watch.ask(shape.name(watch, i), shape.type) ? 0 : 1;
    EXPECT_LE(listed, shape.listed_at_most);
    ASSERT_EQ(watch.rows.size(), 1U);
    const auto noticed = watch.rows[0];
    EXPECT_EQ(noticed.name, shape.domain);
    EXPECT_EQ(noticed.decision.verdict, Verdict::deny);
    EXPECT_EQ(noticed.decision.rule_id, "dns.exfiltration");
    EXPECT_EQ(watch.last_id, noticed.event_id);
    watch.watch.sum_up_all(watch.rows);
    ASSERT_EQ(watch.rows.size(), 2U);
    EXPECT_EQ(watch.rows[1].trace_id, noticed.event_id);
    EXPECT_THAT(watch.rows[1].decision.reason,
                HasSubstr("denied " + n(kQuestions - listed) + " more questions as in event " + noticed.event_id));
  }
}

TEST(DomainWatch, NoticesDomainsThatRotate) {
  Watch watch;
  int listed = 0;
  for (int i = 0; i < 2000; ++i)
    listed += watch.ask(watch.random(kHex, 40) + ".d" + std::to_string(i) + ".example") ? 0 : 1;
  EXPECT_LE(listed, 160);
  ASSERT_EQ(watch.rows.size(), 1U);
  EXPECT_EQ(watch.rows[0].name, "");
  EXPECT_THAT(watch.rows[0].decision.reason, HasSubstr("domains look like data"));
  watch.wait(kFirstSummary);
  ASSERT_EQ(watch.rows.size(), 2U);
  EXPECT_THAT(watch.rows[1].decision.reason, HasSubstr("more questions as in event " + watch.rows[0].event_id));
}

TEST(DomainWatch, ListsAgainWhenTheRotationIsOver) {
  Watch watch;
  for (int i = 0; i < 500; ++i) watch.ask(watch.random(kHex, 40) + ".d" + std::to_string(i) + ".example");
  EXPECT_TRUE(watch.ask("www.harmless.example"));
  watch.wait(kWindowOfAll);
  EXPECT_FALSE(watch.ask("www.innocent.example"));
}

TEST(DomainWatch, LeavesOrdinaryNamesAlone) {
  Watch watch;
  const std::string hosts[] = {
      "www",    "api",  "cdn", "static", "telemetry",  "events", "eu-west-1.ingest", "login", "auth", "docs",
      "status", "blog", "m",   "mail",   "assets-cdn", "fonts",  "analytics.api",    "beta"};
  for (int domain = 0; domain < 100; ++domain) {
    for (const auto& host : hosts) {
      for (const uint16_t type : {1, 28, 65}) {
        EXPECT_FALSE(watch.ask(host + ".vendor" + std::to_string(domain) + ".com", type));
      }
    }
  }
  EXPECT_TRUE(watch.rows.empty());
}

TEST(DomainWatch, GivesWhatIsAllowedItsRow) {
  Watch watch;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(watch.ask(watch.random(kHex, 60) + ".allowed.example", kA, true));
  }
  ASSERT_EQ(watch.rows.size(), 1U);
  EXPECT_EQ(watch.rows[0].decision.verdict, Verdict::allow);
  EXPECT_EQ(watch.rows[0].name, "allowed.example");
  EXPECT_TRUE(watch.ask("denied.allowed.example")) << "beside the rest, one that is denied needs none";
}

TEST(DomainWatch, SumsUpLessAndLessOften) {
  Watch watch;
  for (int minute = 0; minute < 600; ++minute) {
    for (int i = 0; i < 20; ++i) watch.ask(watch.random(kHex, 60) + ".evil.example");
    watch.wait(59s);
  }
  // Noticed, then after 1, 2, 4, 8 and 16 minutes, then every 16.
  EXPECT_GE(watch.rows.size(), 5U + 600 / 17);
  EXPECT_LE(watch.rows.size(), 6U + 600 / 16);
  const auto rows = watch.rows.size();
  watch.wait(1h);
  watch.wait(1h);
  EXPECT_LE(watch.rows.size(), rows + 1) << "nothing more to tell";
}

TEST(DomainWatch, StaysWithinItsBound) {
  Watch watch;
  for (int i = 0; i < 20; ++i) watch.ask(watch.random(kHex, 60) + ".first.example");
  for (int i = 0; i < 3 * static_cast<int>(kMaxWatchedDomains); ++i)
    watch.ask("www.d" + std::to_string(i) + ".example");
  EXPECT_EQ(watch.watch.domains(), kMaxWatchedDomains);
  const auto told = std::count_if(watch.rows.begin(), watch.rows.end(), [&](const auto& row) {
    return row.name == "first.example" && row.trace_id == watch.rows[0].event_id;
  });
  EXPECT_EQ(told, 2) << "noticed, and summed up before it was forgotten";
}

}  // namespace
}  // namespace gatehouse::dns
