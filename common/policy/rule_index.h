// From a host to the rules that speak of it, without looking at the others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/policy/host_pattern.h"

namespace gatehouse::policy {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using TextSet = std::unordered_set<std::string, TextHash, std::equal_to<>>;

class RuleIndex {
 public:
  void add(const HostPattern& pattern, uint32_t rule) {
    auto& rules = by_name_[pattern.name];
    (pattern.kind == HostPattern::Kind::exact       ? rules.exact
     : pattern.kind == HostPattern::Kind::one_label ? rules.one_label
                                                    : rules.any_depth)
        .push_back(rule);
  }

  // Calls `use(rule)` for every pattern that matches; a rule with two matching patterns comes twice. Allocates nothing.
  template <class Use>
  void for_each(std::string_view host, Use use) const {
    visit(host, &Rules::exact, use);
    size_t dot = host.find('.');
    if (dot == std::string_view::npos) return;
    visit(host.substr(dot + 1), &Rules::one_label, use);
    for (; dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
      visit(host.substr(dot + 1), &Rules::any_depth, use);
    }
  }

 private:
  struct Rules {
    std::vector<uint32_t> exact;
    std::vector<uint32_t> one_label;
    std::vector<uint32_t> any_depth;
  };

  template <class Use>
  void visit(std::string_view name, std::vector<uint32_t> Rules::*list, Use& use) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return;
    for (const uint32_t rule : found->second.*list) use(rule);
  }

  std::unordered_map<std::string, Rules, TextHash, std::equal_to<>> by_name_;
};

}  // namespace gatehouse::policy
