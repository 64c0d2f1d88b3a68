// The scanner's rules, as far as policies name them.
#pragma once

#include <vector>

#include "common/policy/policy.h"

namespace gatehouse::launcher {

// All rules of the rule files that the scanner of this installation reads.
Result<std::vector<policy::FindingRule>> scanner_rules();

}  // namespace gatehouse::launcher
