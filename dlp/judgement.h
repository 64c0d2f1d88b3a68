// Makes a verdict of what was found in a stream, by the policy. Passive.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/dlp/finding.h"
#include "common/policy/policy.h"

namespace gatehouse::dlp {

using JudgeFinding = std::function<policy::FindingDecision(const policy::FindingQuestion&)>;

// A finding that is to be redacted is overwritten where that is possible: it lies open (no decoding) in a body without
// content encoding, in the path, or in the value of a header, trailer, cookie or query parameter. Elsewhere it is denied,
// with words. Of a parameter
// that is redacted its copy in "query", all parameters joined, is not denied too.
//
// No location that is reported shows more of a secret than its prefix: the guest may well use one as a name.
class StreamJudgement {
 public:
  // `judge` outlives the judgement.
  StreamJudgement(const JudgeFinding& judge, std::string host);

  // Parts in their order, each before the findings in it.
  void begin_part(const PartInfo& part);
  void add(Finding finding);

  // What was added since the last one; a stream that was denied once stays denied. `dropped` findings of the whole
  // stream were not added, each of the same rule and severity as one that was.
  ScanVerdict take(uint64_t dropped = 0);

 private:
  struct Kept {
    Finding finding;
    uint64_t times = 1;
  };
  // Which secret, for telling whether two findings are about the same one.
  using Secret = std::pair<std::string, std::string>;  // rule, fingerprint

  bool can_overwrite(const Finding& finding) const;
  void overwrite(const Finding& finding);
  void settle_joined();
  void keep(Finding finding);
  void merge_redactions();
  void deny_instead(std::string_view words);
  std::vector<Finding> report();

  const JudgeFinding& judge_;
  const std::string host_;
  std::vector<bool> plain_parts_;  // may be overwritten
  bool denied_ = false;
  bool redacted_ = false;  // something of the stream
  uint64_t dropped_ = 0;   // of the stream, as said last
  // Since the last verdict:
  std::vector<Kept> kept_;  // strictest first, at most kMaxFindings
  uint64_t omitted_ = 0;
  std::vector<Redaction> redactions_;
  std::vector<Finding> joined_;                // in "query", to be redacted
  std::map<Secret, uint64_t> redacted_query_;  // in "query:...", how often
};

}  // namespace gatehouse::dlp
