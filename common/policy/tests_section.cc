#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

Result<TestEntry> read_test(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "tests"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kTestKeys); !ok) return failed(ok);
  const JsonNode* http = node.find("http");
  const JsonNode* dns = node.find("dns");
  if ((http == nullptr) == (dns == nullptr)) return reader.refuse(node.offset, "a test has either 'http' or 'dns'");

  TestEntry test;
  test.place = reader.place_of(node);
  test.dns = dns != nullptr;
  auto question = reader.text_of(http != nullptr ? *http : *dns, http != nullptr ? "http" : "dns");
  if (!question) return failed(question);
  test.question = std::move(*question);
  const auto expect = reader.action_of(node, "expect");
  if (!expect) return failed(expect);
  test.expect = *expect;
  if (const JsonNode* rule_node = node.find("rule")) {
    auto rule = reader.text_of(*rule_node, "rule");
    if (!rule) return failed(rule);
    test.rule = std::move(*rule);
  }
  return test;
}

}  // namespace

Result<std::vector<TestEntry>> read_tests(const FieldReader& reader, const JsonNode& section) {
  return reader.list_of_items<TestEntry>(section, "tests", "a list of objects",
                                         [&](const JsonNode& node) { return read_test(reader, node); });
}

}  // namespace gatehouse::policy
