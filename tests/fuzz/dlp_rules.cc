// Whatever a rule file says, reading it ends in rules that keep their promises or in an error with a message.
#include <cstdlib>
#include <string>

#include "dlp/rule.h"
#include "dlp/rule_pattern.h"
#include "dlp/validator.h"

namespace {

using namespace gatehouse::dlp;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto rules = parse_rules("rules.json", std::string(reinterpret_cast<const char*>(data), size));
  if (!rules) {
    require(rules.error().message().starts_with("rules.json:"));
    return 0;
  }
  for (const Rule& rule : *rules) {
    require(!rule.id.empty() && !rule.title.empty() && !rule.examples.empty());
    const auto info = inspect_pattern(rule.pattern);
    require(info && info->min_width > 0 && rule.group <= info->groups);
    require(rule.validator.empty() || find_validator(rule.validator) != nullptr);
    for (const auto& keyword : rule.keywords) require(keyword.size() >= 3);
  }
  return 0;
}
