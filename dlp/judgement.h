// Makes a verdict of what was found in a stream, by the policy. Passive.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/dlp/finding.h"
#include "common/policy/policy.h"

namespace gatehouse::dlp {

using JudgeFinding = std::function<policy::FindingDecision(const policy::FindingQuestion&)>;

// A finding that is to be redacted is overwritten where that is possible: it lies open (no decoding) in a part that is
// not encoded as a whole and no DNS name. Elsewhere it is denied, with words. The gate denies where it finds that it
// cannot overwrite after all.
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

  bool can_overwrite(const Finding& finding) const;
  void overwrite(const Finding& finding);
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
};

}  // namespace gatehouse::dlp
