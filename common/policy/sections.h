// The sections of a policy file: for each the words it knows, and what reads it. `section` is the value of its key.
#pragma once

#include "common/policy/field_reader.h"

namespace gatehouse::policy {

inline constexpr std::string_view kHttpKeys[] = {"id",    "action",  "hosts", "schemes",
                                                 "ports", "methods", "paths", "reason"};
Result<std::vector<HttpRule>> read_http(const FieldReader& reader, const JsonNode& section);
Result<std::vector<uint16_t>> read_ports(const FieldReader& reader, const JsonNode& node);  // of "ports"

inline constexpr std::string_view kDnsKeys[] = {"id", "action", "names", "types", "reason"};
Result<std::vector<DnsRule>> read_dns(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kDlpKeys[] = {"deny", "redact", "warn", "exempt"};
inline constexpr std::string_view kExemptionKeys[] = {"id", "rule", "hosts", "reason"};
Result<DlpRules> read_dlp(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kLimitKeys[] = {"request_body", "decoded_bytes", "decode_depth", "scan_time"};
Result<SaidLimits> read_limits(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kSecretKeys[] = {"from", "hosts", "ports", "as", "inject", "placeholder"};
Result<std::vector<SecretEntry>> read_secrets(const FieldReader& reader, const JsonNode& section);

inline constexpr std::string_view kTestKeys[] = {"http", "dns", "dlp", "expect", "rule"};
Result<std::vector<TestEntry>> read_tests(const FieldReader& reader, const JsonNode& section);

// "resolve", "registries" and "networks": where hosts are.
Result<std::vector<ResolveEntry>> read_resolve(const FieldReader& reader, const JsonNode& section);
Result<std::map<std::string, std::vector<RegistryOrigin>>> read_registries(const FieldReader& reader,
                                                                           const JsonNode& section);
Result<std::vector<IpNetwork>> read_networks(const FieldReader& reader, const JsonNode& section);

}  // namespace gatehouse::policy
