// A policy ready to judge: layers with what they extend joined in, symbols resolved, rules indexed by host.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/policy/inputs.h"
#include "common/policy/layer.h"
#include "common/policy/question.h"
#include "common/policy/request_path.h"
#include "common/policy/request_query.h"
#include "common/policy/rule_index.h"

namespace gatehouse::policy {

// Why a rule that speaks of the host does not match the request; the later, the nearer it came.
enum class Miss { none, passthrough, scheme, port, method, path, query, headers };

// How a rule compares with a request. `unsure`: servers may differ on whether it matches (then `miss` is why).
struct Comparison {
  Miss miss = Miss::none;
  bool unsure = false;
  const FieldCondition* condition = nullptr;  // the first that is not surely met, of Miss::query and Miss::headers
};

// A request, and its query once a rule has asked for it.
class HttpFacts {
 public:
  explicit HttpFacts(const HttpRequest& asked) : request(asked) {}
  const RequestQuery& query() const {
    if (!query_) query_ = RequestQuery::parse(request.path);
    return *query_;
  }
  const HttpRequest& request;

 private:
  mutable std::optional<RequestQuery> query_;
};

// One http rule for hosts that share scheme and port. A rule has several when a registry's configuration says its own.
struct HttpMatcher {
  const HttpRule* rule = nullptr;
  Decision decision;  // what a match says
  Decision unsure;    // what it says, unless it allows, where servers may differ on whether it matches: a denial
  Decision lookup;    // what it says of the host's name: resolvable, unless the rule denies
  Schemes schemes = kHttps;
  uint16_t registry_port = 0;  // of a registry whose rule names no port; 0: the rule's, or the scheme's own

  // `reading` is one reading of the request's path.
  Comparison compare(const HttpFacts& facts, std::string_view reading) const;
  // What comes of that; null where the rule has no say.
  const Decision* decide(const Comparison& comparison) const;
  uint16_t default_port(bool https) const;
  // Whether some TLS on this port, whatever is in it, may be what it speaks of.
  bool may_be_at(uint16_t port) const;
};

struct GitMatcher {
  const GitRule* rule = nullptr;
  Decision decision;
  Decision lookup;
  Decision opening;  // on what comes before a push and carries nothing: who asks, asks for the push alone

  // Whether the name may be looked up for this rule's sake.
  bool resolves(std::string_view name) const;
};

struct McpMatcher {
  struct Comparison {
    Met met = Met::no;
    const ArgumentCondition* missed = nullptr;  // that is not surely met, of a call whose server and tool are named
  };
  const McpRule* rule = nullptr;
  Decision decision;
  Decision unsure;  // as in HttpMatcher

  // Whether it speaks of that server's tool or prompt of this name.
  bool names(McpSubject subject, std::string_view server, std::string_view name) const;
  bool names_server(McpSubject subject, std::string_view server) const;
  Comparison compare(const McpCall& call, const UrlAllowed& url_allowed) const;
  Comparison compare(std::string_view server, const ResourceUri& uri) const;
  Comparison compare(const McpPrompt& prompt) const;
  const Decision* decide(const Comparison& comparison) const;  // null where the rule has no say
};

struct DnsMatcher {
  const DnsRule* rule = nullptr;
  Decision decision;

  bool matches_type(std::string_view type) const;
};

struct CompiledTest {
  const TestEntry* test = nullptr;
  std::vector<Question> questions;  // more than one for a symbol with several hosts
};

struct CompiledLayer {
  Layer layer;                                                 // owns the rules that matchers point to
  std::map<std::string, std::vector<RegistryOrigin>> symbols;  // those the layer uses
  std::vector<HttpMatcher> http;
  RuleIndex http_hosts;
  std::vector<GitMatcher> git;
  std::vector<McpMatcher> mcp;
  std::vector<DnsMatcher> dns;
  RuleIndex dns_names;
  std::unordered_map<std::string_view, const ListedFinding*> findings;  // by rule id or category; the strictest
  RuleIndex exempt_hosts;                                               // into layer.dlp.exempt
  std::vector<ClientIdentity> client_identities;
  std::vector<std::optional<Credential>> credentials;  // of each of layer.secrets
  std::vector<CompiledTest> tests;

  // Calls `use(const HttpMatcher&)` or `use(const DnsMatcher&)` for each whose host matches.
  template <class Use>
  void for_each_http(std::string_view host, Use use) const {
    http_hosts.for_each(host, [&](uint32_t i) { use(http[i]); });
  }
  template <class Use>
  void for_each_dns(std::string_view name, Use use) const {
    dns_names.for_each(name, [&](uint32_t i) { use(dns[i]); });
  }
  template <class Use>
  void for_each_exemption(std::string_view host, Use use) const {
    exempt_hosts.for_each(host, [&](uint32_t i) { use(layer.dlp.exempt[i]); });
  }

  // What this layer says of a request in one reading of its path, or of a question; null where no rule matches.
  // Narrows `terms` to those of the rules that match.
  const Decision* judge(const HttpFacts& facts, std::string_view reading, HttpTerms& terms) const;
  const Decision* judge(const DnsQuestion& question) const;
  // What its git rules say of fetching from a remote, or of pushing anything at all to it.
  const Decision* judge(const GitRemote& remote, GitService service) const;
  // The rule that lets this connection's TLS through, or the decision that it does not, or null for no opinion. Adds
  // the rule's budget to `quotas`.
  std::optional<Decision> judge(const TlsQuestion& question, std::vector<Quota>& quotas) const;
  // What its own words say of a finding; nothing where it has none.
  std::optional<FindingDecision> judge(const FindingQuestion& question) const;
  // Whether this layer lets a private address be dialled: its networks contain it, or it has no opinion.
  bool may_dial(const IpAddress& address) const;
};

struct Policy::Compiled {
  std::vector<std::unique_ptr<const CompiledLayer>> layers;
  TextSet exact_names;  // named exactly by a rule that does not deny, or by a resolve entry
  std::unordered_map<std::string, ResolveOverride, TextHash, std::equal_to<>> resolve;
  Limits limits;
  std::vector<McpServer> mcp_servers;
  std::vector<SecretSource> secrets;
  std::vector<Credential> credentials;
  bool asks_for_fields = false;
  bool has_passthrough = false;
  std::vector<ClientIdentity> client_identities;
  std::optional<UpstreamProxy> upstream_proxy;
  PolicyInputs inputs;
  std::string files;
  std::string sha256;
};

// Counts `rule` once, in however many ways it matches. Layers of one name count together, by the narrower of what they
// say.
void add_quota(std::vector<Quota>& quotas, const Layer& layer, const HttpRule& rule);
// Those of the whole session and of each host.
void add_common_quotas(std::vector<Quota>& quotas, const Limits& limits, std::string_view host);

// Joins a layer with what it extends and indexes it. `find_registry` answers for symbols that it does not say itself.
using FindRegistry = std::function<Result<std::vector<RegistryOrigin>>(const std::string& symbol)>;
Result<std::unique_ptr<const CompiledLayer>> compile_layer(Layer layer, const FindRegistry& find_registry);

// "tool", "resource" or "prompt".
std::string_view subject_word(McpSubject subject);
// In the words of every message: "rule 'x' of policy 'demo'".
std::string describe_rule(const Layer& layer, std::string_view id);
// "http or https"; "none".
std::string describe_schemes(Schemes schemes);
// "policy 'demo' (demo.json)", as a line over what is in it.
std::string describe_layer(const Layer& layer);

}  // namespace gatehouse::policy
