#include "dlp/judgement.h"

#include <gmock/gmock.h>

#include <cstring>

#include "common/dlp/protocol.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Outcome = ScanVerdict::Outcome;

// What a policy that follows the rules' severities says, but for one exemption.
const JudgeFinding kJudge = [](const policy::FindingQuestion& question) -> policy::FindingDecision {
  if (question.rule == "exempted") return {FindingAction::exempt, "docs at " + std::string(question.host), ""};
  return {question.severity, "", ""};
};

Finding found(FindingAction severity, uint32_t part, const std::string& location, uint64_t offset, uint64_t length,
              const std::string& secret = "ghp_AAAA") {
  Finding finding;
  finding.rule = "github-pat";
  finding.category = "credentials";
  finding.severity = severity;
  finding.part = part;
  finding.location = location;
  finding.offset = offset;
  finding.length = length;
  finding.prefix = secret.substr(0, kPrefixBytes);
  finding.fingerprint = "hash of " + secret;
  return finding;
}

std::vector<std::string> spans(const ScanVerdict& verdict) {
  std::vector<std::string> said;
  for (const auto& [part, offset, length] : verdict.redactions) {
    said.push_back(fmt::format("{}: {}+{}", part, offset, length));
  }
  return said;
}

std::string outcome(const ScanVerdict& verdict) {
  return verdict.outcome == Outcome::allow ? "allow" : verdict.outcome == Outcome::redact ? "redact" : "deny";
}

class StreamJudgementTest : public testing::Test {
 protected:
  // Parts by their locations; one that ends in '~' has a content encoding.
  void parts(const std::vector<std::string>& locations) {
    for (std::string location : locations) {
      const bool encoded = location.ends_with('~');
      if (encoded) location.pop_back();
      judgement_.begin_part({location, "", encoded ? "gzip" : ""});
    }
  }
  StreamJudgement judgement_{kJudge, "docs.example"};
};

TEST_F(StreamJudgementTest, DeniesWhenAnyFindingDenies) {
  parts({"body"});
  judgement_.add(found(FindingAction::warn, 0, "body", 0, 4));
  judgement_.add(found(FindingAction::redact, 0, "body", 10, 4));
  judgement_.add(found(FindingAction::deny, 0, "body", 20, 4));
  const auto verdict = judgement_.take();
  EXPECT_EQ(outcome(verdict), "deny");
  EXPECT_THAT(spans(verdict), IsEmpty());
  ASSERT_EQ(verdict.findings.size(), 3U);
  EXPECT_EQ(verdict.findings[0].action, FindingAction::deny);
  EXPECT_EQ(verdict.findings[1].action, FindingAction::redact);
  EXPECT_EQ(verdict.findings[2].action, FindingAction::warn);
}

TEST_F(StreamJudgementTest, LetsPassWhatIsWarnedOfOrExempted) {
  parts({"body"});
  judgement_.add(found(FindingAction::warn, 0, "body", 0, 4));
  Finding exempted = found(FindingAction::deny, 0, "body", 0, 4);
  exempted.rule = "exempted";
  judgement_.add(exempted);
  const auto verdict = judgement_.take();
  EXPECT_EQ(outcome(verdict), "allow");
  ASSERT_EQ(verdict.findings.size(), 2U);
  EXPECT_EQ(verdict.findings[1].exemption, "docs at docs.example");
}

TEST_F(StreamJudgementTest, OverwritesOnlyWhatLiesOpen) {
  const struct {
    const char* part;
    const char* location;
    const char* path;
    uint64_t length;
    const char* outcome;
  } cases[] = {
      {"body", "body", "", 8, "redact"},
      {"header:x-key", "header:x-key", "", 8, "redact"},
      {"query:q", "query:q", "", 8, "redact"},
      {"body~", "body", "", 8, "deny"},
      {"body", "body", "base64", 0, "deny"},
      {"body", "body", "", 0, "deny"},
      {"header:x-key", "header:x-key", "base64", 0, "deny"},
      {"path", "path", "", 8, "redact"},
      {"cookie:sid", "cookie:sid", "", 8, "redact"},
      {"trailer:x-sum", "trailer:x-sum", "", 8, "redact"},
      {"path", "path", "percent", 0, "deny"},
      {"header-name", "header-name", "", 8, "redact"},
      {"query", "query", "", 8, "redact"},
      {"head", "head", "", 8, "redact"},
      {"name", "name", "", 8, "deny"},
      {"names", "names", "", 8, "deny"},
  };
  for (const auto& c : cases) {
    StreamJudgement judgement(kJudge, "host");
    const bool encoded = std::string(c.part).ends_with('~');
    judgement.begin_part({std::string(c.part, std::strlen(c.part) - (encoded ? 1 : 0)), "", encoded ? "gzip" : ""});
    Finding finding = found(FindingAction::redact, 0, c.location, 3, c.length);
    finding.path = c.path;
    judgement.add(finding);
    const auto verdict = judgement.take();
    EXPECT_EQ(outcome(verdict), c.outcome) << c.part << " " << c.path;
    if (verdict.outcome == Outcome::redact) {
      EXPECT_THAT(spans(verdict), ElementsAre("0: 3+8"));
    } else {
      EXPECT_THAT(verdict.findings.at(0).detail, HasSubstr("cannot be overwritten there"));
    }
  }
}

TEST_F(StreamJudgementTest, MergesWhatOverlapsAndPutsItInOrder) {
  parts({"header:a", "body"});
  const struct {
    uint32_t part;
    const char* location;
    uint64_t offset, length;
  } found_at[] = {{1, "body", 30, 10}, {1, "body", 10, 5}, {0, "header:a", 0, 4}, {1, "body", 12, 10},
                  {1, "body", 22, 2},  {1, "body", 11, 1}, {0, "header:a", 5, 4}};
  for (const auto& at : found_at)
    judgement_.add(found(FindingAction::redact, at.part, at.location, at.offset, at.length));
  EXPECT_THAT(spans(judgement_.take()), ElementsAre("0: 0+4", "0: 5+4", "1: 10+14", "1: 30+10"));
}

TEST_F(StreamJudgementTest, ReportsTheSameThingOnce) {
  parts({"body"});
  for (uint64_t i = 0; i < 100; ++i) judgement_.add(found(FindingAction::deny, 0, "body", i * 50, 40));
  const auto verdict = judgement_.take();
  ASSERT_EQ(verdict.findings.size(), 1U);
  EXPECT_EQ(verdict.findings[0].offset, 0U);
  EXPECT_EQ(verdict.findings[0].detail, "100 times");
}

TEST_F(StreamJudgementTest, ReportsTheStrictestAndCountsTheRest) {
  parts({"body"});
  for (uint64_t i = 0; i < 100; ++i) {
    judgement_.add(found(FindingAction::warn, 0, "body", i * 50, 40, fmt::format("{:08}", i)));
  }
  judgement_.add(found(FindingAction::deny, 0, "body", 9000, 40));
  const auto verdict = judgement_.take();
  ASSERT_EQ(verdict.findings.size(), kMaxFindings);
  EXPECT_EQ(verdict.findings.front().action, FindingAction::deny);
  EXPECT_EQ(verdict.findings.back().detail, "and 69 findings more");
}

TEST_F(StreamJudgementTest, NamesAFragmentAfterWhatItIsPartOf) {
  parts({"body"});
  for (const char* rule : {"secret-fragment", "known-secret"}) {
    Finding finding = found(FindingAction::deny, 0, "body", 0, 20);
    finding.rule = rule;
    judgement_.add(finding);
  }
  EXPECT_EQ(judgement_.take().findings.at(0).rule, "known-secret");
}

TEST_F(StreamJudgementTest, DeniesWhatWouldHaveToBeOverwrittenEverywhere) {
  parts({"body"});
  for (uint64_t i = 0; i <= kMaxRedactions; ++i) judgement_.add(found(FindingAction::redact, 0, "body", i * 50, 40));
  const auto verdict = judgement_.take();
  EXPECT_EQ(outcome(verdict), "deny");
  EXPECT_EQ(verdict.findings.front().action, FindingAction::deny);
  EXPECT_THAT(verdict.findings.front().detail, HasSubstr("more than 1024 places to overwrite"));
  for (uint64_t i = 0; i <= 10 * kMaxRedactions; ++i)
    judgement_.add(found(FindingAction::redact, 0, "body", i * 50, 40));
  EXPECT_EQ(outcome(judgement_.take()), "deny");
}

TEST_F(StreamJudgementTest, DeniesWhenSomethingToBeOverwrittenMayHaveBeenDropped) {
  parts({"body"});
  judgement_.add(found(FindingAction::warn, 0, "body", 0, 4));
  const auto warned = judgement_.take(7);
  EXPECT_EQ(outcome(warned), "allow");
  EXPECT_EQ(warned.findings.at(0).detail, "and 7 findings more");
  judgement_.add(found(FindingAction::redact, 0, "body", 10, 4));
  EXPECT_EQ(outcome(judgement_.take(7)), "redact");
  EXPECT_EQ(outcome(judgement_.take(7)), "allow");
  EXPECT_EQ(outcome(judgement_.take(8)), "deny");
}

TEST_F(StreamJudgementTest, SaysWhatIsNewAndStaysDenied) {
  parts({"body"});
  judgement_.add(found(FindingAction::redact, 0, "body", 0, 4));
  EXPECT_EQ(outcome(judgement_.take()), "redact");
  EXPECT_EQ(outcome(judgement_.take()), "allow");
  judgement_.add(found(FindingAction::deny, 0, "body", 0, 4));
  EXPECT_EQ(outcome(judgement_.take()), "deny");
  const auto later = judgement_.take();
  EXPECT_EQ(outcome(later), "deny");
  EXPECT_THAT(later.findings, IsEmpty());
}

TEST_F(StreamJudgementTest, ShowsNoSecretThatServesAsAName) {
  const struct {
    const char* location;
    const char* shown;
  } cases[] = {
      {"header-name:ghp_AAAABBBBCCCC", "header-name:ghp_..."},
      {"query-name:Z2hwX0FBQUE", "query-name:Z2hw..."},
      {"query:ghp_AAAABBBBCCCC", "query:ghp_..."},
      {"body/file:my ghp_AAAABBBBCCCC.txt", "body/file:my ghp_..."},
      {"query:token", "query:token"},
      {"body", "body"},
  };
  for (const auto& c : cases) {
    parts({c.location});
    judgement_.add(found(FindingAction::deny, 0, c.location, 0, 16));
    EXPECT_EQ(judgement_.take().findings.at(0).location, c.shown);
  }
}

}  // namespace
}  // namespace gatehouse::dlp
