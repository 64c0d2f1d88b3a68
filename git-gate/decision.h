// What a push comes to once everything in it has been looked at. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/git/gate_protocol.h"
#include "common/policy/policy.h"
#include "git-gate/base.h"
#include "git-gate/object_scan.h"

namespace gatehouse::git_gate {

// The whole push is refused for one reason that is no ref's own. Refs are named as far as `scan` has seen them: what
// the scanner has not seen, or found something in, is for no log. Null: it has seen nothing.
git::PushVerdict refusal(const git::PushHead& head, std::string rule, std::string reason, const ObjectScan* scan);

// What the scanner has found, with what the policy makes of it there.
std::vector<git::PushFinding> judged_findings(const policy::Policy& policy, const git::PushQuestion& question,
                                              const ObjectScan& scan);

// What is known when it is decided. All outlive the decision.
struct Evidence {
  const ObjectScan& scan;       // done
  const Base* base = nullptr;   // of the remote, once it has been asked
  bool takes_unproved = false;  // as if whatever the base may prove were proved: is there any use in asking?
};

// One refused ref refuses the whole push; so does a finding that denies, or a complaint.
git::PushVerdict decide(const policy::Policy& policy, const git::PushQuestion& question, const git::PushHead& head,
                        const policy::GitTerms& terms, const Evidence& evidence);

}  // namespace gatehouse::git_gate
