// A policy file as written: checked word for word, not yet joined with what it extends, nor compiled.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/verdict.h"
#include "common/policy/argument_condition.h"
#include "common/policy/credential.h"
#include "common/policy/field_condition.h"
#include "common/policy/git.h"
#include "common/policy/host_pattern.h"
#include "common/policy/mcp.h"
#include "common/policy/path_glob.h"
#include "common/policy/policy.h"
#include "common/policy/question.h"
#include "common/policy/registries.h"
#include "common/policy/source_text.h"
#include "common/policy/upstream_proxy.h"
#include "common/policy/uri_glob.h"

namespace gatehouse::policy {

// One entry of "hosts" or "names": a pattern, or a symbol such as "@npm".
struct HostTerm {
  HostPattern pattern;
  std::string symbol;  // "" for a pattern
  Place place;
};

// Which of the schemes, as a set. A WebSocket's opening is a request of scheme ws or wss, and of no other.
using Schemes = uint8_t;
inline constexpr Schemes kHttp = 1;
inline constexpr Schemes kHttps = 2;
inline constexpr Schemes kWs = 4;
inline constexpr Schemes kWss = 8;
inline constexpr Schemes kAnyScheme = kHttp | kHttps | kWs | kWss;
inline constexpr std::string_view kSchemeNames[] = {"http", "https", "ws", "wss"};  // in the order of their bits
Schemes scheme_named(std::string_view name);                                        // none for another name
inline bool is_over_tls(std::string_view scheme) { return scheme == "https" || scheme == "wss"; }

struct HttpRule {
  std::string id;
  Verdict action = Verdict::deny;
  std::vector<HostTerm> hosts;
  std::optional<Schemes> schemes;              // not said: https; any for a denial
  std::optional<std::vector<uint16_t>> ports;  // not said: the scheme's own; any for a denial
  std::optional<std::vector<std::string>> methods;
  std::optional<std::vector<PathGlob>> paths;
  FieldConditions query;    // of the query's parameters
  FieldConditions headers;  // of the header fields
  std::optional<uint64_t> request_body_bytes;
  std::optional<uint64_t> response_body_bytes;
  std::optional<Allowance> budget;
  bool passthrough = false;  // "tls": it speaks of TLS connections as a whole, not of requests
  std::string reason;
  Place place;
};

// One entry of "remotes": "https://github.com/acme/*.git".
struct RemotePattern {
  HostPattern host;
  uint16_t port = 443;
  PathGlob path;  // without ".git" at its end
  std::string text;

  bool matches(const GitRemote& remote, Case letters) const;
};

// What a git rule lets be pushed. Lists of names and globs that are absent are empty but where it says otherwise.
enum class SignedPush { denied, allowed, required };

struct GitPush {
  std::vector<PathGlob> branches;  // all with a slash in front
  std::vector<PathGlob> tags;
  std::vector<PathGlob> protects;  // branches and tags that nobody may touch
  bool create = true;
  bool update = true;
  bool remove = false;
  bool force = false;
  bool push_options = false;
  bool lfs = false;     // objects of Git LFS may be uploaded
  bool atomic = false;  // of several refs all or none
  SignedPush signature = SignedPush::denied;
  std::optional<uint64_t> objects;
  std::optional<uint64_t> pack_bytes;
  std::optional<uint64_t> file_bytes;
  std::optional<std::vector<PathGlob>> unchanged;
  std::optional<std::vector<HostPattern>> submodules;  // not said: the remote's own host
  std::optional<std::vector<HostPattern>> lfs_hosts;   // likewise
  std::optional<std::vector<std::string>> authors;     // not said: anybody
  std::optional<std::vector<std::string>> trailers;
};

struct GitRule {
  std::string id;
  Verdict action = Verdict::deny;
  std::vector<RemotePattern> remotes;
  bool fetch = true;            // whether it speaks of fetching; of pushing a denial always does
  std::optional<GitPush> push;  // of one that allows or asks; not said: nothing
  std::string reason;
  Place place;

  bool names(const GitRemote& remote) const;
};

enum class McpSubject { tool, resource, prompt };

struct McpRule {
  McpSubject subject = McpSubject::tool;
  std::string id;
  Verdict action = Verdict::deny;
  std::string server;                        // a glob
  std::vector<std::string> names;            // globs, of tools or prompts
  std::vector<UriGlob> uris;                 // of resources
  std::vector<ArgumentCondition> arguments;  // of tools
  std::optional<uint64_t> result_bytes;
  std::optional<Allowance> budget;       // of all that it lets through
  std::optional<Allowance> tool_budget;  // of each tool by itself
  std::string reason;
  Place place;
  Place server_place;
};

struct McpServerEntry {
  McpServer server;
  Place place;
  Place names_place;  // of "names", if it is said
};

struct McpRules {
  std::vector<McpServerEntry> servers;
  std::vector<McpRule> rules;
};

struct DnsRule {
  std::string id;
  Verdict action = Verdict::deny;
  std::vector<HostTerm> names;
  std::optional<std::vector<std::string>> types;  // canonical
  std::string reason;
  Place place;
};

struct ResolveEntry {
  std::string host;
  ResolveOverride override;
  Place place;
};

// One entry of the "dlp" lists "deny", "redact" and "warn".
struct ListedFinding {
  FindingSelector selector;
  FindingAction action = FindingAction::deny;
};

struct Exemption {
  std::string id;
  FindingSelector rule;
  std::vector<HostTerm> hosts;
  // Instead of hosts: of a push to these, objects by id or files by path (with a slash in front).
  std::vector<RemotePattern> remotes;
  std::vector<PathGlob> paths;
  std::vector<std::string> objects;
  std::string reason;
  Place place;

  bool covers(const GitPlace& found) const;
};

struct DlpRules {
  std::vector<ListedFinding> listed;
  std::vector<Exemption> exempt;
};

// Those of Limits that a layer says.
struct SaidLimits {
  std::optional<uint64_t> request_body_bytes;
  std::optional<uint64_t> decoded_bytes;
  std::optional<int> decode_depth;
  std::optional<std::chrono::milliseconds> scan_time;
  std::optional<std::chrono::milliseconds> approval_time;
  std::optional<std::chrono::milliseconds> connect_time;
  std::optional<std::chrono::milliseconds> first_byte_time;
  std::optional<std::chrono::milliseconds> idle_time;
  std::optional<std::chrono::milliseconds> handshake_time;
  std::optional<std::chrono::milliseconds> head_time;
  std::optional<std::chrono::milliseconds> request_time;
  std::optional<std::chrono::milliseconds> websocket_idle_time;
  Allowance session;
  Allowance host;

  void narrow(const SaidLimits& other);  // to the narrower of both, each for itself
  Limits over(Limits defaults) const;
};

// Where a secret goes, when it goes anywhere: Credential with hosts as written.
struct CredentialEntry {
  std::vector<HostTerm> hosts;
  std::vector<uint16_t> ports;  // none: 443, or the registry's own
  Credential credential;        // without its hosts
};

inline constexpr uint16_t kHttpsPort = 443;

// What the proxy shows a host that asks who it is: names of secrets. ClientIdentity with hosts as written.
struct ClientCertificate {
  std::vector<HostTerm> hosts;
  std::vector<uint16_t> ports;  // none: 443, or the registry's own
  std::string certificate;
  std::string key;
  Place place;
};

struct TlsRules {
  std::vector<ClientCertificate> client_certificates;
};

struct SecretEntry {
  SecretSource source;
  std::optional<CredentialEntry> bound;
  Place place;
};

struct TestEntry {
  QuestionKind kind = QuestionKind::http;
  std::string question;  // "GET https://host/path", "A name", "rule host", "server tool", "server uri"...
  std::vector<std::pair<std::string, std::string>> headers;  // of http
  std::string arguments;                                     // of mcp: JSON
  Verdict expect = Verdict::deny;                            // of http and dns
  FindingAction expect_finding = FindingAction::deny;        // of dlp
  std::string rule;                                          // "" for any; of dlp the exemption
  Place place;
};

struct Extension {
  std::string name;
  Place place;
};

struct Layer {
  std::string name;
  Place place;
  bool pass_unmatched = false;
  std::vector<Extension> extends;
  std::map<std::string, std::vector<RegistryOrigin>> registries;
  std::vector<HttpRule> http;
  std::vector<DnsRule> dns;
  std::vector<GitRule> git;
  McpRules mcp;
  std::vector<ResolveEntry> resolve;
  std::optional<std::vector<IpNetwork>> networks;
  std::optional<UpstreamProxy> upstream_proxy;
  DlpRules dlp;
  TlsRules tls;
  SaidLimits limits;
  std::vector<SecretEntry> secrets;
  std::vector<TestEntry> tests;
};

// The keys of each kind of object, for the reader, for suggestions and for the schema's test.
struct ObjectKeys {
  std::string_view kind;  // "policy", "http", "git", "mcp", "dns", "dlp", "exemption", "limits", "secret", "test"
  std::span<const std::string_view> keys;
};
std::span<const ObjectKeys> object_keys();

// "HTTPS" for "TYPE65" (RFC 3597 section 5): the type's own name where we know it, else `type` itself.
std::string_view canonical_dns_type(std::string_view type);

// Reads one file. Errors name the place. What needs other files (extends) or the host's configuration (symbols) is left
// as written.
Result<Layer> read_layer(std::shared_ptr<const SourceText> source);

}  // namespace gatehouse::policy
