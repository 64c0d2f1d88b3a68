// What a push comes to once everything in it has been looked at. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/git/gate_protocol.h"
#include "common/policy/policy.h"
#include "git-gate/object_scan.h"

namespace gatehouse::git_gate {

// The whole push is refused for one reason that is no ref's own.
git::PushVerdict refusal(const git::PushHead& head, std::string rule, std::string reason);

// One refused ref refuses the whole push; so does a finding that denies, or a complaint. `scan` is done.
git::PushVerdict decide(const policy::Policy& policy, const git::PushQuestion& question, const git::PushHead& head,
                        const policy::GitTerms& terms, const ObjectScan& scan);

}  // namespace gatehouse::git_gate
