// A policy file as a whole: its head, and its sections in turn.
#include "common/policy/layer.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

Schemes scheme_named(std::string_view name) {
  for (size_t i = 0; i < std::size(kSchemeNames); ++i) {
    if (kSchemeNames[i] == name) return static_cast<Schemes>(1U << i);
  }
  return 0;
}

namespace {

constexpr std::string_view kPolicyKeys[] = {"$schema",        "version", "name",   "extends", "unmatched", "registries",
                                            "http",           "git",     "mcp",    "dns",     "resolve",   "networks",
                                            "upstream_proxy", "dlp",     "limits", "secrets", "tls",       "tests"};
constexpr ObjectKeys kObjectKeys[] = {{"policy", kPolicyKeys},
                                      {"http", kHttpKeys},
                                      {"git", kGitKeys},
                                      {"gitPush", kGitPushKeys},
                                      {"mcp", kMcpKeys},
                                      {"mcpServer", kMcpServerKeys},
                                      {"mcpOauth", kMcpOauthKeys},
                                      {"mcpTool", kMcpToolKeys},
                                      {"mcpResource", kMcpResourceKeys},
                                      {"mcpPrompt", kMcpPromptKeys},
                                      {"argument", kMcpArgumentKeys},
                                      {"dns", kDnsKeys},
                                      {"dlp", kDlpKeys},
                                      {"exemption", kExemptionKeys},
                                      {"limits", kLimitKeys},
                                      {"allowance", kAllowanceKeys},
                                      {"secret", kSecretKeys},
                                      {"tls", kTlsKeys},
                                      {"upstreamProxy", kUpstreamProxyKeys},
                                      {"clientCertificate", kClientCertificateKeys},
                                      {"test", kTestKeys}};

constexpr std::string_view kUnmatched[] = {"deny", "pass"};

Result<void> read_name(const FieldReader& reader, const JsonNode& root, Layer& layer) {
  layer.name = reader.source().name.substr(reader.source().name.rfind('/') + 1);
  const JsonNode* name = root.find("name");
  if (name == nullptr) return {};
  auto text = reader.text_of(*name, "name");
  if (!text) return failed(text);
  if (!is_id(*text)) {
    return reader.refuse(name->offset, fmt::format("a name is 1 to {} letters, digits, '-' and '_'", kMaxIdBytes));
  }
  layer.name = std::move(*text);
  return {};
}

Result<void> read_unmatched(const FieldReader& reader, const JsonNode& node, Layer& layer) {
  const auto word = reader.word_of(node, "unmatched", kUnmatched);
  if (!word) return failed(word);
  layer.pass_unmatched = *word == "pass";
  if (layer.pass_unmatched && !reader.source().machine_wide) {
    return reader.refuse(node.offset,
                         "'unmatched': \"pass\" is for machine-wide policies only; here it must be \"deny\"");
  }
  return {};
}

Result<std::vector<Extension>> read_extends(const FieldReader& reader, const JsonNode& node) {
  return reader.list_of_items<Extension>(
      node, "extends", "a list of strings", [&](const JsonNode& item) -> Result<Extension> {
        auto name = reader.text_of(item, "extends");
        if (!name) return failed(name);
        if (!is_id(*name)) {
          return reader.refuse(item.offset,
                               fmt::format("'{}' is no name of a shipped policy", log::printable(*name, 64)));
        }
        return Extension{std::move(*name), reader.place_of(item)};
      });
}

Result<void> read_head(const FieldReader& reader, const JsonNode& root, Layer& layer) {
  const auto version = reader.required(root, "version");
  if (!version) return failed(version);
  if ((*version)->kind != JsonNode::Kind::integer || (*version)->integer != 1) {
    return reader.refuse((*version)->offset, "'version' must be 1, the only one there is");
  }
  if (const JsonNode* schema = root.find("$schema")) {
    if (auto text = reader.text_of(*schema, "$schema"); !text) return failed(text);
  }
  if (auto ok = read_name(reader, root, layer); !ok) return ok;
  if (const JsonNode* unmatched = root.find("unmatched")) {
    if (auto ok = read_unmatched(reader, *unmatched, layer); !ok) return ok;
  }
  if (const JsonNode* extends = root.find("extends")) {
    auto list = read_extends(reader, *extends);
    if (!list) return failed(list);
    layer.extends = std::move(*list);
  }
  return {};
}

// Reads the section under `key`, if it is there, into `member`.
template <class T, class U>
Result<void> read_section(const FieldReader& reader, const JsonNode& root, std::string_view key,
                          Result<T> (*read)(const FieldReader&, const JsonNode&), U& member) {
  const JsonNode* section = root.find(key);
  if (section == nullptr) return {};
  auto value = read(reader, *section);
  if (!value) return failed(value);
  member = std::move(*value);
  return {};
}

Result<void> read_sections(const FieldReader& reader, const JsonNode& root, Layer& layer) {
  if (auto ok = read_section(reader, root, "http", read_http, layer.http); !ok) return ok;
  if (auto ok = read_section(reader, root, "git", read_git, layer.git); !ok) return ok;
  if (auto ok = read_section(reader, root, "mcp", read_mcp, layer.mcp); !ok) return ok;
  if (auto ok = read_section(reader, root, "dns", read_dns, layer.dns); !ok) return ok;
  if (auto ok = read_section(reader, root, "dlp", read_dlp, layer.dlp); !ok) return ok;
  if (auto ok = read_section(reader, root, "limits", read_limits, layer.limits); !ok) return ok;
  if (auto ok = read_section(reader, root, "secrets", read_secrets, layer.secrets); !ok) return ok;
  if (auto ok = read_section(reader, root, "tls", read_tls, layer.tls); !ok) return ok;
  if (auto ok = read_section(reader, root, "tests", read_tests, layer.tests); !ok) return ok;
  if (auto ok = read_section(reader, root, "resolve", read_resolve, layer.resolve); !ok) return ok;
  if (auto ok = read_section(reader, root, "registries", read_registries, layer.registries); !ok) return ok;
  if (auto ok = read_section(reader, root, "upstream_proxy", read_upstream_proxy, layer.upstream_proxy); !ok) return ok;
  return read_section(reader, root, "networks", read_networks, layer.networks);
}

}  // namespace

std::span<const ObjectKeys> object_keys() { return kObjectKeys; }

Result<Layer> read_layer(std::shared_ptr<const SourceText> source) {
  const auto root = parse_json(*source);
  if (!root) return failed(root);
  const FieldReader reader(std::move(source));
  if (root->kind != JsonNode::Kind::object) {
    return reader.refuse(root->offset, fmt::format("a policy must be an object, not {}", kind_name(root->kind)));
  }
  if (auto ok = reader.check_keys(*root, kPolicyKeys); !ok) return failed(ok);
  Layer layer;
  layer.place = reader.place_of(*root);
  if (auto ok = read_head(reader, *root, layer); !ok) return failed(ok);
  if (auto ok = read_sections(reader, *root, layer); !ok) return failed(ok);
  return layer;
}

}  // namespace gatehouse::policy
