#include "common/policy/finding_words.h"

#include <algorithm>

#include "common/policy/field_reader.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kCategories[] = {"credentials", "private-keys",  "personal-data", "entropy",
                                            "injection",   "known-secrets", "canaries",      "limits"};

}  // namespace

std::span<const std::string_view> finding_categories() { return kCategories; }

const std::vector<FindingRule>& built_in_finding_rules() {
  static const std::vector<FindingRule> rules = {
      {"known-secret", "known-secrets", FindingAction::deny},
      {"secret-fragment", "known-secrets", FindingAction::deny},
      {"placeholder", "known-secrets", FindingAction::deny},
      {"canary", "canaries", FindingAction::deny},
      {"seed-phrase", "credentials", FindingAction::deny},
      {"decode-budget", "limits", FindingAction::deny},
      {"entropy-exfiltration", "entropy", FindingAction::warn},
  };
  return rules;
}

bool is_finding_rule_id(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= kMaxIdBytes && std::all_of(text.begin(), text.end(), allowed);
}

bool is_finding_category(std::string_view text) {
  return std::find(std::begin(kCategories), std::end(kCategories), text) != std::end(kCategories);
}

std::string_view why_never_exempt(std::string_view rule_or_category) {
  if (is_unscanned(rule_or_category)) return "what is over a limit was not scanned";
  if (rule_or_category == "canary" || rule_or_category == "canaries") return "a canary has no business anywhere";
  return {};
}

Result<void> check_rule(std::string_view rule, const std::vector<FindingRule>& rules) {
  std::vector<std::string_view> words(std::begin(kCategories), std::end(kCategories));
  for (const auto* list : {&rules, &built_in_finding_rules()}) {
    for (const auto& known : *list) {
      if (known.id == rule) return {};
      words.push_back(known.id);
    }
  }
  return fail("the scanner has no rule '{}'{}", rule, suggest(rule, words));
}

FindingRule facts_of(std::string_view rule, const std::vector<FindingRule>& rules) {
  for (const auto* list : {&rules, &built_in_finding_rules()}) {
    const auto found = std::find_if(list->begin(), list->end(), [&](const FindingRule& r) { return r.id == rule; });
    if (found != list->end()) return *found;
  }
  return {std::string(rule), {}, FindingAction::deny};
}

bool is_unscanned(std::string_view rule_or_category) {
  return rule_or_category == "limits" || rule_or_category == "decode-budget";
}

}  // namespace gatehouse::policy
