#include <gtest/gtest.h>

#include "common/dlp/client.h"

namespace gatehouse::dlp {
namespace {

TEST(Describe, SaysWhatWhereAndHow) {
  const struct {
    const char* title;
    const char* prefix;
    const char* location;
    const char* path;
    const char* detail;
    const char* said;
  } cases[] = {
      {"GitHub personal access token", "ghp_", "body", "gzip>json>base64", "",
       "a GitHub personal access token (ghp_...) in the body, encoded as gzip>json>base64"},
      {"AWS access key", "AKIA", "query:token", "", "", "an AWS access key (AKIA...) in query parameter token"},
      {"OpenAI key", "sk-p", "header:x-key", "", "", "an OpenAI key (sk-p...) in header x-key"},
      {"US social security number", "1234", "cookie:sid", "", "",
       "a US social security number (1234...) in cookie sid"},
      {"npm token", "npm_", "trailer:x-sum", "", "", "an npm token (npm_...) in trailer x-sum"},
      {"SSN", "", "path", "", "", "an SSN in the path"},
      {"npm token", "npm_", "header-name:npm_AAAA", "", "", "an npm token (npm_...) in the name of a header"},
      {"known secret", "hunt", "query", "", "with pieces sent to a.example",
       "a known secret (hunt...) in the query parameters joined, with pieces sent to a.example"},
      {"canary", "cnry", "name", "base32", "", "a canary (cnry...) in the name asked for, encoded as base32"},
      {"key\n\x1b[2J", "a\x01\x62\x63more", "header:\x1b", "", "", "a key\\x0a\\x1b[2J (a\\x01bc...) in header \\x1b"},
  };
  for (const auto& c : cases) {
    Finding finding;
    finding.title = c.title;
    finding.prefix = c.prefix;
    finding.location = c.location;
    finding.path = c.path;
    finding.detail = c.detail;
    EXPECT_EQ(describe(finding), c.said);
  }
}

TEST(Describe, FallsBackOnTheRule) {
  Finding finding;
  finding.rule = "decode-budget";
  finding.location = "body";
  EXPECT_EQ(describe(finding), "a decode-budget in the body");
}

}  // namespace
}  // namespace gatehouse::dlp
