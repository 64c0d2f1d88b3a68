#include "common/json/strict.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kFindingActions[] = {"deny", "redact", "warn", "exempt"};

Result<json::Value> json_of(const FieldReader& reader, const JsonNode& node) {
  switch (node.kind) {
    case JsonNode::Kind::null:
      return json::Value(nullptr);
    case JsonNode::Kind::boolean:
      return json::Value(node.boolean);
    case JsonNode::Kind::integer:
      return json::Value(node.integer);
    case JsonNode::Kind::string:
      return json::Value(node.text);
    case JsonNode::Kind::real:
      return reader.refuse(node.offset, "numbers in 'arguments' are whole numbers of 64 bits");
    case JsonNode::Kind::array: {
      json::Value list = json::Value::array();
      for (const auto& item : node.items) {
        auto value = json_of(reader, item);
        if (!value) return value;
        list.push_back(std::move(*value));
      }
      return list;
    }
    case JsonNode::Kind::object: {
      json::Value object = json::Value::object();
      for (const auto& member : node.members) {
        auto value = json_of(reader, member.value);
        if (!value) return value;
        object[member.key] = std::move(*value);
      }
      return object;
    }
  }
  return json::Value();
}

Result<void> read_question(const FieldReader& reader, const JsonNode& node, TestEntry& test) {
  const JsonNode* asked = nullptr;
  for (const auto& [key, kind] : kQuestionWords) {
    const JsonNode* found = node.find(key);
    if (found == nullptr) continue;
    if (asked != nullptr) return reader.refuse(node.offset, "a test asks one question, not several");
    asked = found;
    test.kind = kind;
    auto question = reader.text_of(*found, key);
    if (!question) return failed(question);
    test.question = std::move(*question);
  }
  if (asked == nullptr)
    return reader.refuse(node.offset,
                         "a test needs one of 'http', 'git', 'tls', 'mcp', 'resource', 'prompt', 'dns' and 'dlp'");
  return {};
}

Result<void> read_expectation(const FieldReader& reader, const JsonNode& node, TestEntry& test) {
  if (test.kind != QuestionKind::dlp) {
    const auto expect = reader.action_of(node, "expect");
    if (!expect) return failed(expect);
    test.expect = *expect;
    return {};
  }
  const auto expect_node = reader.required(node, "expect");
  if (!expect_node) return failed(expect_node);
  const auto word = reader.word_of(**expect_node, "expect", kFindingActions);
  if (!word) return failed(word);
  test.expect_finding = *word == "deny"     ? FindingAction::deny
                        : *word == "redact" ? FindingAction::redact
                        : *word == "warn"   ? FindingAction::warn
                                            : FindingAction::exempt;
  return {};
}

Result<TestEntry> read_test(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "tests"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kTestKeys); !ok) return failed(ok);
  TestEntry test;
  test.place = reader.place_of(node);
  if (auto ok = read_question(reader, node, test); !ok) return failed(ok);
  if (const JsonNode* headers = node.find("headers")) {
    if (test.kind != QuestionKind::http) return reader.refuse(headers->offset, "'headers' go with an http question");
    auto fields = read_test_headers(reader, *headers);
    if (!fields) return failed(fields);
    test.headers = std::move(*fields);
  }
  if (const JsonNode* arguments = node.find("arguments")) {
    if (test.kind != QuestionKind::mcp) return reader.refuse(arguments->offset, "'arguments' go with an mcp question");
    if (auto ok = reader.expect_kind(*arguments, JsonNode::Kind::object, "arguments", "an object"); !ok)
      return failed(ok);
    const auto value = json_of(reader, *arguments);
    if (!value) return failed(value);
    test.arguments = json::write(*value);
  }
  if (auto ok = read_expectation(reader, node, test); !ok) return failed(ok);
  if (const JsonNode* rule_node = node.find("rule")) {
    auto rule = reader.text_of(*rule_node, "rule");
    if (!rule) return failed(rule);
    test.rule = std::move(*rule);
    if (test.kind == QuestionKind::dlp && test.expect_finding != FindingAction::exempt) {
      return reader.refuse(rule_node->offset,
                           "'rule' of a dlp test is the exemption; it goes with \"expect\": \"exempt\"");
    }
  }
  return test;
}

}  // namespace

Result<std::vector<TestEntry>> read_tests(const FieldReader& reader, const JsonNode& section) {
  return reader.list_of_items<TestEntry>(section, "tests", "a list of objects",
                                         [&](const JsonNode& node) { return read_test(reader, node); });
}

}  // namespace gatehouse::policy
