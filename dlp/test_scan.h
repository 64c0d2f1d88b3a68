// A scan for tests of what is around it: every 'S' of a part is a finding to be redacted, every 'D' one to be denied.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "dlp/session.h"

namespace gatehouse::dlp {

class LetterScan final : public StreamScan {
 public:
  // `notes`, if any, gets a word on everything that happens.
  explicit LetterScan(const StreamInfo& stream, std::string* notes = nullptr) : notes_(notes) {
    note(fmt::format("open {} {} {}", stream.channel, to_string(stream.direction), stream.host));
  }
  ~LetterScan() override { note("gone"); }

  void part(const PartInfo& part) override {
    note("part " + part.location);
    part_ = parts_++;
    location_ = part.location;
    offset_ = 0;
  }
  void write(std::string_view bytes) override {
    note(fmt::format("data {}", bytes));
    for (const char c : bytes) {
      if (c == 'S' || c == 'D') add(c == 'S' ? FindingAction::redact : FindingAction::deny);
      ++offset_;
    }
  }
  void finish() override { note("finish"); }
  std::vector<Finding> take_findings() override { return std::exchange(found_, {}); }
  uint64_t dropped() const override { return 0; }

 private:
  void note(const std::string& word) {
    if (notes_ != nullptr) *notes_ += word + "\n";
  }
  void add(FindingAction severity) {
    Finding finding;
    finding.rule = severity == FindingAction::redact ? "letter-s" : "letter-d";
    finding.severity = severity;
    finding.part = part_;
    finding.location = location_;
    finding.offset = offset_;
    finding.length = 1;
    found_.push_back(std::move(finding));
  }

  std::string* notes_;
  std::vector<Finding> found_;
  std::string location_;
  uint32_t part_ = 0, parts_ = 0;
  uint64_t offset_ = 0;
};

// As a policy judges that says nothing of its own.
inline const JudgeFinding kJudgeBySeverity = [](const policy::FindingQuestion& question) -> policy::FindingDecision {
  return {question.severity, "", ""};
};

}  // namespace gatehouse::dlp
