#include "launcher/scanner_rules.h"

#include "dlp/rule.h"

namespace gatehouse::launcher {

Result<std::vector<policy::FindingRule>> scanner_rules() {
  const auto directory = dlp::rules_directory();
  if (!directory) return failed(directory);
  const auto rules = dlp::load_rules(*directory);
  if (!rules) return failed(rules);
  std::vector<policy::FindingRule> known;
  for (const auto& rule : *rules) known.push_back({rule.id, rule.category, rule.severity});
  return known;
}

}  // namespace gatehouse::launcher
