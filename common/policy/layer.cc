#include "common/policy/layer.h"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>

#include "common/base/log.h"
#include "common/policy/json_tree.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr size_t kMaxIdBytes = 64;
constexpr size_t kMaxReasonBytes = 500;
constexpr size_t kMaxMethodBytes = 32;

constexpr std::string_view kPolicyKeys[] = {"$schema", "version", "name",    "extends",  "unmatched", "registries",
                                            "http",    "dns",     "resolve", "networks", "tests"};
constexpr std::string_view kHttpKeys[] = {"id", "action", "hosts", "schemes", "ports", "methods", "paths", "reason"};
constexpr std::string_view kDnsKeys[] = {"id", "action", "names", "types", "reason"};
constexpr std::string_view kTestKeys[] = {"http", "dns", "expect", "rule"};
constexpr ObjectKeys kObjectKeys[] = {
    {"policy", kPolicyKeys}, {"http", kHttpKeys}, {"dns", kDnsKeys}, {"test", kTestKeys}};

// Written for a Gatehouse that enforces them; to read past them would be to promise what is not done.
constexpr std::string_view kKeysNotEnforcedYet[] = {"secrets", "git", "mcp", "dlp", "limits"};

constexpr std::string_view kActions[] = {"allow", "ask", "deny"};
constexpr std::string_view kUnmatched[] = {"deny", "pass"};
constexpr std::string_view kSchemes[] = {"http", "https"};

struct DnsType {
  std::string_view name;
  uint16_t number;
};
// The types a rule may name; any other as "TYPEnnn".
constexpr DnsType kDnsTypes[] = {{"A", 1},       {"NS", 2},    {"CNAME", 5}, {"SOA", 6},    {"PTR", 12},  {"MX", 15},
                                 {"TXT", 16},    {"AAAA", 28}, {"SRV", 33},  {"NAPTR", 35}, {"DS", 43},   {"SSHFP", 44},
                                 {"DNSKEY", 48}, {"TLSA", 52}, {"SVCB", 64}, {"HTTPS", 65}, {"ANY", 255}, {"CAA", 257}};

std::vector<std::string_view> list_of(std::span<const std::string_view> words) { return {words.begin(), words.end()}; }

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= kMaxIdBytes && std::all_of(text.begin(), text.end(), allowed);
}

// The number of "TYPEnnn", RFC 3597 section 5.
std::optional<uint16_t> generic_dns_type(std::string_view type) {
  if (type.size() < 5 || !type.starts_with("TYPE")) return std::nullopt;
  uint16_t number = 0;
  const char* end = type.data() + type.size();
  const auto [stop, error] = std::from_chars(type.data() + 4, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// Reads the pieces of one file. Each function returns what it was asked for or the error with its place.
class LayerReader {
 public:
  explicit LayerReader(std::shared_ptr<const SourceText> source) : source_(std::move(source)) {}

  Result<Layer> read(const JsonNode& root);

 private:
  tl::unexpected<Error> refuse(size_t offset, std::string_view message) const {
    return tl::unexpected(source_->error_at(offset, message));
  }
  Place place_of(const JsonNode& node) const { return {source_, node.offset}; }

  Result<void> expect_kind(const JsonNode& node, Kind kind, std::string_view key, std::string_view wanted) const {
    if (node.kind == kind) return {};
    return refuse(node.offset, fmt::format("'{}' must be {}, not {}", key, wanted, kind_name(node.kind)));
  }

  Result<void> check_keys(const JsonNode& object, std::span<const std::string_view> keys, bool top_level) const {
    for (const auto& member : object.members) {
      if (contains(keys, member.key)) continue;
      const std::string key = log::printable(member.key, 64);
      if (top_level && contains(kKeysNotEnforcedYet, member.key)) {
        return refuse(member.offset,
                      fmt::format("'{}' is not enforced yet by this version of Gatehouse; remove it", key));
      }
      return refuse(member.offset, fmt::format("unknown key '{}'{}", key, suggest(member.key, list_of(keys))));
    }
    return {};
  }

  Result<const JsonNode*> required(const JsonNode& object, std::string_view key) const {
    const JsonNode* found = object.find(key);
    if (found == nullptr) return refuse(object.offset, fmt::format("'{}' is missing", key));
    return found;
  }

  Result<std::string> text_of(const JsonNode& node, std::string_view key) const {
    if (auto ok = expect_kind(node, Kind::string, key, "a string"); !ok) return failed(ok);
    return node.text;
  }

  // One of `words`.
  Result<std::string> word_of(const JsonNode& node, std::string_view key,
                              std::span<const std::string_view> words) const {
    auto text = text_of(node, key);
    if (!text || contains(words, *text)) return text;
    std::string suggestion = suggest(*text, list_of(words));
    if (suggestion.empty()) suggestion = fmt::format("; expected {}", fmt::join(words, ", "));
    return refuse(node.offset, fmt::format("unknown {} '{}'{}", key, log::printable(*text, 64), suggestion));
  }

  Result<Verdict> action_of(const JsonNode& node, std::string_view key) const {
    const auto word = word_of(node, key, kActions);
    if (!word) return failed(word);
    return *word == "allow" ? Verdict::allow : *word == "ask" ? Verdict::ask : Verdict::deny;
  }

  // A list, each item read by `read`, with its own place in errors that have none.
  template <class T, class Read>
  Result<std::vector<T>> list_of_items(const JsonNode& node, std::string_view key, std::string_view wanted,
                                       Read read) const {
    if (auto ok = expect_kind(node, Kind::array, key, wanted); !ok) return failed(ok);
    std::vector<T> list;
    for (const auto& item : node.items) {
      auto value = read(item);
      if (!value) return failed(value);
      list.push_back(std::move(*value));
    }
    return list;
  }

  // A list of strings, each turned into a T by `parse`.
  template <class T, class Parse>
  Result<std::vector<T>> parsed_strings(const JsonNode& node, std::string_view key, Parse parse) const {
    return list_of_items<T>(node, key, "a list of strings", [&](const JsonNode& item) -> Result<T> {
      if (item.kind != Kind::string) {
        return refuse(item.offset, fmt::format("'{}' must be a list of strings, not of {}", key, kind_name(item.kind)));
      }
      Result<T> value = parse(item.text);
      if (!value) return refuse(item.offset, value.error().message());
      return value;
    });
  }

  Result<std::vector<HostTerm>> read_hosts(const JsonNode& node, std::string_view key) const;
  Result<std::string> read_id(const JsonNode& rule) const;
  Result<std::string> read_reason(const JsonNode& rule) const;
  template <class Rule>
  Result<void> read_rule_start(const JsonNode& node, std::string_view hosts_key, Rule& rule,
                               std::vector<HostTerm>& hosts) const;
  Result<Schemes> read_schemes(const JsonNode& node) const;
  Result<std::vector<uint16_t>> read_ports(const JsonNode& node) const;
  Result<HttpRule> read_http_rule(const JsonNode& node) const;
  Result<DnsRule> read_dns_rule(const JsonNode& node) const;
  Result<TestEntry> read_test(const JsonNode& node) const;
  Result<ResolveEntry> read_resolve(const JsonMember& member) const;
  Result<void> read_head(const JsonNode& root, Layer& layer) const;
  Result<void> read_registries(const JsonNode& node, Layer& layer) const;
  Result<void> read_networks(const JsonNode& node, Layer& layer) const;

  std::shared_ptr<const SourceText> source_;
};

Result<std::vector<HostTerm>> LayerReader::read_hosts(const JsonNode& node, std::string_view key) const {
  const std::string wanted = "a list of hosts";
  return list_of_items<HostTerm>(node, key, wanted, [&](const JsonNode& item) -> Result<HostTerm> {
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
    auto pattern = HostPattern::parse(item.text);
    if (!pattern) return refuse(item.offset, pattern.error().message());
    term.pattern = std::move(*pattern);
    return term;
  });
}

Result<std::string> LayerReader::read_id(const JsonNode& rule) const {
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

Result<std::string> LayerReader::read_reason(const JsonNode& rule) const {
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

Result<Schemes> LayerReader::read_schemes(const JsonNode& node) const {
  const auto words = list_of_items<std::string>(
      node, "schemes", "a list of strings", [&](const JsonNode& item) { return word_of(item, "scheme", kSchemes); });
  if (!words) return failed(words);
  Schemes schemes = 0;
  for (const auto& word : *words) schemes |= word == "http" ? kHttp : kHttps;
  return schemes;
}

Result<std::vector<uint16_t>> LayerReader::read_ports(const JsonNode& node) const {
  return list_of_items<uint16_t>(node, "ports", "a list of numbers", [&](const JsonNode& item) -> Result<uint16_t> {
    if (item.kind != Kind::integer || item.integer < 1 || item.integer > 65535) {
      return refuse(item.offset, "a port is a number of 1 to 65535");
    }
    return static_cast<uint16_t>(item.integer);
  });
}

// What every kind of rule has: place, id, action and the hosts it speaks of.
template <class Rule>
Result<void> LayerReader::read_rule_start(const JsonNode& node, std::string_view hosts_key, Rule& rule,
                                          std::vector<HostTerm>& hosts) const {
  rule.place = place_of(node);
  auto id = read_id(node);
  if (!id) return failed(id);
  rule.id = std::move(*id);
  const auto action_node = required(node, "action");
  if (!action_node) return failed(action_node);
  const auto action = action_of(**action_node, "action");
  if (!action) return failed(action);
  rule.action = *action;
  const auto hosts_node = required(node, hosts_key);
  if (!hosts_node) return failed(hosts_node);
  auto read = read_hosts(**hosts_node, hosts_key);
  if (!read) return failed(read);
  hosts = std::move(*read);
  return {};
}

Result<HttpRule> LayerReader::read_http_rule(const JsonNode& node) const {
  if (auto ok = expect_kind(node, Kind::object, "http", "a list of objects"); !ok) return failed(ok);
  if (auto ok = check_keys(node, kHttpKeys, false); !ok) return failed(ok);
  HttpRule rule;
  if (auto ok = read_rule_start(node, "hosts", rule, rule.hosts); !ok) return failed(ok);

  if (const JsonNode* schemes_node = node.find("schemes")) {
    const auto schemes = read_schemes(*schemes_node);
    if (!schemes) return failed(schemes);
    rule.schemes = *schemes;
  }
  if (const JsonNode* ports_node = node.find("ports")) {
    auto ports = read_ports(*ports_node);
    if (!ports) return failed(ports);
    rule.ports = std::move(*ports);
  }
  if (const JsonNode* methods_node = node.find("methods")) {
    auto methods =
        parsed_strings<std::string>(*methods_node, "methods", [](const std::string& text) -> Result<std::string> {
          if (is_token(text) && text.size() <= kMaxMethodBytes) return text;
          return fail("'{}' is no HTTP method", log::printable(text, 64));
        });
    if (!methods) return failed(methods);
    rule.methods = std::move(*methods);
  }
  if (const JsonNode* paths_node = node.find("paths")) {
    auto paths = parsed_strings<PathGlob>(*paths_node, "paths", PathGlob::parse);
    if (!paths) return failed(paths);
    rule.paths = std::move(*paths);
  }
  auto reason = read_reason(node);
  if (!reason) return failed(reason);
  rule.reason = std::move(*reason);
  return rule;
}

Result<DnsRule> LayerReader::read_dns_rule(const JsonNode& node) const {
  if (auto ok = expect_kind(node, Kind::object, "dns", "a list of objects"); !ok) return failed(ok);
  if (auto ok = check_keys(node, kDnsKeys, false); !ok) return failed(ok);
  DnsRule rule;
  if (auto ok = read_rule_start(node, "names", rule, rule.names); !ok) return failed(ok);

  if (const JsonNode* types_node = node.find("types")) {
    auto types = parsed_strings<std::string>(*types_node, "types", [](const std::string& text) -> Result<std::string> {
      const auto known =
          std::any_of(std::begin(kDnsTypes), std::end(kDnsTypes), [&](const auto& t) { return t.name == text; });
      if (known || generic_dns_type(text)) return std::string(canonical_dns_type(text));
      std::vector<std::string_view> known_names;
      for (const auto& type : kDnsTypes) known_names.push_back(type.name);
      return fail("unknown DNS type '{}'{}", log::printable(text, 64), suggest(text, known_names));
    });
    if (!types) return failed(types);
    rule.types = std::move(*types);
  }
  auto reason = read_reason(node);
  if (!reason) return failed(reason);
  rule.reason = std::move(*reason);
  return rule;
}

Result<TestEntry> LayerReader::read_test(const JsonNode& node) const {
  if (auto ok = expect_kind(node, Kind::object, "tests", "a list of objects"); !ok) return failed(ok);
  if (auto ok = check_keys(node, kTestKeys, false); !ok) return failed(ok);
  const JsonNode* http = node.find("http");
  const JsonNode* dns = node.find("dns");
  if ((http == nullptr) == (dns == nullptr)) return refuse(node.offset, "a test has either 'http' or 'dns'");

  TestEntry test;
  test.place = place_of(node);
  test.dns = dns != nullptr;
  auto question = text_of(http != nullptr ? *http : *dns, http != nullptr ? "http" : "dns");
  if (!question) return failed(question);
  test.question = std::move(*question);
  const auto expect_node = required(node, "expect");
  if (!expect_node) return failed(expect_node);
  const auto expect = action_of(**expect_node, "expect");
  if (!expect) return failed(expect);
  test.expect = *expect;
  if (const JsonNode* rule_node = node.find("rule")) {
    auto rule = text_of(*rule_node, "rule");
    if (!rule) return failed(rule);
    test.rule = std::move(*rule);
  }
  return test;
}

Result<ResolveEntry> LayerReader::read_resolve(const JsonMember& member) const {
  auto host = HostPattern::parse(member.key);
  if (!host) return refuse(member.offset, host.error().message());
  if (host->kind != HostPattern::Kind::exact) return refuse(member.offset, "'resolve' takes exact hosts only");
  const auto text = text_of(member.value, "resolve");
  if (!text) return failed(text);

  ResolveEntry entry{host->name, {}, {source_, member.offset}};
  std::string_view address = *text;
  std::string_view port;
  if (address.starts_with('[')) {
    const size_t close = std::min(address.find(']'), address.size() - 1);
    port = address.substr(close + 1);
    address = address.substr(1, close - 1);
  } else if (const size_t colon = address.find(':'); colon != std::string_view::npos && address.rfind(':') == colon) {
    port = address.substr(colon);
    address = address.substr(0, colon);
  }
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return refuse(member.value.offset, parsed.error().message());
  entry.override.address = *parsed;
  if (port.empty()) return entry;
  const auto* end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data() + 1, end, entry.override.port);
  if (port.front() != ':' || error != std::errc() || stop != end || entry.override.port == 0) {
    return refuse(member.value.offset, fmt::format("'{}' is no ADDRESS:PORT", log::printable(*text, 64)));
  }
  return entry;
}

Result<void> LayerReader::read_head(const JsonNode& root, Layer& layer) const {
  const auto version = required(root, "version");
  if (!version) return failed(version);
  if ((*version)->kind != Kind::integer || (*version)->integer != 1) {
    return refuse((*version)->offset, "'version' must be 1, the only one there is");
  }
  if (const JsonNode* schema = root.find("$schema")) {
    if (auto text = text_of(*schema, "$schema"); !text) return failed(text);
  }
  layer.name = source_->name.substr(source_->name.rfind('/') + 1);
  if (const JsonNode* name = root.find("name")) {
    auto text = text_of(*name, "name");
    if (!text) return failed(text);
    if (!is_id(*text)) {
      return refuse(name->offset, fmt::format("a name is 1 to {} letters, digits, '-' and '_'", kMaxIdBytes));
    }
    layer.name = std::move(*text);
  }
  if (const JsonNode* unmatched = root.find("unmatched")) {
    const auto word = word_of(*unmatched, "unmatched", kUnmatched);
    if (!word) return failed(word);
    layer.pass_unmatched = *word == "pass";
    if (layer.pass_unmatched && !source_->machine_wide) {
      return refuse(unmatched->offset,
                    "'unmatched': \"pass\" is for machine-wide policies only; here it must be \"deny\"");
    }
  }
  if (const JsonNode* extends = root.find("extends")) {
    auto list = list_of_items<Extension>(
        *extends, "extends", "a list of strings", [&](const JsonNode& item) -> Result<Extension> {
          auto name = text_of(item, "extends");
          if (!name) return failed(name);
          if (!is_id(*name)) {
            return refuse(item.offset, fmt::format("'{}' is no name of a shipped policy", log::printable(*name, 64)));
          }
          return Extension{std::move(*name), place_of(item)};
        });
    if (!list) return failed(list);
    layer.extends = std::move(*list);
  }
  return {};
}

Result<void> LayerReader::read_registries(const JsonNode& node, Layer& layer) const {
  if (auto ok = expect_kind(node, Kind::object, "registries", "an object"); !ok) return failed(ok);
  if (auto ok = check_keys(node, registry_symbols(), false); !ok) return failed(ok);
  for (const auto& member : node.members) {
    auto origins = parsed_strings<RegistryOrigin>(member.value, member.key, parse_registry_origin);
    if (!origins) return failed(origins);
    layer.registries[member.key] = std::move(*origins);
  }
  return {};
}

Result<void> LayerReader::read_networks(const JsonNode& node, Layer& layer) const {
  auto networks = parsed_strings<IpNetwork>(node, "networks", [](const std::string& text) -> Result<IpNetwork> {
    if (text.ends_with("/0")) return fail("'{}' covers the whole Internet; name the private networks", text);
    return IpNetwork::parse(text);
  });
  if (!networks) return failed(networks);
  layer.networks = std::move(*networks);
  return {};
}

Result<Layer> LayerReader::read(const JsonNode& root) {
  if (root.kind != Kind::object) {
    return refuse(root.offset, fmt::format("a policy must be an object, not {}", kind_name(root.kind)));
  }
  if (auto ok = check_keys(root, kPolicyKeys, true); !ok) return failed(ok);
  Layer layer;
  layer.place = place_of(root);
  if (auto ok = read_head(root, layer); !ok) return failed(ok);

  if (const JsonNode* http = root.find("http")) {
    auto rules =
        list_of_items<HttpRule>(*http, "http", "a list of objects", [&](const auto& n) { return read_http_rule(n); });
    if (!rules) return failed(rules);
    layer.http = std::move(*rules);
  }
  if (const JsonNode* dns = root.find("dns")) {
    auto rules =
        list_of_items<DnsRule>(*dns, "dns", "a list of objects", [&](const auto& n) { return read_dns_rule(n); });
    if (!rules) return failed(rules);
    layer.dns = std::move(*rules);
  }
  if (const JsonNode* tests = root.find("tests")) {
    auto list =
        list_of_items<TestEntry>(*tests, "tests", "a list of objects", [&](const auto& n) { return read_test(n); });
    if (!list) return failed(list);
    layer.tests = std::move(*list);
  }
  if (const JsonNode* resolve = root.find("resolve")) {
    if (auto ok = expect_kind(*resolve, Kind::object, "resolve", "an object"); !ok) return failed(ok);
    for (const auto& member : resolve->members) {
      auto entry = read_resolve(member);
      if (!entry) return failed(entry);
      layer.resolve.push_back(std::move(*entry));
    }
  }
  if (const JsonNode* registries = root.find("registries")) {
    if (auto ok = read_registries(*registries, layer); !ok) return failed(ok);
  }
  if (const JsonNode* networks = root.find("networks")) {
    if (auto ok = read_networks(*networks, layer); !ok) return failed(ok);
  }
  return layer;
}

}  // namespace

std::span<const ObjectKeys> object_keys() { return kObjectKeys; }

std::string_view canonical_dns_type(std::string_view type) {
  const auto number = generic_dns_type(type);
  if (!number) return type;
  for (const auto& known : kDnsTypes) {
    if (known.number == *number) return known.name;
  }
  return type;
}

Result<Layer> read_layer(std::shared_ptr<const SourceText> source) {
  const auto root = parse_json(*source);
  if (!root) return failed(root);
  return LayerReader(std::move(source)).read(*root);
}

}  // namespace gatehouse::policy
