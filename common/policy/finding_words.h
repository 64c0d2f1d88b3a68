// The words for what the scanner finds that a policy knows by itself.
#pragma once

#include <string_view>
#include <vector>

#include "common/policy/policy.h"

namespace gatehouse::policy {

// Lower-case letters, digits and '-', 1 to 64 of them: what a rule file may call a rule.
bool is_finding_rule_id(std::string_view text);

bool is_finding_category(std::string_view text);

// Why a rule or category can never be exempted, or ""; to go after "cannot be exempted: ".
std::string_view why_never_exempt(std::string_view rule_or_category);

// Whether it stands for something that was not scanned at all: never less than what its rule asks for.
bool is_unscanned(std::string_view rule_or_category);

// Nothing if the scanner has such a rule, else "the scanner has no rule 'x'; did you mean 'y'?".
Result<void> check_rule(std::string_view rule, const std::vector<FindingRule>& rules);

// What is known of a rule from `rules` or the built-in ones; of any other, no category and severity deny.
FindingRule facts_of(std::string_view rule, const std::vector<FindingRule>& rules);

}  // namespace gatehouse::policy
