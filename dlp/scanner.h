// What the scanner is loaded with, once, while it still has files: rules and known secrets. Shared by all threads;
// nothing in it changes but the ledger of what was seen of each secret, the score of what each destination was sent,
// and the limits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/in_force.h"
#include "common/base/result.h"
#include "common/policy/policy.h"
#include "dlp/exfiltration.h"
#include "dlp/known_secrets.h"
#include "dlp/ledger.h"
#include "dlp/rule_table.h"
#include "dlp/session.h"

namespace gatehouse::dlp {

class Scanner {
 public:
  struct Sources {
    std::string rules;    // folder; empty: rules_directory()
    std::string secrets;  // FILE or fd:N; empty: none are known
    std::string cache;    // folder; empty: none
  };

  // Refused: whatever load_rules(), RuleTables::build() and KnownSecrets::load() refuse, and a policy that names a rule
  // there is not.
  static Result<std::unique_ptr<Scanner>> load(const Sources& sources, const policy::Policy& policy);

  // Refuses a policy that names a rule there is not.
  Result<void> check(const policy::Policy& policy) const { return policy.check_finding_rules(facts_); }
  // Of streams that are opened from now on. From any thread.
  void set_limits(const policy::Limits& limits) { limits_.set(std::make_shared<const policy::Limits>(limits)); }

  // One for each of so many threads. The scanner outlives them and what they make.
  Result<std::vector<OpenScan>> open_scans(size_t threads);

  // "221 rules outbound, 12 inbound, 3 secrets".
  std::string describe() const;

 private:
  Scanner(std::vector<policy::FindingRule> facts, RuleTables rules, KnownSecrets secrets, const policy::Limits& limits);
  Result<OpenScan> open_scan();

  const std::vector<policy::FindingRule> facts_;  // of rules_
  const RuleTables rules_;
  const KnownSecrets secrets_;
  InForce<policy::Limits> limits_;
  FragmentLedger ledger_;
  ExfiltrationScore score_;
};

}  // namespace gatehouse::dlp
