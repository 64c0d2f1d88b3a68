#include "launcher/gitleaks_import.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1  // Debian's shared library is the one that throws
#include <re2/re2.h>
#include <toml++/toml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/base/log.h"

namespace gatehouse::launcher {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMinKeywordBytes = 3;

// Ours are lower case, digits and '-'.
std::string id_of(std::string_view text) {
  std::string id;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      id += c;
    } else if (c >= 'A' && c <= 'Z') {
      id += static_cast<char>(c + ('a' - 'A'));
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  while (id.ends_with('-')) id.pop_back();
  return id;
}

std::vector<std::string> strings(const toml::table& table, std::string_view key) {
  std::vector<std::string> list;
  if (const auto* array = table[key].as_array()) {
    for (const auto& item : *array) {
      if (const auto text = item.value<std::string>()) list.push_back(*text);
    }
  }
  return list;
}

// As one that must match the whole secret.
std::string anywhere(const std::string& pattern) { return "(?s:.*)(?:" + pattern + ")(?s:.*)"; }

class Importer {
 public:
  explicit Importer(std::string name) : name_(std::move(name)) {}

  Result<ImportedRules> run(const toml::table& root) {
    const auto* list = root["rules"].as_array();
    if (list == nullptr || list->empty()) return fail("{}: holds no [[rules]]", name_);
    for (const auto* key : {"allowlist", "allowlists"}) {
      if (const auto* node = root.get(key)) note(*node, "", "the allow list for all rules is left out");
    }
    if (const auto* node = root.get("extend")) note(*node, "", "'extend' is left out: import that file too");
    Json rules = Json::array();
    for (const auto& node : *list) {
      const auto* table = node.as_table();
      if (table == nullptr) return fail("{}: a rule is no table", at(node));
      auto rule = read_rule(*table);
      if (!rule) return failed(rule);
      if (*rule) rules.push_back(std::move(**rule));
    }
    if (rules.empty()) return fail("{}: none of its rules has a regex", name_);
    imported_.rules = rules.size();
    imported_.json = Json{{"rules", std::move(rules)}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    return std::move(imported_);
  }

 private:
  std::string at(const toml::node& node) const {
    return fmt::format("{}:{}:{}", name_, node.source().begin.line, node.source().begin.column);
  }
  void note(const toml::node& node, std::string_view id, std::string_view what) {
    imported_.notes.push_back(id.empty() ? fmt::format("{}: {}", at(node), what)
                                         : fmt::format("{}: {}: {}", at(node), id, what));
  }

  Result<std::optional<Json>> read_rule(const toml::table& table) {
    const auto written_id = table["id"].value<std::string>();
    if (!written_id) return fail("{}: the rule has no 'id'", at(table));
    const std::string id = id_of(*written_id);
    if (id.empty()) return fail("{}: '{}' holds nothing of an id", at(table), log::printable(*written_id, 64));
    if (!ids_.insert(id).second) return fail("{}: two rules have the id '{}'", at(table), id);
    const auto pattern = table["regex"].value<std::string>();
    if (!pattern) {
      note(table, id, "looks at paths only and is left out");
      return std::nullopt;
    }
    const RE2 compiled(*pattern, RE2::Latin1);
    if (!compiled.ok()) return fail("{}: {}: {}", at(*table.get("regex")), id, compiled.error());
    const int64_t written_group = table["secretGroup"].value_or(int64_t{0});
    const int groups = compiled.NumberOfCapturingGroups();
    if (written_group < 0 || written_group > groups) {
      return fail("{}: {}: the regex has no group {}", at(*table.get("secretGroup")), id, written_group);
    }
    const int64_t group = written_group > 0 ? written_group : std::min(groups, 1);

    Json rule{{"id", id},
              {"title", table["description"].value_or(id)},
              {"category", "credentials"},
              {"pattern", *pattern},
              {"group", group},
              {"keywords", keywords(table, id)},
              {"severity", "block"}};
    if (const double entropy = table["entropy"].value_or(0.0); entropy > 0) rule["entropy"] = entropy;
    if (auto allow = allowed(table, id); !allow.empty()) rule["allow"] = std::move(allow);
    rule["examples"] = Json::array();
    return rule;
  }

  std::vector<std::string> keywords(const toml::table& table, const std::string& id) {
    auto list = strings(table, "keywords");
    if (std::any_of(list.begin(), list.end(), [](const auto& word) { return word.size() < kMinKeywordBytes; })) {
      note(*table.get("keywords"), id, "a keyword is under 3 bytes, so that the pattern is looked for everywhere");
      list.clear();
    }
    return list;
  }

  std::vector<std::string> allowed(const toml::table& table, const std::string& id) {
    std::vector<std::string> allow;
    if (const auto* single = table["allowlist"].as_table()) add_allowed(*single, id, allow);
    if (const auto* list = table["allowlists"].as_array()) {
      for (const auto& node : *list) {
        if (const auto* one = node.as_table()) add_allowed(*one, id, allow);
      }
    }
    return allow;
  }

  void add_allowed(const toml::table& list, const std::string& id, std::vector<std::string>& allow) {
    const bool about_secret = list["regexTarget"].value_or(std::string("secret")) == "secret";
    const bool narrowed = list.contains("paths") || list.contains("commits");
    // "AND" allows what all of its conditions hold for: without those that we lack it would allow more.
    const bool all_of_them = list["condition"].value_or(std::string("OR")) == "AND";
    if (narrowed || !about_secret) note(list, id, "allow lists by path, commit, line or match are left out");
    if (all_of_them && (narrowed || !about_secret)) return;
    if (about_secret) {
      for (const auto& pattern : strings(list, "regexes")) allow.push_back(anywhere(pattern));
    }
    for (const auto& word : strings(list, "stopwords")) allow.push_back(anywhere("(?i:" + RE2::QuoteMeta(word) + ")"));
  }

  std::string name_;
  ImportedRules imported_;
  std::set<std::string> ids_;
};

}  // namespace

Result<ImportedRules> import_gitleaks(const std::string& name, const std::string& toml) {
  const auto parsed = toml::parse(toml, name);
  if (!parsed) {
    const auto& place = parsed.error().source().begin;
    return fail("{}:{}:{}: {}", name, place.line, place.column, parsed.error().description());
  }
  return Importer(name).run(parsed.table());
}

}  // namespace gatehouse::launcher
