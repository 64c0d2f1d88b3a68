#include "dns/name_scan.h"

#include <gtest/gtest.h>

#include <variant>

namespace gatehouse::dns {
namespace {

// A scanner whose verdicts are given by the test.
struct FakeScanner : dlp::ScanClient {
  struct Asked {
    dlp::StreamInfo stream;
    std::vector<std::string> parts;  // "location=bytes"
    dlp::Scan::OnVerdict on_verdict;
  };
  struct FakeScan : dlp::Scan {
    explicit FakeScan(Asked& to) : asked(to) {}
    void part(const dlp::PartInfo& part) override { asked.parts.push_back(part.location + "="); }
    void write(std::string_view bytes) override { asked.parts.back() += bytes; }
    size_t queued() const override { return 0; }
    void on_drained(std::function<void()>) override {}
    void check(OnVerdict) override {}
    void finish(OnVerdict on_verdict) override { asked.on_verdict = std::move(on_verdict); }
    Asked& asked;
  };
  std::unique_ptr<dlp::Scan> open(const dlp::StreamInfo& stream) override {
    asked.push_back({stream, {}, {}});
    return std::make_unique<FakeScan>(asked.back());
  }
  std::deque<Asked> asked;
};

dlp::ScanVerdict nothing_found() { return {dlp::ScanVerdict::Outcome::allow, {}, {}}; }

dlp::ScanVerdict found(dlp::ScanVerdict::Outcome outcome, FindingAction action) {
  dlp::Finding finding;
  finding.rule = "github-pat";
  finding.title = "GitHub personal access token";
  finding.action = action;
  finding.location = "name";
  finding.prefix = "ghp_";
  return {outcome, {finding}, {}};
}

audit::DnsEvent sum_about(const std::string& domain) {
  audit::DnsEvent event;
  event.name = domain;
  event.decision = {Verdict::deny, "dns.exfiltration", "names below " + domain + " look like data"};
  return event;
}

dlp::ScanVerdict found_at(uint64_t offset) {
  auto verdict = found(dlp::ScanVerdict::Outcome::deny, FindingAction::deny);
  verdict.findings[0].offset = offset;
  verdict.findings[0].length = 10;
  return verdict;
}

struct Desk {
  FakeScanner scanner;
  std::vector<audit::Event> rows;
  Result<void> disk;
  NameScan scan{scanner, [this](audit::Event event, const std::function<void(Result<void>)>& done) {
                  rows.push_back(std::move(event));
                  done(disk);
                }};
  std::vector<std::string> outcomes;

  void ask(const std::string& name, bool allowed) {
    audit::DnsEvent event;
    event.event_id = event.trace_id = "trace";
    event.decision.verdict = allowed ? Verdict::allow : Verdict::deny;
    event.decision.rule_id = "policy-rule";
    event.decision.reason = "no rule names " + name;
    event.name = name;
    event.rcode = allowed ? "NOERROR" : "NXDOMAIN";
    event.address = allowed ? "198.18.0.1" : "";
    scan.record(event, name, [this](const Result<Recorder::Outcome>& outcome) {
      outcomes.push_back(!outcome                                   ? "lost"
                         : *outcome == Recorder::Outcome::overruled ? "overruled"
                         : *outcome == Recorder::Outcome::masked    ? "masked"
                                                                    : "as decided");
    });
  }
  void judge(size_t question, Result<dlp::ScanVerdict> verdict) {
    scanner.asked.at(question).on_verdict(std::move(verdict));
  }
  const audit::DnsEvent& last_name() const { return std::get<audit::DnsEvent>(rows.back()); }
};

TEST(NameScan, WritesNoRowBeforeTheVerdict) {
  Desk desk;
  desk.ask("AbC.data.example", true);
  EXPECT_TRUE(desk.rows.empty());
  const auto& asked = desk.scanner.asked.at(0);
  EXPECT_EQ(asked.stream.channel, "dns");
  EXPECT_EQ(asked.stream.host, "data.example");
  EXPECT_EQ(asked.parts, (std::vector<std::string>{"name=AbC.data.example", "names=AbC"}));
  desk.judge(0, nothing_found());
  ASSERT_EQ(desk.rows.size(), 1U);
  EXPECT_TRUE(desk.last_name().decision.allowed());
  EXPECT_EQ(desk.outcomes, std::vector<std::string>{"as decided"});
}

TEST(NameScan, OverrulesAnAllowedNameThatHoldsASecretAndMasksIt) {
  Desk desk;
  desk.ask("ghp-secret.data.example", true);
  desk.judge(0, found(dlp::ScanVerdict::Outcome::deny, FindingAction::deny));
  ASSERT_EQ(desk.rows.size(), 2U) << "the finding's row, then the name's";
  const auto& finding = std::get<audit::DlpFinding>(desk.rows[0]);
  EXPECT_EQ(finding.trace_id, "trace");
  EXPECT_EQ(finding.rule, "github-pat");
  EXPECT_EQ(finding.host, "data.example");
  EXPECT_EQ(desk.last_name().decision.verdict, Verdict::deny);
  EXPECT_EQ(desk.last_name().decision.rule_id, "dlp.github-pat");
  EXPECT_EQ(desk.last_name().name, "[...].data.example");
  EXPECT_EQ(desk.last_name().rcode, "NXDOMAIN");
  EXPECT_EQ(desk.last_name().address, "");
  EXPECT_EQ(desk.outcomes, std::vector<std::string>{"overruled"});
}

TEST(NameScan, LeavesAPolicysDenialAsItIsAndRecordsTheFinding) {
  Desk desk;
  desk.ask("ghp-secret.evil.example", false);
  desk.judge(0, found(dlp::ScanVerdict::Outcome::deny, FindingAction::deny));
  ASSERT_EQ(desk.rows.size(), 2U);
  EXPECT_EQ(desk.last_name().decision.rule_id, "policy-rule");
  EXPECT_EQ(desk.last_name().name, "[...].evil.example");
  EXPECT_EQ(desk.last_name().decision.reason, "no rule names [...].evil.example");
  EXPECT_EQ(desk.outcomes, std::vector<std::string>{"masked"});
}

TEST(NameScan, HoldsBackWhatShouldBeRedactedAndPassesWhatIsOnlyWarnedOf) {
  Desk desk;
  desk.ask("one.data.example", true);
  desk.judge(0, found(dlp::ScanVerdict::Outcome::redact, FindingAction::redact));
  desk.ask("two.data.example", true);
  desk.judge(1, found(dlp::ScanVerdict::Outcome::allow, FindingAction::warn));
  EXPECT_EQ(desk.outcomes, (std::vector<std::string>{"overruled", "as decided"}));
  EXPECT_EQ(desk.last_name().name, "two.data.example");
}

TEST(NameScan, DeniesWhenTheScannerIsAway) {
  Desk desk;
  desk.ask("one.data.example", true);
  desk.judge(0, fail("connection refused"));
  EXPECT_EQ(desk.last_name().decision.verdict, Verdict::deny);
  EXPECT_EQ(desk.last_name().decision.rule_id, "dlp.unavailable");
  desk.ask("two.evil.example", false);
  desk.judge(1, fail("connection refused"));
  EXPECT_EQ(desk.last_name().decision.rule_id, "policy-rule");
  EXPECT_EQ(desk.last_name().name, "[...].evil.example") << "nobody has looked through it";
  EXPECT_EQ(desk.outcomes, (std::vector<std::string>{"overruled", "masked"}));
}

TEST(NameScan, KeepsTheOrderOfTheQuestionsAndPassesOnWhatHasNoName) {
  Desk desk;
  desk.ask("one.data.example", true);
  desk.ask("", false);
  desk.ask("two.data.example", true);
  EXPECT_EQ(desk.scanner.asked.size(), 1U);
  desk.judge(0, nothing_found());
  EXPECT_EQ(desk.rows.size(), 2U);
  ASSERT_EQ(desk.scanner.asked.size(), 2U);
  EXPECT_EQ(desk.scanner.asked[1].parts.back(), "names=onetwo");
  desk.judge(1, nothing_found());
  EXPECT_EQ(desk.last_name().name, "two.data.example");
}

TEST(NameScan, SaysThatARowWasLost) {
  Desk desk;
  desk.disk = fail("disk full");
  desk.ask("one.data.example", true);
  desk.judge(0, nothing_found());
  EXPECT_EQ(desk.outcomes, std::vector<std::string>{"lost"});
}

TEST(JoinedNames, JoinsWhatIsAskedBelowADomainWithoutDotsAndRepeats) {
  JoinedNames names;
  EXPECT_EQ(names.add("aa.bb.evil.example"), "aabb");
  EXPECT_EQ(names.add("aa.bb.evil.example"), "aabb");
  EXPECT_EQ(names.add("x.other.example"), "x");
  EXPECT_EQ(names.add("CC.EVIL.example"), "aabbCC");
  EXPECT_EQ(names.add("evil.example"), "");
  EXPECT_EQ(names.add("evil"), "");
}

TEST(JoinedNames, ForgetsWhatWasHeldBack) {
  JoinedNames names;
  names.add("first.evil.example");
  names.add("second.evil.example");
  names.forget_last();
  EXPECT_EQ(names.add("third.evil.example"), "firstthird");
  names.forget_last();
  names.forget_last();
  EXPECT_EQ(names.add("third.evil.example"), "firstthird");
}

TEST(NameScan, DeniesNoOtherNameForOneThatWasHeldBack) {
  Desk desk;
  desk.ask("half.data.example", true);
  desk.judge(0, nothing_found());
  desk.ask("rest.data.example", true);
  desk.judge(1, found(dlp::ScanVerdict::Outcome::deny, FindingAction::deny));
  desk.ask("plain.data.example", true);
  EXPECT_EQ(desk.scanner.asked.at(2).parts.back(), "names=halfplain");
}

TEST(JoinedNames, KeepsABoundedPastOfABoundedNumberOfDomains) {
  JoinedNames names;
  for (int i = 0; i < 200; ++i) {
    EXPECT_LE(names.add(fmt::format("{:060}.evil.example", i)).size(), kMaxJoinedBytes);
  }
  EXPECT_TRUE(names.add("last.evil.example").ends_with("0199last"));
  for (size_t i = 0; i < kMaxJoinedDomains; ++i) names.add(fmt::format("x.d{}.example", i));
  EXPECT_EQ(names.add("again.evil.example"), "again");
}

TEST(NameScan, HidesTheDomainTooWhereTheSecretReachesIntoIt) {
  struct Case {
    std::string asked;
    uint64_t offset;
    std::string shown;
  };
  for (const auto& [asked, offset, shown] :
       {Case{"www.ghp-secret.example", 4, "[...].example"}, Case{"ghp-secret.example", 0, "[...].example"},
        Case{"ghp-secret", 0, "[...]"}, Case{"ghp-secret.data.example", 0, "[...].data.example"}}) {
    Desk desk;
    desk.ask(asked, false);
    desk.judge(0, found_at(offset));
    EXPECT_EQ(desk.last_name().name, shown);
    EXPECT_EQ(std::get<audit::DlpFinding>(desk.rows[0]).host, shown == "[...]" ? "" : shown.substr(6));
  }
}

TEST(NameScan, NamesNoDomainInASumThatASecretReachedInto) {
  Desk desk;
  desk.ask("www.Ghp-secret.example", false);
  desk.ask("ghp-secret.data.example", false);
  desk.scan.sum_up(sum_about("ghp-secret.example"));
  desk.scan.sum_up(sum_about("data.example"));
  desk.scan.sum_up(sum_about(""));
  desk.judge(0, found_at(4));
  EXPECT_EQ(desk.rows.size(), 2U) << "no sum before the rows of what it sums up";
  desk.judge(1, found_at(0));
  ASSERT_EQ(desk.rows.size(), 7U);
  std::vector<std::string> names;
  for (size_t i = 4; i < 7; ++i) names.push_back(std::get<audit::DnsEvent>(desk.rows[i]).name);
  EXPECT_EQ(names, (std::vector<std::string>{"[...].example", "data.example", ""}));
  EXPECT_EQ(std::get<audit::DnsEvent>(desk.rows[4]).decision.reason, "names below [...].example look like data");
}

TEST(NameScan, NamesNoDomainInTheLastSumsThatNobodyHasLookedThrough) {
  Desk desk;
  desk.ask("a.ghp-secret.example", false);
  auto unread = sum_about("ghp-secret.example"), other = sum_about("data.example");
  desk.scan.veil_last(unread);
  desk.scan.veil_last(other);
  EXPECT_EQ(unread.name, "[...].example");
  EXPECT_EQ(other.name, "data.example");
}

TEST(NameScan, NamesNoDomainInASumWhenThereAreTooManyToKeep) {
  Desk desk;
  for (size_t i = 0; i < kMaxHiddenDomains; ++i) {
    desk.ask(fmt::format("ghp-secret{}.example", i), false);
    desk.judge(i, found_at(0));
  }
  desk.scan.sum_up(sum_about("data.example"));
  EXPECT_EQ(desk.last_name().name, "[...].example");
  desk.scan.sum_up(sum_about(""));
  EXPECT_EQ(desk.last_name().name, "");
}

TEST(NameScan, LooksThroughNamesThatHaveNoRow) {
  Desk desk;
  desk.scan.look("Ghp.data.example", "domain-row");
  desk.ask("after.data.example", true);
  EXPECT_EQ(desk.scanner.asked.at(0).parts, (std::vector<std::string>{"name=Ghp.data.example", "names=Ghp"}));
  desk.judge(0, found(dlp::ScanVerdict::Outcome::deny, FindingAction::deny));
  ASSERT_EQ(desk.rows.size(), 1U) << "the finding and no row of the name";
  const auto& finding = std::get<audit::DlpFinding>(desk.rows[0]);
  EXPECT_EQ(finding.trace_id, "domain-row");
  EXPECT_EQ(finding.host, "data.example");
  EXPECT_EQ(desk.scanner.asked.at(1).parts.at(1), "names=after") << "what was found is denied for once";
  desk.judge(1, nothing_found());
  EXPECT_EQ(desk.outcomes, std::vector<std::string>{"as decided"});
}

TEST(NameScan, LeavesOutWhatNobodyWaitsForWhenThereIsTooMuch) {
  Desk desk;
  for (size_t i = 0; i < 2 * kMaxLooks; ++i) desk.scan.look("n" + std::to_string(i) + ".data.example", "row");
  desk.ask("last.data.example", true);
  size_t scans = 0;
  while (scans < desk.scanner.asked.size()) desk.judge(scans++, nothing_found());
  EXPECT_EQ(scans, kMaxLooks + 1);
  EXPECT_EQ(desk.outcomes.size(), 1U);
}

}  // namespace
}  // namespace gatehouse::dns
