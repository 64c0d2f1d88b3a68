// "arguments" of an mcp rule: a subset of JSON Schema.
#include <algorithm>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr size_t kMaxConditions = 64;
constexpr int64_t kMaxSize = int64_t{1} << 32;  // of a text in characters, of a list in items
constexpr int kMaxValueDepth = 16;

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

}  // namespace

Result<std::vector<ArgumentCondition>> read_mcp_arguments(const FieldReader& reader, const JsonNode& node) {
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

}  // namespace gatehouse::policy
