// "tools", "resources" and "prompts" of the "mcp" section.
#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

constexpr SizeRange kResultRange{1 << 10, uint64_t{16} << 20, "1KiB to 16MiB"};

struct Words {
  std::string_view list;  // the key of such rules
  std::string_view what;  // and that of what one speaks of
  std::span<const std::string_view> keys;
};

Words words_of(McpSubject subject) {
  switch (subject) {
    case McpSubject::tool:
      break;
    case McpSubject::resource:
      return {"resources", "uris", kMcpResourceKeys};
    case McpSubject::prompt:
      return {"prompts", "prompts", kMcpPromptKeys};
  }
  return {"tools", "tools", kMcpToolKeys};
}

// What it speaks of.
Result<void> read_subject(const FieldReader& reader, const JsonNode& node, std::string_view key, McpRule& rule) {
  const auto list = reader.required(node, key);
  if (!list) return failed(list);
  if (rule.subject == McpSubject::resource) {
    auto uris =
        reader.parsed_strings<UriGlob>(**list, key, [](const std::string& text) { return UriGlob::parse(text); });
    if (!uris) return failed(uris);
    rule.uris = std::move(*uris);
    return {};
  }
  auto names = reader.parsed_strings<std::string>(**list, key,
                                                  [](const std::string& text) -> Result<std::string> { return text; });
  if (!names) return failed(names);
  rule.names = std::move(*names);
  return {};
}

Result<McpRule> read_rule(const FieldReader& reader, const JsonNode& node, McpSubject subject) {
  const Words words = words_of(subject);
  if (auto ok = reader.expect_object_item(node, words.list); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, words.keys); !ok) return failed(ok);
  McpRule rule;
  rule.subject = subject;
  rule.place = reader.place_of(node);
  auto id = reader.id_of(node);
  if (!id) return failed(id);
  rule.id = std::move(*id);
  const auto action = reader.action_of(node, "action");
  if (!action) return failed(action);
  rule.action = *action;
  auto server = reader.required_text(node, "server");
  if (!server) return failed(server);
  rule.server = std::move(*server);
  rule.server_place = reader.place_of(**reader.required(node, "server"));
  if (auto ok = read_subject(reader, node, words.what, rule); !ok) return failed(ok);
  if (const JsonNode* arguments = node.find("arguments")) {
    auto conditions = read_mcp_arguments(reader, *arguments);
    if (!conditions) return failed(conditions);
    rule.arguments = std::move(*conditions);
  }
  if (const JsonNode* result_size = node.find("result_size")) {
    if (rule.action == Verdict::deny)
      return reader.refuse(result_size->offset, "'result_size' is of no use in a rule that denies");
    const auto size = read_size(reader, *result_size, "result_size", kResultRange);
    if (!size) return failed(size);
    rule.result_bytes = *size;
  }
  for (const auto& [key, into] : {std::pair{std::string_view("budget"), &rule.budget},
                                  std::pair{std::string_view("tool_budget"), &rule.tool_budget}}) {
    if (const JsonNode* budget = node.find(key); budget != nullptr && rule.action == Verdict::deny) {
      return reader.refuse(budget->offset, fmt::format("'{}' bounds what a rule lets through; this one denies", key));
    }
    if (auto ok = read_budget(reader, node, key, *into); !ok) return failed(ok);
  }
  auto reason = reader.reason_of(node);
  if (!reason) return failed(reason);
  rule.reason = std::move(*reason);
  return rule;
}

}  // namespace

Result<void> read_budget(const FieldReader& reader, const JsonNode& node, std::string_view key,
                         std::optional<Allowance>& into) {
  const JsonNode* budget = node.find(key);
  if (budget == nullptr) return {};
  const auto allowance = read_allowance(reader, *budget, key);
  if (!allowance) return failed(allowance);
  into = *allowance;
  return {};
}

Result<std::vector<McpRule>> read_mcp_rules(const FieldReader& reader, const JsonNode& list, McpSubject subject) {
  return reader.list_of_items<McpRule>(list, words_of(subject).list, "a list of objects",
                                       [&](const JsonNode& node) { return read_rule(reader, node, subject); });
}

}  // namespace gatehouse::policy
