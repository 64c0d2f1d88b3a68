// Rule files: JSON with comments, {"rules": [{"id": ..., "pattern": ...}, ...]}.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <span>

#include "common/base/log.h"
#include "common/policy/json_tree.h"
#include "dlp/rule_file.h"
#include "dlp/rule_pattern.h"
#include "dlp/validator.h"

namespace gatehouse::dlp {

namespace {

using policy::JsonNode;
using policy::kind_name;
using policy::SourceText;
using policy::suggest;
using Kind = JsonNode::Kind;

constexpr size_t kMaxIdBytes = 64;
constexpr size_t kMaxTitleBytes = 120;
constexpr size_t kMinKeywordBytes = 3;
constexpr size_t kMaxKeywordBytes = 64;
constexpr double kMaxEntropy = 8;  // bits a byte can hold

constexpr std::string_view kFileKeys[] = {"$schema", "rules"};
constexpr std::string_view kRuleKeys[] = {"id",       "title",       "category",  "pattern",   "group",
                                          "keywords", "entropy",     "severity",  "examples",  "negative_examples",
                                          "shape",    "unconfirmed", "validator", "direction", "allow"};
constexpr std::string_view kCategories[] = {"credentials", "private-keys", "personal-data", "entropy", "injection"};
constexpr std::string_view kSeverities[] = {"block", "redact", "warn"};
constexpr std::string_view kShapeWords[] = {"digit-groups", "letters-digits"};
constexpr std::string_view kDirections[] = {"out", "in", "both"};

std::vector<std::string_view> list_of(std::span<const std::string_view> words) { return {words.begin(), words.end()}; }

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIdBytes && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string quoted(std::string_view text) { return fmt::format("'{}'", log::printable(text, 64)); }

// Reads one file. Every error stands at its place in the text and, once the id is known, names the rule.
class FileReader {
 public:
  FileReader(const SourceText& source, PatternInspector& inspector) : source_(source), inspector_(inspector) {}

  Result<std::vector<Rule>> read(const JsonNode& root);

 private:
  tl::unexpected<Error> refuse(size_t offset, std::string_view message) const {
    if (rule_.id.empty()) return tl::unexpected(source_.error_at(offset, message));
    return tl::unexpected(source_.error_at(offset, fmt::format("rule '{}': {}", rule_.id, message)));
  }

  Result<void> expect_kind(const JsonNode& node, Kind kind, std::string_view key, std::string_view wanted) const {
    if (node.kind == kind) return {};
    return refuse(node.offset, fmt::format("'{}' must be {}, not {}", key, wanted, kind_name(node.kind)));
  }

  Result<void> check_keys(const JsonNode& object, std::span<const std::string_view> keys) const {
    for (const auto& member : object.members) {
      if (contains(keys, member.key)) continue;
      return refuse(member.offset,
                    fmt::format("unknown key {}{}", quoted(member.key), suggest(member.key, list_of(keys))));
    }
    return {};
  }

  // A string that is there and not empty.
  Result<const JsonNode*> required_text(const JsonNode& rule, std::string_view key) const {
    const JsonNode* node = rule.find(key);
    if (node == nullptr) return refuse(rule.offset, fmt::format("'{}' is missing", key));
    if (auto ok = expect_kind(*node, Kind::string, key, "a string"); !ok) return failed(ok);
    if (node->text.empty()) return refuse(node->offset, fmt::format("'{}' is empty", key));
    return node;
  }

  Result<std::string> word_of(const JsonNode& node, std::string_view key,
                              std::span<const std::string_view> words) const {
    if (auto ok = expect_kind(node, Kind::string, key, "a string"); !ok) return failed(ok);
    if (contains(words, node.text)) return node.text;
    std::string help = suggest(node.text, list_of(words));
    if (help.empty()) help = fmt::format("; expected {}", fmt::join(words, ", "));
    return refuse(node.offset, fmt::format("unknown {} {}{}", key, quoted(node.text), help));
  }

  Result<FindingAction> severity_of(const JsonNode& node, std::string_view key) const {
    const auto word = word_of(node, key, kSeverities);
    if (!word) return failed(word);
    return *word == "block" ? FindingAction::deny : *word == "redact" ? FindingAction::redact : FindingAction::warn;
  }

  // The strings of the list `key`; none when the key is absent. `check` refuses an item with words that follow it.
  template <class Check>
  Result<std::vector<std::string>> strings(const JsonNode& rule, std::string_view key, Check check) const {
    std::vector<std::string> list;
    const JsonNode* node = rule.find(key);
    if (node == nullptr) return list;
    if (auto ok = expect_kind(*node, Kind::array, key, "a list of strings"); !ok) return failed(ok);
    for (const auto& item : node->items) {
      if (item.kind != Kind::string) {
        return refuse(item.offset, fmt::format("'{}' must be a list of strings, not of {}", key, kind_name(item.kind)));
      }
      if (Result<void> ok = check(item.text); !ok) return refuse(item.offset, ok.error().message());
      list.push_back(item.text);
    }
    return list;
  }

  Result<void> read_rule(const JsonNode& node);
  Result<void> read_words(const JsonNode& node);
  Result<void> read_pattern(const JsonNode& node);
  Result<void> read_entropy(const JsonNode& node);
  Result<void> read_judgement(const JsonNode& node);
  Result<void> read_lists(const JsonNode& node);

  const SourceText& source_;
  PatternInspector& inspector_;
  Rule rule_;  // the one being read; without an id until that is read
};

Result<void> FileReader::read_words(const JsonNode& node) {
  if (auto ok = check_keys(node, kRuleKeys); !ok) return ok;
  const auto id = required_text(node, "id");
  if (!id) return failed(id);
  if (!is_id((*id)->text)) {
    return refuse((*id)->offset,
                  fmt::format("an id is 1 to {} lower-case letters, digits and '-' between them", kMaxIdBytes));
  }
  rule_.id = (*id)->text;

  const auto title = required_text(node, "title");
  if (!title) return failed(title);
  if ((*title)->text.size() > kMaxTitleBytes || has_control_character((*title)->text)) {
    return refuse((*title)->offset, fmt::format("a title is one line of at most {} bytes", kMaxTitleBytes));
  }
  rule_.title = (*title)->text;

  const auto category = required_text(node, "category");
  if (!category) return failed(category);
  auto word = word_of(**category, "category", kCategories);
  if (!word) return failed(word);
  rule_.category = std::move(*word);
  return {};
}

Result<void> FileReader::read_pattern(const JsonNode& node) {
  const auto pattern = required_text(node, "pattern");
  if (!pattern) return failed(pattern);
  rule_.pattern = (*pattern)->text;
  const auto info = inspector_.inspect(rule_.pattern);
  if (!info) return refuse((*pattern)->offset, "the pattern " + info.error().message());

  rule_.info = *info;
  if (const JsonNode* group = node.find("group")) {
    if (auto ok = expect_kind(*group, Kind::integer, "group", "a number"); !ok) return ok;
    if (group->integer < 0 || group->integer > info->groups) {
      return refuse(group->offset,
                    fmt::format("there is no group {}; the pattern has {}", group->integer, info->groups));
    }
    rule_.group = static_cast<int>(group->integer);
  }
  return {};
}

Result<void> FileReader::read_entropy(const JsonNode& node) {
  const JsonNode* entropy = node.find("entropy");
  if (entropy == nullptr) return {};
  if (entropy->kind != Kind::integer && entropy->kind != Kind::real) {
    return expect_kind(*entropy, Kind::real, "entropy", "a number");
  }
  // The tree keeps no fractions; the text does.
  const std::string& text = source_.text;
  const auto [end, error] = std::from_chars(text.data() + entropy->offset, text.data() + text.size(), rule_.entropy);
  if (error != std::errc() || !(rule_.entropy >= 0 && rule_.entropy <= kMaxEntropy)) {
    return refuse(entropy->offset, fmt::format("'entropy' is a number of 0 to {} bits a byte", kMaxEntropy));
  }
  return {};
}

Result<void> FileReader::read_judgement(const JsonNode& node) {
  const auto severity_node = required_text(node, "severity");
  if (!severity_node) return failed(severity_node);
  const auto severity = severity_of(**severity_node, "severity");
  if (!severity) return failed(severity);
  rule_.severity = rule_.unconfirmed = *severity;

  if (const JsonNode* validator = node.find("validator")) {
    const auto names = validator_names();
    const auto name = word_of(*validator, "validator", names);
    if (!name) return failed(name);
    rule_.validator = *name;
  }
  if (const JsonNode* unconfirmed = node.find("unconfirmed")) {
    if (rule_.validator.empty()) {
      return refuse(unconfirmed->offset, "'unconfirmed' says nothing without a 'validator'; remove it");
    }
    const auto action = severity_of(*unconfirmed, "unconfirmed");
    if (!action) return failed(action);
    rule_.unconfirmed = *action;
  }
  if (const JsonNode* direction = node.find("direction")) {
    const auto word = word_of(*direction, "direction", kDirections);
    if (!word) return failed(word);
    rule_.direction = *word == "out" ? RuleDirection::out : *word == "in" ? RuleDirection::in : RuleDirection::both;
  }
  return {};
}

Result<void> FileReader::read_lists(const JsonNode& node) {
  const auto keyword = [](const std::string& text) -> Result<void> {
    if (text.size() >= kMinKeywordBytes && text.size() <= kMaxKeywordBytes) return {};
    return fail("a keyword is {} to {} bytes; '{}' has {}", kMinKeywordBytes, kMaxKeywordBytes,
                log::printable(text, 64), text.size());
  };
  const auto allow = [this](const std::string& text) -> Result<void> {
    const auto ok = inspector_.inspect_allowed(text);
    return ok ? ok : failed(ok, "a pattern in 'allow' does not compile");
  };
  const auto example = [](const std::string& text) -> Result<void> {
    if (!text.empty()) return {};
    return fail("an example is empty");
  };

  auto keywords = strings(node, "keywords", keyword);
  if (!keywords) return failed(keywords);
  rule_.keywords = std::move(*keywords);
  if (const JsonNode* shape = node.find("shape")) {
    if (!rule_.keywords.empty()) return refuse(shape->offset, "'shape' stands for 'keywords'; give one of the two");
    auto word = word_of(*shape, "shape", kShapeWords);
    if (!word) return failed(word);
    rule_.shape = std::move(*word);
  }
  auto allowed = strings(node, "allow", allow);
  if (!allowed) return failed(allowed);
  rule_.allow = std::move(*allowed);
  auto examples = strings(node, "examples", example);
  if (!examples) return failed(examples);
  if (node.find("examples") == nullptr) {  // an empty list is for rules that were imported
    return refuse(node.offset, "'examples' is missing; write what the pattern must find");
  }
  rule_.examples = std::move(*examples);
  auto negative = strings(node, "negative_examples", example);
  if (!negative) return failed(negative);
  rule_.negative_examples = std::move(*negative);
  return {};
}

Result<void> FileReader::read_rule(const JsonNode& node) {
  rule_ = {};
  if (auto ok = expect_kind(node, Kind::object, "rules", "a list of objects"); !ok) return ok;
  rule_.source = fmt::format("{}:{}", source_.name, source_.line_at(node.offset));
  if (auto ok = read_words(node); !ok) return ok;
  if (auto ok = read_pattern(node); !ok) return ok;
  if (auto ok = read_entropy(node); !ok) return ok;
  if (auto ok = read_judgement(node); !ok) return ok;
  return read_lists(node);
}

Result<std::vector<Rule>> FileReader::read(const JsonNode& root) {
  if (root.kind != Kind::object) {
    return refuse(root.offset, fmt::format("a rule file is an object, not {}", kind_name(root.kind)));
  }
  if (auto ok = check_keys(root, kFileKeys); !ok) return failed(ok);
  const JsonNode* list = root.find("rules");
  if (list == nullptr) return refuse(root.offset, "'rules' is missing");
  if (auto ok = expect_kind(*list, Kind::array, "rules", "a list of objects"); !ok) return failed(ok);

  std::vector<Rule> rules;
  std::set<std::string> ids;
  for (const auto& node : list->items) {
    if (auto ok = read_rule(node); !ok) return failed(ok);
    if (!ids.insert(rule_.id).second) {
      const auto first = std::find_if(rules.begin(), rules.end(), [&](const Rule& r) { return r.id == rule_.id; });
      return refuse(node.find("id")->offset, fmt::format("the id is given twice, first at {}", first->source));
    }
    rules.push_back(std::move(rule_));
  }
  return rules;
}

}  // namespace

Result<std::vector<Rule>> parse_rules(const std::string& name, const std::string& text, PatternInspector& inspector) {
  if (text.empty()) return fail("{}: the file is empty; the least rule file is {{\"rules\": []}}", name);
  const SourceText source{name, text};
  const auto root = policy::parse_json(source);
  if (!root) return failed(root);
  return FileReader(source, inspector).read(*root);
}

Result<std::vector<Rule>> parse_rules(const std::string& name, const std::string& text) {
  PatternInspector inspector({});
  return parse_rules(name, text, inspector);
}

}  // namespace gatehouse::dlp
