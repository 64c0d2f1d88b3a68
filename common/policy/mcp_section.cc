#include <algorithm>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr size_t kMaxServerNameBytes = 32;
constexpr size_t kMaxConditions = 64;
constexpr size_t kMaxCommandWords = 256;
constexpr SizeRange kResultRange{1 << 10, uint64_t{16} << 20, "1KiB to 16MiB"};
constexpr int64_t kMaxSize = int64_t{1} << 32;  // of a text in characters, of a list in items
constexpr int kMaxValueDepth = 16;

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// A server's name is the first part of what its tools are called, so it holds no "__" and leaves room for a tool's
// name.
bool is_server_name(std::string_view name) {
  return is_id(name) && name.size() <= kMaxServerNameBytes && name.find("__") == std::string_view::npos &&
         !name.starts_with('_') && !name.ends_with('_');
}

Result<std::string> parse_absolute_path(const std::string& path) {
  if (!path.starts_with('/') || has_control_character(path)) {
    return fail("'{}' is no absolute path", log::printable(path, 64));
  }
  return path;
}

Result<McpSandbox> read_sandbox(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_kind(node, Kind::object, "sandbox", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kMcpSandboxKeys); !ok) return failed(ok);
  McpSandbox sandbox;
  for (const auto& [key, into] :
       {std::pair{std::string_view("read"), &sandbox.read}, std::pair{std::string_view("write"), &sandbox.write}}) {
    const JsonNode* list = node.find(key);
    if (list == nullptr) continue;
    auto paths = reader.parsed_strings<std::string>(*list, key, parse_absolute_path);
    if (!paths) return failed(paths);
    *into = std::move(*paths);
  }
  if (const JsonNode* network = node.find("network")) {
    if (network->kind != Kind::boolean) return reader.refuse(network->offset, "'network' must be true or false");
    sandbox.network = network->boolean;
  }
  return sandbox;
}

Result<void> read_budget(const FieldReader& reader, const JsonNode& node, std::string_view key,
                         std::optional<Allowance>& into) {
  const JsonNode* budget = node.find(key);
  if (budget == nullptr) return {};
  const auto allowance = read_allowance(reader, *budget, key);
  if (!allowance) return failed(allowance);
  into = *allowance;
  return {};
}

Result<McpServer> read_server(const FieldReader& reader, const JsonMember& member) {
  const JsonNode& node = member.value;
  if (!is_server_name(member.key)) {
    return reader.refuse(member.offset,
                         fmt::format("'{}' is no name of a server: 1 to {} letters, digits, '-' and single '_' inside",
                                     log::printable(member.key, 64), kMaxServerNameBytes));
  }
  if (auto ok = reader.expect_kind(node, Kind::object, member.key, "an object"); !ok) return failed(ok);
  if (const auto url =
          std::find_if(node.members.begin(), node.members.end(), [](const auto& m) { return m.key == "url"; });
      url != node.members.end()) {
    return reader.refuse(url->offset,
                         "servers over HTTP are not spoken to yet by this version of Gatehouse; name a \"command\"");
  }
  if (auto ok = reader.check_keys(node, kMcpServerKeys); !ok) return failed(ok);
  McpServer server;
  server.name = member.key;
  const auto command = reader.required(node, "command");
  if (!command) return failed(command);
  auto words =
      reader.parsed_strings<std::string>(**command, "command", [](const std::string& word) -> Result<std::string> {
        if (word.find('\0') != std::string::npos) return fail("a NUL in a command");
        return word;
      });
  if (!words) return failed(words);
  if (words->empty() || words->front().empty()) return reader.refuse((*command)->offset, "the command is empty");
  if (words->size() > kMaxCommandWords) {
    return reader.refuse((*command)->offset, fmt::format("the command has more than {} words", kMaxCommandWords));
  }
  server.command = std::move(*words);
  if (const JsonNode* cwd = node.find("cwd")) {
    const auto text = reader.text_of(*cwd, "cwd");
    if (!text) return failed(text);
    auto directory = parse_absolute_path(*text);
    if (!directory) return reader.refuse(cwd->offset, directory.error().message());
    server.directory = std::move(*directory);
  }
  if (const JsonNode* env = node.find("env")) {
    auto names = reader.parsed_strings<std::string>(*env, "env", [](const std::string& name) -> Result<std::string> {
      return name;  // whether there is such a secret is known once the file is read
    });
    if (!names) return failed(names);
    server.secrets = std::move(*names);
  }
  if (const JsonNode* call_time = node.find("call_time")) {
    const auto time = read_waiting_time(reader, *call_time, "call_time");
    if (!time) return failed(time);
    server.call_time = *time;
  }
  if (auto ok = read_budget(reader, node, "budget", server.budget); !ok) return failed(ok);
  if (const JsonNode* node_of_sandbox = node.find("sandbox")) {
    auto sandbox = read_sandbox(reader, *node_of_sandbox);
    if (!sandbox) return failed(sandbox);
    server.sandbox = std::move(*sandbox);
  }
  if (const JsonNode* new_tools = node.find("new_tools")) {
    const auto word = reader.word_of(*new_tools, "new_tools", kNewToolsNames);
    if (!word) return failed(word);
    server.new_tools = *word == kNewToolsNames[0] ? NewTools::pin : NewTools::approve;
  }
  if (const JsonNode* others = node.find("shares_names_with")) {
    auto names = reader.parsed_strings<std::string>(
        *others, "shares_names_with", [](const std::string& name) -> Result<std::string> {
          return name;  // whether there is such a server is known once the section is read
        });
    if (!names) return failed(names);
    server.shares_names_with = std::move(*names);
  }
  return server;
}

Result<ArgumentScalar> read_scalar(const FieldReader& reader, const JsonNode& node) {
  switch (node.kind) {
    case Kind::null:
      return ArgumentScalar(nullptr);
    case Kind::boolean:
      return ArgumentScalar(node.boolean);
    case Kind::integer:
      return ArgumentScalar(node.integer);
    case Kind::string:
      return ArgumentScalar(node.text);
    default:
      return reader.refuse(node.offset, "a text, a whole number, true, false or null is wanted here");
  }
}

// One text, or a list of them, each read by `parse`.
template <class T, class Parse>
Result<std::vector<T>> one_or_more(const FieldReader& reader, const JsonNode& node, std::string_view key, Parse parse) {
  if (node.kind != Kind::string) return reader.parsed_strings<T>(node, key, parse);
  auto one = parse(node.text);
  if (!one) return reader.refuse(node.offset, one.error().message());
  return std::vector<T>{std::move(*one)};
}

Result<std::string> parse_glob(const std::string& text) { return text; }

Result<std::optional<int64_t>> read_bound(const FieldReader& reader, const JsonNode& node, std::string_view key) {
  const JsonNode* bound = node.find(key);
  if (bound == nullptr) return std::optional<int64_t>();
  if (bound->kind != Kind::integer) return reader.refuse(bound->offset, fmt::format("'{}' is a whole number", key));
  return std::optional(bound->integer);
}

Result<void> read_size_bound(const FieldReader& reader, const JsonNode& node, std::string_view key,
                             std::optional<uint64_t>& into) {
  const auto bound = read_bound(reader, node, key);
  if (!bound) return failed(bound);
  if (!*bound) return {};
  if (**bound < 0 || **bound > kMaxSize) {
    return reader.refuse(node.find(key)->offset, fmt::format("'{}' is a number from 0 to 2^32", key));
  }
  into = static_cast<uint64_t>(**bound);
  return {};
}

Result<void> read_choice(const FieldReader& reader, const JsonNode& node, ArgumentValue& into) {
  if (const JsonNode* type = node.find("type")) {
    const auto word = reader.word_of(*type, "type", kArgumentTypeNames);
    if (!word) return failed(word);
    const auto at = std::find(std::begin(kArgumentTypeNames), std::end(kArgumentTypeNames), *word);
    into.type = static_cast<ArgumentType>(at - std::begin(kArgumentTypeNames));
  }
  const JsonNode* one = node.find("const");
  const JsonNode* some = node.find("enum");
  if (one != nullptr && some != nullptr) return reader.refuse(some->offset, "'const' and 'enum' say the same; use one");
  if (one != nullptr) {
    auto scalar = read_scalar(reader, *one);
    if (!scalar) return failed(scalar);
    into.one_of = {std::move(*scalar)};
  }
  if (some != nullptr) {
    auto list = reader.list_of_items<ArgumentScalar>(*some, "enum", "a list of values",
                                                     [&](const JsonNode& item) { return read_scalar(reader, item); });
    if (!list) return failed(list);
    into.one_of = std::move(*list);
  }
  return {};
}

Result<void> read_text(const FieldReader& reader, const JsonNode& node, ArgumentValue& into) {
  if (const JsonNode* globs = node.find("glob")) {
    auto list = one_or_more<std::string>(reader, *globs, "glob", parse_glob);
    if (!list) return failed(list);
    into.globs = std::move(*list);
  }
  if (const JsonNode* patterns = node.find("regex")) {
    auto list = one_or_more<TextPattern>(reader, *patterns, "regex",
                                         [](const std::string& text) { return TextPattern::compile(text); });
    if (!list) return failed(list);
    into.patterns = std::move(*list);
  }
  if (const JsonNode* paths = node.find("path")) {
    auto list =
        one_or_more<PathGlob>(reader, *paths, "path", [](const std::string& text) { return PathGlob::parse(text); });
    if (!list) return failed(list);
    into.paths = std::move(*list);
  }
  if (const JsonNode* url = node.find("url")) {
    if (url->kind != Kind::string || url->text != "allowed") {
      return reader.refuse(url->offset, "'url' must be \"allowed\": the http rules let a GET of it through");
    }
    into.url = true;
  }
  return {};
}

Result<ArgumentValue> read_value(const FieldReader& reader, const JsonNode& node, std::string_view key, int depth);

Result<void> read_parts(const FieldReader& reader, const JsonNode& node, int depth, ArgumentValue& into) {
  if (const JsonNode* items = node.find("items")) {
    auto value = read_value(reader, *items, "items", depth + 1);
    if (!value) return failed(value);
    into.items.push_back(std::move(*value));
  }
  if (const JsonNode* properties = node.find("properties")) {
    if (auto ok = reader.expect_kind(*properties, Kind::object, "properties", "an object"); !ok) return ok;
    for (const auto& member : properties->members) {
      auto value = read_value(reader, member.value, member.key, depth + 1);
      if (!value) return failed(value);
      into.properties.push_back({member.key, std::move(*value)});
    }
  }
  if (const JsonNode* required = node.find("required")) {
    auto names = reader.parsed_strings<std::string>(*required, "required", parse_glob);
    if (!names) return failed(names);
    into.required = std::move(*names);
  }
  if (const JsonNode* others = node.find("additionalProperties")) {
    if (others->kind != Kind::boolean || others->boolean) {
      return reader.refuse(others->offset, "'additionalProperties' can only be false: no others");
    }
    into.closed = true;
  }
  if (const JsonNode* ways = node.find("anyOf")) {
    auto list = reader.list_of_items<ArgumentValue>(*ways, "anyOf", "a list of objects", [&](const JsonNode& item) {
      return read_value(reader, item, "anyOf", depth + 1);
    });
    if (!list) return failed(list);
    if (list->empty()) return reader.refuse(ways->offset, "'anyOf' of nothing can never be met");
    into.any_of = std::move(*list);
  }
  return {};
}

Result<ArgumentValue> read_value(const FieldReader& reader, const JsonNode& node, std::string_view key, int depth) {
  if (depth > kMaxValueDepth) {
    return reader.refuse(node.offset, fmt::format("conditions are deeper than {} levels", kMaxValueDepth));
  }
  if (auto ok = reader.expect_kind(node, Kind::object, key, "an object of conditions"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kMcpArgumentKeys); !ok) return failed(ok);
  if (node.members.empty())
    return reader.refuse(node.offset, "nothing is asked of this argument; write true if it must be there");
  ArgumentValue value;
  if (auto ok = read_choice(reader, node, value); !ok) return failed(ok);
  if (auto ok = read_text(reader, node, value); !ok) return failed(ok);
  const auto least = read_bound(reader, node, "minimum");
  if (!least) return failed(least);
  value.least = *least;
  const auto most = read_bound(reader, node, "maximum");
  if (!most) return failed(most);
  value.most = *most;
  for (const auto& [name, into] : {std::pair{std::string_view("minLength"), &value.least_characters},
                                   std::pair{std::string_view("maxLength"), &value.most_characters},
                                   std::pair{std::string_view("minItems"), &value.least_items},
                                   std::pair{std::string_view("maxItems"), &value.most_items}}) {
    if (auto ok = read_size_bound(reader, node, name, *into); !ok) return failed(ok);
  }
  if (auto ok = read_parts(reader, node, depth, value); !ok) return failed(ok);
  return value;
}

Result<ArgumentCondition> read_condition(const FieldReader& reader, const JsonMember& member) {
  ArgumentCondition condition;
  if (member.key != "*") {
    auto pointer = ArgumentPointer::parse(member.key);
    if (!pointer) return reader.refuse(member.offset, pointer.error().message());
    condition.at = std::move(*pointer);
  }
  const JsonNode& node = member.value;
  if (node.kind == Kind::boolean) {
    condition.wants = node.boolean ? ArgumentCondition::Wants::present : ArgumentCondition::Wants::absent;
    return condition;
  }
  if (condition.at.tokens.empty()) {
    return reader.refuse(node.offset, "'*' must be false (no argument but those named here) or true (some other one)");
  }
  condition.wants = ArgumentCondition::Wants::value;
  if (node.kind == Kind::object) {
    auto value = read_value(reader, node, member.key, 0);
    if (!value) return failed(value);
    condition.value = std::move(*value);
    return condition;
  }
  if (node.kind != Kind::string && node.kind != Kind::array) {
    return reader.refuse(node.offset,
                         fmt::format("'{}' of \"arguments\" must be true (it is there), false (it is not), a text or a "
                                     "list of texts, or an object of conditions, not {}",
                                     log::printable(member.key, 64), kind_name(node.kind)));
  }
  auto globs = one_or_more<std::string>(reader, node, member.key, parse_glob);
  if (!globs) return failed(globs);
  condition.value.globs = std::move(*globs);
  return condition;
}

Result<std::vector<ArgumentCondition>> read_arguments(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_kind(node, Kind::object, "arguments", "an object of JSON pointers"); !ok)
    return failed(ok);
  if (node.members.size() > kMaxConditions) {
    return reader.refuse(node.offset, fmt::format("more than {} conditions", kMaxConditions));
  }
  std::vector<ArgumentCondition> conditions;
  for (const auto& member : node.members) {
    auto condition = read_condition(reader, member);
    if (!condition) return failed(condition);
    conditions.push_back(std::move(*condition));
  }
  return conditions;
}

Result<McpRule> read_rule(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "tools"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kMcpToolKeys); !ok) return failed(ok);
  McpRule rule;
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
  const auto tools_node = reader.required(node, "tools");
  if (!tools_node) return failed(tools_node);
  auto tools = reader.parsed_strings<std::string>(**tools_node, "tools", parse_glob);
  if (!tools) return failed(tools);
  rule.tools = std::move(*tools);
  if (const JsonNode* arguments = node.find("arguments")) {
    auto conditions = read_arguments(reader, *arguments);
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

Result<McpRules> read_mcp(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, Kind::object, "mcp", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(section, kMcpKeys); !ok) return failed(ok);
  McpRules rules;
  if (const JsonNode* servers = section.find("servers")) {
    if (auto ok = reader.expect_kind(*servers, Kind::object, "servers", "an object"); !ok) return failed(ok);
    for (const auto& member : servers->members) {
      auto server = read_server(reader, member);
      if (!server) return failed(server);
      rules.servers.push_back({std::move(*server), reader.place_at(member.offset)});
    }
  }
  if (const JsonNode* tools = section.find("tools")) {
    auto list = reader.list_of_items<McpRule>(*tools, "tools", "a list of objects",
                                              [&](const JsonNode& node) { return read_rule(reader, node); });
    if (!list) return failed(list);
    rules.tools = std::move(*list);
  }
  return rules;
}

}  // namespace gatehouse::policy
