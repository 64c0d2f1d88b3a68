#include <algorithm>
#include <charconv>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

struct DnsType {
  std::string_view name;
  uint16_t number;
};
// The types a rule may name; any other as "TYPEnnn".
constexpr DnsType kDnsTypes[] = {{"A", 1},       {"NS", 2},    {"CNAME", 5}, {"SOA", 6},    {"PTR", 12},  {"MX", 15},
                                 {"TXT", 16},    {"AAAA", 28}, {"SRV", 33},  {"NAPTR", 35}, {"DS", 43},   {"SSHFP", 44},
                                 {"DNSKEY", 48}, {"TLSA", 52}, {"SVCB", 64}, {"HTTPS", 65}, {"ANY", 255}, {"CAA", 257}};

// The number of "TYPEnnn", RFC 3597 section 5.
std::optional<uint16_t> generic_dns_type(std::string_view type) {
  if (type.size() < 5 || !type.starts_with("TYPE")) return std::nullopt;
  uint16_t number = 0;
  const char* end = type.data() + type.size();
  const auto [stop, error] = std::from_chars(type.data() + 4, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Result<std::string> parse_type(const std::string& text) {
  const auto known =
      std::any_of(std::begin(kDnsTypes), std::end(kDnsTypes), [&](const auto& t) { return t.name == text; });
  if (known || generic_dns_type(text)) return std::string(canonical_dns_type(text));
  std::vector<std::string_view> known_names;
  for (const auto& type : kDnsTypes) known_names.push_back(type.name);
  return fail("unknown DNS type '{}'{}", log::printable(text, 64), suggest(text, known_names));
}

Result<DnsRule> read_rule(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "dns"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kDnsKeys); !ok) return failed(ok);
  DnsRule rule;
  rule.place = reader.place_of(node);
  auto id = reader.id_of(node);
  if (!id) return failed(id);
  rule.id = std::move(*id);
  const auto action = reader.action_of(node, "action");
  if (!action) return failed(action);
  rule.action = *action;
  auto names = reader.hosts_of(node, "names");
  if (!names) return failed(names);
  rule.names = std::move(*names);
  if (const JsonNode* types_node = node.find("types")) {
    auto types = reader.parsed_strings<std::string>(*types_node, "types", parse_type);
    if (!types) return failed(types);
    rule.types = std::move(*types);
  }
  auto reason = reader.reason_of(node);
  if (!reason) return failed(reason);
  rule.reason = std::move(*reason);
  return rule;
}

}  // namespace

std::string_view canonical_dns_type(std::string_view type) {
  const auto number = generic_dns_type(type);
  if (!number) return type;
  for (const auto& known : kDnsTypes) {
    if (known.number == *number) return known.name;
  }
  return type;
}

Result<std::vector<DnsRule>> read_dns(const FieldReader& reader, const JsonNode& section) {
  return reader.list_of_items<DnsRule>(section, "dns", "a list of objects",
                                       [&](const JsonNode& node) { return read_rule(reader, node); });
}

}  // namespace gatehouse::policy
