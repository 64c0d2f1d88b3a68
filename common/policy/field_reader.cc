#include "common/policy/field_reader.h"

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr size_t kMaxReasonBytes = 500;
constexpr std::string_view kActions[] = {"allow", "ask", "deny"};

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<std::string_view> list_of(std::span<const std::string_view> words) { return {words.begin(), words.end()}; }

}  // namespace

bool is_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= kMaxIdBytes && std::all_of(text.begin(), text.end(), allowed);
}

Result<void> FieldReader::expect_kind(const JsonNode& node, Kind kind, std::string_view key,
                                      std::string_view wanted) const {
  if (node.kind == kind) return {};
  return refuse(node.offset, fmt::format("'{}' must be {}, not {}", key, wanted, kind_name(node.kind)));
}

Result<void> FieldReader::check_keys(const JsonNode& object, std::span<const std::string_view> keys) const {
  for (const auto& member : object.members) {
    if (contains(keys, member.key)) continue;
    return refuse(member.offset, fmt::format("unknown key '{}'{}", log::printable(member.key, 64),
                                             suggest(member.key, list_of(keys))));
  }
  return {};
}

Result<const JsonNode*> FieldReader::required(const JsonNode& object, std::string_view key) const {
  const JsonNode* found = object.find(key);
  if (found == nullptr) return refuse(object.offset, fmt::format("'{}' is missing", key));
  return found;
}

Result<std::string> FieldReader::text_of(const JsonNode& node, std::string_view key) const {
  if (auto ok = expect_kind(node, Kind::string, key, "a string"); !ok) return failed(ok);
  return node.text;
}

Result<std::string> FieldReader::required_text(const JsonNode& object, std::string_view key) const {
  const auto node = required(object, key);
  if (!node) return failed(node);
  return text_of(**node, key);
}

Result<std::string> FieldReader::word_of(const JsonNode& node, std::string_view key,
                                         std::span<const std::string_view> words) const {
  auto text = text_of(node, key);
  if (!text || contains(words, *text)) return text;
  std::string suggestion = suggest(*text, list_of(words));
  if (suggestion.empty()) suggestion = fmt::format("; expected {}", fmt::join(words, ", "));
  return refuse(node.offset, fmt::format("unknown {} '{}'{}", key, log::printable(*text, 64), suggestion));
}

Result<Verdict> FieldReader::action_of(const JsonNode& object, std::string_view key) const {
  const auto node = required(object, key);
  if (!node) return failed(node);
  const auto word = word_of(**node, key, kActions);
  if (!word) return failed(word);
  return *word == "allow" ? Verdict::allow : *word == "ask" ? Verdict::ask : Verdict::deny;
}

Result<std::string> FieldReader::id_of(const JsonNode& rule) const {
  const auto node = required(rule, "id");
  if (!node) return failed(node);
  auto id = text_of(**node, "id");
  if (!id) return id;
  if (!is_id(*id)) {
    return refuse((*node)->offset, fmt::format("an id is 1 to {} letters, digits, '-' and '_'", kMaxIdBytes));
  }
  if (*id == Decision{}.rule_id) return refuse((*node)->offset, fmt::format("the id '{}' is built in", *id));
  return id;
}

Result<std::string> FieldReader::reason_of(const JsonNode& rule) const {
  const JsonNode* node = rule.find("reason");
  if (node == nullptr) return std::string();
  auto reason = text_of(*node, "reason");
  if (!reason) return reason;
  if (reason->size() > kMaxReasonBytes) {
    return refuse(node->offset, fmt::format("'reason' is longer than {} bytes", kMaxReasonBytes));
  }
  if (std::any_of(reason->begin(), reason->end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
    return refuse(node->offset, "'reason' must be one line without control characters");
  }
  return reason;
}

Result<std::vector<HostTerm>> FieldReader::hosts_of(const JsonNode& rule, std::string_view key,
                                                    HostPattern::Suffixes whole) const {
  const auto list = required(rule, key);
  if (!list) return failed(list);
  const std::string wanted = "a list of hosts";
  return list_of_items<HostTerm>(**list, key, wanted, [&](const JsonNode& item) -> Result<HostTerm> {
    if (auto ok = expect_kind(item, Kind::string, key, wanted); !ok) return failed(ok);
    HostTerm term{{}, {}, place_of(item)};
    if (item.text.starts_with('@')) {
      if (!contains(registry_symbols(), item.text)) {
        return refuse(item.offset, fmt::format("unknown registry '{}'{}", log::printable(item.text, 64),
                                               suggest(item.text, registry_symbols())));
      }
      term.symbol = item.text;
      return term;
    }
    auto pattern = HostPattern::parse(item.text, whole);
    if (!pattern) return refuse(item.offset, pattern.error().message());
    term.pattern = std::move(*pattern);
    return term;
  });
}

}  // namespace gatehouse::policy
