// Reads one rule file of several.
#pragma once

#include <string>
#include <vector>

#include "dlp/rule.h"
#include "dlp/rule_pattern.h"

namespace gatehouse::dlp {

Result<std::vector<Rule>> parse_rules(const std::string& name, const std::string& text, PatternInspector& inspector);

}  // namespace gatehouse::dlp
