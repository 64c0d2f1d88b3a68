#include <algorithm>

#include "common/base/log.h"
#include "common/policy/http_words.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxMethodBytes = 32;

Result<Schemes> read_schemes(const FieldReader& reader, const JsonNode& node) {
  const auto words = reader.list_of_items<std::string>(node, "schemes", "a list of strings", [&](const JsonNode& item) {
    return reader.word_of(item, "scheme", kSchemeNames);
  });
  if (!words) return failed(words);
  Schemes schemes = 0;
  for (const auto& word : *words) schemes |= scheme_named(word);
  return schemes;
}

Result<std::string> parse_method(const std::string& text) {
  if (is_token(text) && text.size() <= kMaxMethodBytes) return text;
  return fail("'{}' is no HTTP method", log::printable(text, 64));
}

// What narrows a rule beyond its hosts.
Result<void> read_narrowing(const FieldReader& reader, const JsonNode& node, HttpRule& rule) {
  if (const JsonNode* schemes_node = node.find("schemes")) {
    const auto schemes = read_schemes(reader, *schemes_node);
    if (!schemes) return failed(schemes);
    rule.schemes = *schemes;
  }
  if (const JsonNode* ports_node = node.find("ports")) {
    auto ports = read_ports(reader, *ports_node);
    if (!ports) return failed(ports);
    rule.ports = std::move(*ports);
  }
  if (const JsonNode* methods_node = node.find("methods")) {
    auto methods = reader.parsed_strings<std::string>(*methods_node, "methods", parse_method);
    if (!methods) return failed(methods);
    rule.methods = std::move(*methods);
  }
  if (const JsonNode* paths_node = node.find("paths")) {
    auto paths = reader.parsed_strings<PathGlob>(*paths_node, "paths", PathGlob::parse);
    if (!paths) return failed(paths);
    rule.paths = std::move(*paths);
  }
  if (const JsonNode* query_node = node.find("query")) {
    auto query = read_query_conditions(reader, *query_node);
    if (!query) return failed(query);
    rule.query = std::move(*query);
  }
  if (const JsonNode* headers_node = node.find("headers")) {
    auto headers = read_header_conditions(reader, *headers_node);
    if (!headers) return failed(headers);
    rule.headers = std::move(*headers);
  }
  return {};
}

// What bounds the requests that a rule lets through.
Result<void> read_bounds(const FieldReader& reader, const JsonNode& node, HttpRule& rule) {
  for (const auto& [key, bytes] : {std::pair{std::string_view("request_body"), &rule.request_body_bytes},
                                   std::pair{std::string_view("response_body"), &rule.response_body_bytes}}) {
    const JsonNode* size_node = node.find(key);
    if (size_node == nullptr) continue;
    if (rule.action == Verdict::deny) {
      return reader.refuse(size_node->offset,
                           fmt::format("'{}' bounds what a rule lets through; this one denies", key));
    }
    const auto size = read_size(reader, *size_node, key, kRuleBodyRange);
    if (!size) return failed(size);
    *bytes = *size;
  }
  const JsonNode* budget = node.find("budget");
  if (budget == nullptr) return {};
  if (rule.action == Verdict::deny) {
    return reader.refuse(budget->offset, "'budget' bounds what a rule lets through; this one denies");
  }
  const auto allowance = read_allowance(reader, *budget, "budget");
  if (!allowance) return failed(allowance);
  rule.budget = *allowance;
  return {};
}

// "tls": "passthrough". A rule that opens so much names each of its hosts, and asks for nothing that cannot be seen.
Result<void> read_tls_word(const FieldReader& reader, const JsonNode& node, HttpRule& rule) {
  constexpr std::string_view kWords[] = {"passthrough"};
  constexpr std::string_view kUnseen[] = {"schemes", "methods",      "paths",        "query",
                                          "headers", "request_body", "response_body"};
  const JsonNode* tls = node.find("tls");
  if (tls == nullptr) return {};
  if (const auto word = reader.word_of(*tls, "tls", kWords); !word) return failed(word);
  rule.passthrough = true;
  if (rule.action != Verdict::allow) {
    return reader.refuse(tls->offset, "\"tls\": \"passthrough\" goes with \"action\": \"allow\"");
  }
  for (const auto key : kUnseen) {
    if (const JsonNode* said = node.find(key)) {
      return reader.refuse(said->offset, fmt::format("'{}' cannot be seen in TLS that is not intercepted", key));
    }
  }
  for (const auto& term : rule.hosts) {
    if (term.symbol.empty() && term.pattern.kind == HostPattern::Kind::exact) continue;
    return tl::unexpected(term.place.error("name each host whose TLS is not intercepted: no wildcard, no registry"));
  }
  return {};
}

Result<HttpRule> read_rule(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "http"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kHttpKeys); !ok) return failed(ok);
  HttpRule rule;
  rule.place = reader.place_of(node);
  auto id = reader.id_of(node);
  if (!id) return failed(id);
  rule.id = std::move(*id);
  const auto action = reader.action_of(node, "action");
  if (!action) return failed(action);
  rule.action = *action;
  auto hosts = reader.hosts_of(
      node, "hosts", rule.action == Verdict::deny ? HostPattern::Suffixes::taken : HostPattern::Suffixes::refused);
  if (!hosts) return failed(hosts);
  rule.hosts = std::move(*hosts);
  if (auto ok = read_narrowing(reader, node, rule); !ok) return failed(ok);
  if (auto ok = read_bounds(reader, node, rule); !ok) return failed(ok);
  if (auto ok = read_tls_word(reader, node, rule); !ok) return failed(ok);
  auto reason = reader.reason_of(node);
  if (!reason) return failed(reason);
  rule.reason = std::move(*reason);
  return rule;
}

}  // namespace

Result<std::vector<uint16_t>> read_ports(const FieldReader& reader, const JsonNode& node) {
  return reader.list_of_items<uint16_t>(
      node, "ports", "a list of numbers", [&](const JsonNode& item) -> Result<uint16_t> {
        if (item.kind != JsonNode::Kind::integer || item.integer < 1 || item.integer > 65535) {
          return reader.refuse(item.offset, "a port is a number of 1 to 65535");
        }
        return static_cast<uint16_t>(item.integer);
      });
}

Result<std::vector<HttpRule>> read_http(const FieldReader& reader, const JsonNode& section) {
  return reader.list_of_items<HttpRule>(section, "http", "a list of objects",
                                        [&](const JsonNode& node) { return read_rule(reader, node); });
}

}  // namespace gatehouse::policy
