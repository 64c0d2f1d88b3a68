#include "common/policy/public_suffix.h"

#include <libpsl.h>

#include <memory>
#include <string_view>
#include <vector>

#include "common/base/fd.h"

namespace gatehouse::policy {

namespace {

constexpr const char* kListFile = "/usr/share/publicsuffix/public_suffix_list.dat";
constexpr size_t kMaxListBytes = 16 << 20;

struct FreeList {
  void operator()(psl_ctx_t* list) const { psl_free(list); }
};

const psl_ctx_t* suffix_list() {
  static const std::unique_ptr<psl_ctx_t, FreeList> list(psl_latest(nullptr));
  return list.get();
}

// Every rule of the list as text. libpsl answers whether a name is a suffix, not which suffixes lie below a name.
const Result<std::vector<std::string>>& suffix_rules() {
  static const Result<std::vector<std::string>> rules = []() -> Result<std::vector<std::string>> {
    const auto text = read_file(kListFile, kMaxListBytes);
    if (!text) return failed(text, "the public suffix list is needed to judge '**' (package publicsuffix)");
    std::vector<std::string> lines;
    for (std::string_view rest = *text; !rest.empty();) {
      const size_t newline = std::min(rest.find('\n'), rest.size() - 1);
      std::string_view line = rest.substr(0, newline + 1);
      rest.remove_prefix(newline + 1);
      line = line.substr(0, line.find_first_of(" \t\r\n"));
      if (!line.empty() && !line.starts_with("//") && !line.starts_with('!')) lines.emplace_back(line);
    }
    return lines;
  }();
  return rules;
}

}  // namespace

Result<std::string> covered_public_suffix(const std::string& base, bool any_depth) {
  const psl_ctx_t* list = suffix_list();
  if (list == nullptr) return fail("the public suffix list cannot be read (package publicsuffix)");
  if (psl_is_public_suffix2(list, base.c_str(), PSL_TYPE_ANY) != 0) return base;
  // A rule "*.base" of the list makes every child of base a suffix.
  if (psl_is_public_suffix2(list, ("any-name." + base).c_str(), PSL_TYPE_ANY) != 0) return "*." + base;
  if (!any_depth) return std::string();

  const auto& rules = suffix_rules();
  if (!rules) return failed(rules);
  const std::string below = "." + base;
  for (const auto& rule : *rules) {
    if (rule.ends_with(below)) return rule;
  }
  return std::string();
}

}  // namespace gatehouse::policy
