// Where rules are found, and all of a directory's together.
#include "dlp/rule.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "common/base/fd.h"
#include "common/policy/policy.h"
#include "dlp/rule_file.h"

namespace gatehouse::dlp {

namespace {

namespace fs = std::filesystem;

constexpr const char* kInstalledDirectory = "/usr/share/gatehouse/rules";
constexpr int kMaxDirectoriesUp = 6;  // from build/<preset>/bin to the checkout, with room

}  // namespace

Result<std::vector<Rule>> load_rules(const std::string& directory, const std::string& cache_directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".json") files.push_back(entry->path());
  }
  if (error) return fail("{}: {}", directory, error.message());
  if (files.empty()) return fail("{}: there is no rule file (*.json) in it", directory);
  std::sort(files.begin(), files.end());

  PatternInspector inspector(cache_directory);
  std::vector<Rule> rules;
  std::map<std::string, std::string> first;  // where each id stands
  for (const auto& file : files) {
    const auto text = read_file(file, policy::kMaxPolicyBytes);
    if (!text) return failed(text);
    auto parsed = parse_rules(file, *text, inspector);
    if (!parsed) return failed(parsed);
    for (auto& rule : *parsed) {
      const auto [at, is_new] = first.emplace(rule.id, rule.source);
      if (!is_new) return fail("{}: rule '{}': the id is given twice, first at {}", rule.source, rule.id, at->second);
      rules.push_back(std::move(rule));
    }
  }
  inspector.store();
  return rules;
}

Result<std::string> rules_directory() {
  if (const char* set = std::getenv("GATEHOUSE_RULES"); set != nullptr && *set != '\0') return std::string(set);
  std::error_code error;
  fs::path at = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int up = 0; up < kMaxDirectoriesUp && !at.empty(); ++up, at = at.parent_path()) {
    if (fs::is_directory(at / "dlp" / "rules", error)) return (at / "dlp" / "rules").string();
  }
  if (fs::is_directory(kInstalledDirectory, error)) return std::string(kInstalledDirectory);
  return fail("the shipped rules are not found; set GATEHOUSE_RULES to their directory");
}

}  // namespace gatehouse::dlp
