// The sections of a policy file: for each the words it knows, and what reads it. `section` is the value of its key.
#pragma once

#include "common/policy/field_reader.h"

namespace gatehouse::policy {

inline constexpr std::string_view kHttpKeys[] = {
    "id",    "action",  "hosts",        "schemes",       "ports",  "methods", "paths",
    "query", "headers", "request_body", "response_body", "budget", "reason",  "tls"};
Result<std::vector<HttpRule>> read_http(const FieldReader& reader, const JsonNode& section);
Result<std::vector<uint16_t>> read_ports(const FieldReader& reader, const JsonNode& node);  // of "ports"

// "query" and "headers" of an http rule, and "headers" of a test.
Result<FieldConditions> read_query_conditions(const FieldReader& reader, const JsonNode& node);
Result<FieldConditions> read_header_conditions(const FieldReader& reader, const JsonNode& node);
Result<std::vector<std::pair<std::string, std::string>>> read_test_headers(const FieldReader& reader,
                                                                           const JsonNode& node);

// "32MiB", or a number of bytes.
struct SizeRange {
  uint64_t least;
  uint64_t most;
  std::string_view words;  // "1KiB to 4GiB"
};
inline constexpr SizeRange kRuleBodyRange{0, uint64_t{1} << 40, "0 to 1024GiB"};
Result<uint64_t> read_size(const FieldReader& reader, const JsonNode& node, std::string_view key,
                           const SizeRange& range);

inline constexpr std::string_view kGitKeys[] = {"id", "action", "remotes", "fetch", "push", "reason"};
inline constexpr std::string_view kGitPushKeys[] = {"branches",  "tags",      "protected",    "create",  "update",
                                                    "delete",    "force",     "push_options", "objects", "pack_size",
                                                    "file_size", "unchanged", "submodules",   "authors", "trailers",
                                                    "lfs",       "lfs_hosts", "signed",       "atomic"};
// "remotes", which are to be as narrow as an action that lets something go needs it, and globs of a repository's paths.
Result<std::vector<RemotePattern>> read_remotes(const FieldReader& reader, const JsonNode& node, Verdict action);
Result<PathGlob> parse_repository_glob(const std::string& text);
Result<std::vector<GitRule>> read_git(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kMcpKeys[] = {"servers", "tools", "resources", "prompts"};
inline constexpr std::string_view kMcpServerKeys[] = {"command",           "url",    "cwd",     "env",
                                                      "call_time",         "budget", "sandbox", "new_tools",
                                                      "shares_names_with", "names",  "asks",    "oauth"};
inline constexpr std::string_view kMcpOauthKeys[] = {"authorization_servers", "grant", "client_id", "client_secret",
                                                     "scopes"};
inline constexpr std::string_view kMcpSandboxKeys[] = {"read", "write", "network"};
inline constexpr std::string_view kMcpToolKeys[] = {"id",          "action", "server",      "tools", "arguments",
                                                    "result_size", "budget", "tool_budget", "reason"};
inline constexpr std::string_view kMcpResourceKeys[] = {"id",          "action", "server", "uris",
                                                        "result_size", "budget", "reason"};
inline constexpr std::string_view kMcpPromptKeys[] = {"id",          "action", "server", "prompts",
                                                      "result_size", "budget", "reason"};
inline constexpr std::string_view kMcpArgumentKeys[] = {"type",
                                                        "const",
                                                        "enum",
                                                        "glob",
                                                        "regex",
                                                        "path",
                                                        "minimum",
                                                        "maximum",
                                                        "minLength",
                                                        "maxLength",
                                                        "url",
                                                        "minItems",
                                                        "maxItems",
                                                        "items",
                                                        "properties",
                                                        "required",
                                                        "additionalProperties",
                                                        "anyOf"};
Result<McpRules> read_mcp(const FieldReader& reader, const JsonNode& section);
// "oauth" of a server that has a "url".
Result<McpOauth> read_mcp_oauth(const FieldReader& reader, const JsonNode& node);
// "tools", "resources" or "prompts" of it, "arguments" of one of the first, and a budget under `key`, if it is there.
Result<std::vector<McpRule>> read_mcp_rules(const FieldReader& reader, const JsonNode& list, McpSubject subject);
Result<std::vector<ArgumentCondition>> read_mcp_arguments(const FieldReader& reader, const JsonNode& node);
Result<void> read_budget(const FieldReader& reader, const JsonNode& node, std::string_view key,
                         std::optional<Allowance>& into);

inline constexpr std::string_view kDnsKeys[] = {"id", "action", "names", "types", "reason"};
Result<std::vector<DnsRule>> read_dns(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kDlpKeys[] = {"deny", "redact", "warn", "exempt"};
inline constexpr std::string_view kExemptionKeys[] = {"id", "rule", "hosts", "remotes", "paths", "objects", "reason"};
Result<DlpRules> read_dlp(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kLimitKeys[] = {
    "request_body",    "decoded_bytes", "decode_depth",   "scan_time", "approval_time", "connect_time",
    "first_byte_time", "idle_time",     "handshake_time", "head_time", "request_time",  "websocket_idle_time",
    "session",         "host"};
inline constexpr std::string_view kAllowanceKeys[] = {"requests", "bytes_out", "bytes_in", "requests_per_minute"};
Result<Allowance> read_allowance(const FieldReader& reader, const JsonNode& node, std::string_view key);

// A time that something is waited for: 1s to 1h.
Result<std::chrono::milliseconds> read_waiting_time(const FieldReader& reader, const JsonNode& node,
                                                    std::string_view key);

Result<SaidLimits> read_limits(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kSecretKeys[] = {"from", "hosts", "ports", "as", "inject", "placeholder"};
Result<std::vector<SecretEntry>> read_secrets(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kTlsKeys[] = {"client_certificates"};
inline constexpr std::string_view kClientCertificateKeys[] = {"hosts", "ports", "certificate", "key"};
Result<TlsRules> read_tls(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kTestKeys[] = {"http",     "headers", "git", "tls", "mcp",    "arguments",
                                                 "resource", "prompt",  "dns", "dlp", "expect", "rule"};
Result<std::vector<TestEntry>> read_tests(const FieldReader& reader, const JsonNode& section);

// "resolve", "registries", "upstream_proxy" and "networks": where hosts are.
Result<std::vector<ResolveEntry>> read_resolve(const FieldReader& reader, const JsonNode& section);
Result<std::map<std::string, std::vector<RegistryOrigin>>> read_registries(const FieldReader& reader,
                                                                           const JsonNode& section);
inline constexpr std::string_view kUpstreamProxyKeys[] = {"url", "credential", "except"};
Result<std::optional<UpstreamProxy>> read_upstream_proxy(const FieldReader& reader, const JsonNode& section);
Result<std::vector<IpNetwork>> read_networks(const FieldReader& reader, const JsonNode& section);

}  // namespace gatehouse::policy
