// What a push comes to once everything in it has been looked at. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/git/gate_protocol.h"
#include "common/policy/policy.h"
#include "git-gate/base.h"
#include "git-gate/object_scan.h"

namespace gatehouse::git_gate {

// The whole push is refused for one reason that is no ref's own.
git::PushVerdict refusal(const git::PushHead& head, std::string rule, std::string reason);

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
