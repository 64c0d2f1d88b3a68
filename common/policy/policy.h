// What a session may do. Pure: files' contents in, verdicts out; no sockets, no clock.
//
// A policy is one or more layers (machine-wide files, then the session's file). Within a layer the strictest rule that
// matches wins and no match denies; across layers the strictest verdict wins, so a layer can narrow another and never
// widen it. A machine-wide layer may say "unmatched": "pass" and then has no opinion where no rule of its own matches.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/result.h"
#include "common/base/verdict.h"
#include "common/policy/credential.h"
#include "common/policy/git.h"
#include "common/policy/mcp.h"
#include "common/policy/quota.h"
#include "common/policy/source_text.h"
#include "common/policy/upstream_proxy.h"

namespace gatehouse::policy {

inline constexpr size_t kMaxPolicyBytes = 4 << 20;
inline constexpr int kMaxPolicyDepth = 32;
inline constexpr size_t kMaxSnapshotBytes = 64 << 20;

// A header field; the value without surrounding whitespace.
struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// One request as the proxy understands it. `host` is a lower-case name without final dot; `path` is the request target
// in origin form, with or without query; `fields` are those that would be forwarded.
struct HttpRequest {
  std::string_view scheme;  // "http" or "https"; of what opens a WebSocket "ws" or "wss"
  std::string_view host;
  uint16_t port = 0;
  std::string_view method;
  std::string_view path;
  std::span<const HeaderField> fields = {};
};

// What a rule bounds: no limit is the largest number. `rule` is who says so.
struct BodyLimit {
  uint64_t bytes = std::numeric_limits<uint64_t>::max();
  std::string rule;
};

// What a request that is not denied is bound to: of all rules of all layers that match it, the narrowest.
struct HttpTerms {
  BodyLimit request_body;
  BodyLimit response_body;
  std::vector<Quota> quotas;  // each of which must have something left: the session's, the host's, and those of rules
};
struct HttpDecision : Decision {
  HttpTerms terms;  // of no meaning for a denial
  GitService git = GitService::none;
};

// A TLS connection, before anything within it is known.
struct TlsQuestion {
  std::string_view host;  // lower case, without final dot
  uint16_t port = 0;
};

struct DnsQuestion {
  std::string_view name;  // lower case, without the final dot
  std::string_view type;  // "A", "AAAA"...
};

// Where in a push something was found.
struct GitPlace {
  GitRemote remote;
  std::string_view object;  // id
  std::string_view path;    // of a file, by which the object can be reached; empty: none
};

// Something the scanner found on its way to `host`.
struct FindingQuestion {
  std::string_view rule;      // "github-pat", or built in: "known-secret", "canary", "secret-fragment"...
  std::string_view category;  // "credentials", "known-secrets", "canaries", "personal-data", "entropy", "injection"...
  FindingAction severity = FindingAction::deny;  // what the rule asks for where no layer says anything
  std::string_view host;                         // as judged; for DNS the name asked for
  std::optional<GitPlace> git = {};              // of a push, once that is known
};

struct FindingDecision {
  FindingAction action = FindingAction::deny;
  std::string exemption;  // id of the exemption that decided; empty unless action is exempt
  std::string cause;      // in words: "policy 'demo' lists 'credentials' in \"deny\""
};

// One of the scanner's rules, as far as a policy needs to know it: rule files are not read here.
struct FindingRule {
  std::string id;
  std::string category;
  FindingAction severity = FindingAction::deny;
};

// The rules that are in no rule file: "known-secret", "canary", "decode-budget"...
const std::vector<FindingRule>& built_in_finding_rules();

// "credentials", "private-keys"...: the words that select a whole kind of rules.
std::span<const std::string_view> finding_categories();

// A rule or category that a "dlp" list, an exemption or a test names. Whether there is such a rule is not known here.
struct FindingSelector {
  std::string name;
  bool is_category = false;
  Place place;  // place.error(message) reads "file:line:column: message"
};

// What a session is given and may spend. The narrowest of all layers wins; what no layer says is as here.
struct Limits {
  uint64_t request_body_bytes = 32 << 20;              // "request_body": over it, denied
  uint64_t decoded_bytes = 256 << 20;                  // "decoded_bytes": of all decodings of one stream together
  int decode_depth = 8;                                // "decode_depth": encodings within encodings
  std::chrono::milliseconds scan_time{10'000};         // "scan_time": of one request's scan
  std::chrono::milliseconds approval_time{300'000};    // "approval_time": a person has for a decision
  std::chrono::milliseconds connect_time{20'000};      // "connect_time": look-up, connecting and handshake together
  std::chrono::milliseconds first_byte_time{300'000};  // "first_byte_time": from the request's end to the response
  std::chrono::milliseconds idle_time{120'000};        // "idle_time": without a byte either way
  std::chrono::milliseconds handshake_time{30'000};    // "handshake_time": for TLS with the guest
  std::chrono::milliseconds head_time{30'000};         // "head_time": for a request's head, from its first byte on
  std::chrono::milliseconds request_time{600'000};     // "request_time": for a request's body to come from the guest
  std::chrono::milliseconds websocket_idle_time{600'000};  // "websocket_idle_time": idle_time's like, of a WebSocket
  Allowance session;                                       // "session": of all requests together
  Allowance host;                                          // "host": of each host by itself
};

// A value that must not leave. The launcher reads it; it is never in the policy itself.
struct SecretSource {
  enum class From { environment, file, command };
  std::string name;
  From from = From::environment;
  std::string where;                 // the variable, or the path
  std::vector<std::string> command;  // of From::command: program and arguments

  bool operator==(const SecretSource&) const = default;
};

// Where a name that is deliberately local really is.
struct ResolveOverride {
  IpAddress address;
  uint16_t port = 0;  // 0: the port the request names
};

// Where a policy's text comes from.
struct Source {
  std::string name;  // as shown in errors: the path
  std::string text;
  bool machine_wide = false;  // from /etc/gatehouse/policy.d
};

// One entry of a policy's own `tests`, and what came of it.
struct TestOutcome {
  std::string source;  // file
  int line = 0;
  std::string test;      // "GET https://api.example.com/x"
  std::string expected;  // "deny", or "deny by rule-id"
  std::string verdict;   // what came of it: "deny by rule-id", "redact"
  std::string reason;
  bool passed = false;
};

class Policy {
 public:
  // Reads and compiles all layers. The first error names file:line:column, the key, and the nearest valid word. What is
  // refused: no layer at all, text that is no JSON (comments allowed), over kMaxPolicyBytes or kMaxPolicyDepth, unknown
  // or duplicate keys, wrong types, duplicate rule ids, bad globs, host patterns that cover a whole public suffix ("*",
  // "*.com", "**"), bad addresses and networks, an unknown "extends" or registry symbol, "unmatched" in a session's
  // file, a "dlp" selector in two lists of one file, an exemption without hosts, limits out of their range.
  static Result<Policy> parse(const std::vector<Source>& layers);

  // Reads /etc/gatehouse/policy.d/*.json (sorted; machine-wide layers), then `files`. Shipped policies named by
  // "extends" are looked up in `policies_directory()`.
  static Result<Policy> load(const std::vector<std::string>& files);

  // All that was read for this policy, as one text: layers, what they extend, and where registries are. Another process
  // gets the same policy from it, whatever has become of the files.
  std::string snapshot() const;
  static Result<Policy> from_snapshot(std::string_view text);
  static Result<Policy> load_snapshot(const std::string& file);

  // Refuses a policy that cannot take the place of `started`, that with which the session was started, while it runs:
  // its secrets are others, or go to hosts as none of then. Where else, and how, a credential goes may change.
  Result<void> check_replaces(const Policy& started) const;

  // Copies share what is compiled, which never changes.
  Policy(const Policy&) = default;
  Policy& operator=(const Policy&) = default;

  // The strictest verdict on this request. Built-in denials have dotted ids: "default-deny", "path.ambiguous",
  // "host.invalid", "host.address".
  HttpDecision judge(const HttpRequest& request) const;
  // Whether any rule asks for header fields: otherwise HttpRequest::fields need not be filled in.
  bool asks_for_fields() const;

  // Whether a ref of that remote may be made, changed or removed so: each layer must have a git rule that lets it.
  // Built-in denials: "git.branch", "git.tag", "git.ref", "git.create", "git.update", "git.delete", "git.force",
  // "git.protected".
  Decision judge(const GitRemote& remote, const RefUpdate& update) const;
  // Whether objects of Git LFS may be uploaded there ("git.lfs").
  Decision judge_lfs_upload(const GitRemote& remote) const;
  GitTerms git_terms(const GitRemote& remote) const;
  // Whether any rule lets anything be pushed, so that a gate for it is needed.
  bool lets_push() const;
  // Each "https://host[:port]" that a rule which does not deny names exactly.
  std::vector<std::string> git_hosts() const;

  // Whether this connection's TLS goes through as it is, uninspected. A denial ("tls.intercepted", or the rule that is
  // in the way) means no more than that it does not: its requests are then judged one by one. Allowed only by a rule
  // with "tls": "passthrough" for this host and port in every layer that has a say: a layer without such a rule has one
  // if it denies what it does not name, names the host, or has what leaves looked through; and a layer with one that
  // denies or asks about the host elsewhere contradicts itself. Of the terms, the quotas alone count.
  HttpDecision judge(const TlsQuestion& question) const;
  // Whether any rule is of that kind.
  bool has_passthrough() const;

  // The strictest verdict on this call of a tool. A rule that denies or asks takes letters in either case as the same,
  // and denies where a server may take the arguments so that they meet its conditions.
  McpDecision judge(const McpCall& call) const;
  // Whether any call of that tool can be allowed, or asked for: otherwise it need not be shown.
  bool may_call(std::string_view server, std::string_view tool) const;
  // Likewise of reading a resource: a rule that denies or asks takes for its own what a server may take the URI for;
  // and of having a prompt. Built-in denials: "mcp.uri", of a URI without a safe reading (ResourceUri).
  McpDecision judge(const McpRead& read) const;
  McpDecision judge(const McpPrompt& prompt) const;
  bool may_read(std::string_view server, std::string_view uri) const;
  // Whether some rule could let anything of that server be read.
  bool may_read_some(std::string_view server) const;
  bool may_prompt(std::string_view server, std::string_view prompt) const;
  // Of all layers, in the order written. One name with two different commands is refused at load, and so is one whose
  // resources would be shown as another's are.
  const std::vector<McpServer>& mcp_servers() const;

  // Whether this name may be looked up: an explicit dns rule says so, or some http or git rule that does not deny
  // covers it (an mcp rule never: the gateway does not let guests reach servers by name). Names that are never
  // resolvable: single-label, numeric, "localhost", ".local", ".internal" and the like, unless a rule or a resolve
  // override names them exactly.
  Decision judge(const DnsQuestion& question) const;

  // Nothing when `host` is to be looked up in the real DNS.
  std::optional<ResolveOverride> resolve_override(std::string_view host) const;

  // Whether the proxy may dial `address` for a name that was looked up: globally routable, or in a network that every
  // opinionated layer lists in "networks". Denials: "address.<kind>".
  Decision judge_address(const IpAddress& address) const;

  // What becomes of a finding: in each layer the strictest of "dlp"'s lists that names its rule or its category, else
  // the rule's own severity, unless an exemption names both its rule and its host, or its place in a push; over all
  // layers the strictest. A machine-wide layer that says nothing of it has no opinion where another layer has one.
  // Nothing exempts a finding of category "canaries" or "limits" or makes less of the latter.
  FindingDecision judge(const FindingQuestion& question) const;
  const Limits& limits() const;
  // Of all layers, in the order written. One name with two different sources is refused at load.
  const std::vector<SecretSource>& secrets() const;
  // Those of them that go somewhere. One secret that layers send to different places is refused at load.
  const std::vector<Credential>& credentials() const;
  // What stands before the world, if something does: layers that say different ones are refused at load.
  const std::optional<UpstreamProxy>& upstream_proxy() const;
  // By which `host` is reached; null: directly, since there is none, or not for this host, or the policy says itself
  // where the host is ("resolve").
  const UpstreamProxy* upstream_proxy_for(std::string_view host) const;
  // The names of those secrets that the proxy uses itself, each once.
  std::vector<std::string> kept_secrets() const;
  // Of all layers, in the order written: the first that matches a host counts.
  const std::vector<ClientIdentity>& client_identities() const;
  // That one, or null.
  const ClientIdentity* client_identity(std::string_view host, uint16_t port) const;

  // Every selector of every layer, in the order written.
  std::vector<FindingSelector> finding_selectors() const;
  // Refuses the first selector that is no category and none of `rules` or the built-in ones, in the words of parse().
  Result<void> check_finding_rules(const std::vector<FindingRule>& rules) const;

  // Runs every layer's `tests` against the whole policy. A rule that is not among `rules` has no category and severity
  // deny.
  std::vector<TestOutcome> run_tests(const std::vector<FindingRule>& rules = {}) const;

  // The rules in force, for people: `policy explain` with no question.
  std::string describe() const;
  // Every rule that matches, layer by layer, and which decided: `policy explain "GET https://..."`. An unreadable
  // question is an error that shows the form, and so is one about a rule that is not among `rules`, unless these are
  // none. `fields` are the header fields ("Name: value") of an http question.
  Result<std::string> explain(std::string_view question, const std::vector<FindingRule>& rules = {},
                              const std::vector<std::string>& fields = {}) const;

  // "file1\nfile2", and lower-case hex SHA-256 over all sources: for the audit row.
  const std::string& files() const;
  const std::string& sha256() const;

  struct Compiled;  // compiled.h, for this library alone

 private:
  std::function<bool(std::string_view url)> url_judge() const;
  explicit Policy(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

// Where shipped policies and schema.json are: $GATEHOUSE_POLICIES, or policies/ found upwards from the running binary,
// or /usr/share/gatehouse/policies.
Result<std::string> policies_directory();

}  // namespace gatehouse::policy
