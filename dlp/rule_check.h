// Whether rules find their examples, and nothing in their negative ones: `gatehouse dlp rules check`.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "dlp/rule.h"

namespace gatehouse::dlp {

struct RuleCheck {
  size_t samples = 0;                 // examples and negative ones
  std::vector<std::string> failures;  // "cloud.json:12: aws-access-key: example 2 is not found", one line each
};

// Runs every sample through the engine as the gate does, all rules of its direction together. An error when the rules
// do not compile.
Result<RuleCheck> check_rules(const std::vector<Rule>& rules);

}  // namespace gatehouse::dlp
