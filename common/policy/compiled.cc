#include "common/policy/compiled.h"

#include <algorithm>
#include <set>

#include "common/base/log.h"
#include "common/policy/field_reader.h"

namespace gatehouse::policy {

namespace {

constexpr uint16_t kDefaultHttpPort = 80;

std::string_view verb(Verdict verdict) {
  switch (verdict) {
    case Verdict::allow:
      return "allows this";
    case Verdict::ask:
      return "asks a person first";
    case Verdict::deny:
      return "denies this";
  }
  return "denies this";
}

Decision decision_of(const Layer& layer, const std::string& id, Verdict action, const std::string& reason) {
  const std::string rule = describe_rule(layer, id);
  return {action, id, reason.empty() ? fmt::format("{} {}", rule, verb(action)) : fmt::format("{} ({})", reason, rule)};
}

template <class T>
bool contains(const std::vector<T>& list, const auto& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Fills one CompiledLayer.
class LayerCompiler {
 public:
  LayerCompiler(Layer layer, const FindRegistry& find_registry)
      : out_(std::make_unique<CompiledLayer>()), find_registry_(find_registry) {
    out_->layer = std::move(layer);
  }

  Result<std::unique_ptr<const CompiledLayer>> compile() {
    if (auto ok = check_ids(); !ok) return failed(ok);
    for (const auto& rule : out_->layer.http) {
      if (auto ok = add(rule); !ok) return failed(ok);
    }
    for (const auto& rule : out_->layer.git) add(rule);
    if (auto ok = add(out_->layer.mcp); !ok) return failed(ok);
    for (const auto& rule : out_->layer.dns) {
      if (auto ok = add(rule); !ok) return failed(ok);
    }
    if (auto ok = add(out_->layer.dlp); !ok) return failed(ok);
    for (const auto& secret : out_->layer.secrets) {
      if (auto ok = add(secret); !ok) return failed(ok);
    }
    if (auto ok = add(out_->layer.tls); !ok) return failed(ok);
    if (const auto& proxy = out_->layer.upstream_proxy; proxy && !proxy->credential.empty()) {
      if (auto ok = check_kept(proxy->credential, proxy->place); !ok) return failed(ok);
    }
    for (const auto& test : out_->layer.tests) {
      if (auto ok = add(test); !ok) return failed(ok);
    }
    return std::move(out_);
  }

 private:
  Result<void> check_ids() const {
    std::map<std::string_view, const Place*> seen;
    const auto check = [&](const auto& rule) -> Result<void> {
      const auto [first, inserted] = seen.emplace(rule.id, &rule.place);
      if (inserted) return {};
      return tl::unexpected(
          rule.place.error(fmt::format("duplicate rule id '{}', first at {}", rule.id, first->second->to_string())));
    };
    for (const auto& rule : out_->layer.http) {
      if (auto ok = check(rule); !ok) return ok;
    }
    for (const auto& rule : out_->layer.dns) {
      if (auto ok = check(rule); !ok) return ok;
    }
    for (const auto& rule : out_->layer.git) {
      if (auto ok = check(rule); !ok) return ok;
    }
    for (const auto& rule : out_->layer.mcp.rules) {
      if (auto ok = check(rule); !ok) return ok;
    }
    for (const auto& exemption : out_->layer.dlp.exempt) {
      if (auto ok = check(exemption); !ok) return ok;
    }
    return {};
  }

  Result<std::vector<RegistryOrigin>> origins_of(const std::string& symbol) {
    if (const auto known = out_->symbols.find(symbol); known != out_->symbols.end()) return known->second;
    const auto own = out_->layer.registries.find(symbol);
    auto origins = own != out_->layer.registries.end() ? own->second : find_registry_(symbol);
    if (origins) out_->symbols[symbol] = *origins;
    return origins;
  }

  // A wildcard never makes a special-use name resolvable, so a rule that hopes for it is a mistake.
  static Result<void> check_wildcard(const HostTerm& term, Verdict action) {
    if (action == Verdict::deny || term.pattern.kind == HostPattern::Kind::exact) return {};
    if (!is_special_use_name(term.pattern.name)) return {};
    return tl::unexpected(term.place.error(fmt::format(
        "'{}' is under a name that is local to each network; name such hosts exactly", term.pattern.to_string())));
  }

  Result<void> add(const HttpRule& rule) {
    HttpMatcher matcher;
    matcher.rule = &rule;
    matcher.decision = decision_of(out_->layer, rule.id, rule.action, rule.reason);
    matcher.unsure = {Verdict::deny, rule.id,
                      fmt::format("{} may or may not match: its query or header fields are given twice, or so that "
                                  "servers read them in different ways",
                                  describe_rule(out_->layer, rule.id))};
    matcher.lookup = {Verdict::allow, rule.id, describe_rule(out_->layer, rule.id) + " names this host"};
    // What a rule leaves out narrows an allowance and widens a denial: a forgotten key never opens anything.
    const bool denies = rule.action == Verdict::deny;
    matcher.schemes = rule.schemes.value_or(denies ? kAnyScheme : kHttps);
    const auto plain = static_cast<uint32_t>(out_->http.size());
    out_->http.push_back(matcher);
    for (const auto& term : rule.hosts) {
      if (term.symbol.empty()) {
        if (auto ok = check_wildcard(term, rule.action); !ok) return ok;
        out_->http_hosts.add(term.pattern, plain);
        continue;
      }
      const auto origins = origins_of(term.symbol);
      if (!origins) return tl::unexpected(term.place.error(origins.error().message()));
      for (const auto& origin : *origins) {
        const Schemes scheme = denies ? kAnyScheme : origin.https ? kHttps : kHttp;
        matcher.schemes = rule.schemes ? static_cast<Schemes>(*rule.schemes & scheme) : scheme;
        matcher.registry_port = origin.port;
        out_->http_hosts.add({HostPattern::Kind::exact, origin.host}, static_cast<uint32_t>(out_->http.size()));
        out_->http.push_back(matcher);
      }
    }
    return {};
  }

  // Puts `index` under each host; of a registry, under each of its names, whatever scheme and port.
  Result<void> add_hosts(const std::vector<HostTerm>& terms, Verdict action, uint32_t index, RuleIndex& hosts) {
    for (const auto& term : terms) {
      if (term.symbol.empty()) {
        if (auto ok = check_wildcard(term, action); !ok) return ok;
        hosts.add(term.pattern, index);
        continue;
      }
      const auto origins = origins_of(term.symbol);
      if (!origins) return tl::unexpected(term.place.error(origins.error().message()));
      for (const auto& origin : *origins) hosts.add({HostPattern::Kind::exact, origin.host}, index);
    }
    return {};
  }

  void add(const GitRule& rule) {
    auto decision = decision_of(out_->layer, rule.id, rule.action, rule.reason);
    auto opening = decision;
    if (opening.verdict == Verdict::ask) opening.verdict = Verdict::allow;
    out_->git.push_back({&rule,
                         std::move(decision),
                         {Verdict::allow, rule.id, describe_rule(out_->layer, rule.id) + " names this host"},
                         std::move(opening)});
  }

  Result<void> add(const McpRules& rules) {
    std::vector<std::string_view> servers;
    for (const auto& entry : rules.servers) {
      servers.push_back(entry.server.name);
      for (const auto& name : entry.server.secrets) {
        if (auto ok = check_secret(name, entry.place); !ok) return ok;
      }
    }
    for (const auto& entry : rules.servers) {
      if (!entry.server.oauth || entry.server.oauth->client_secret.empty()) continue;
      const auto& name = entry.server.oauth->client_secret;
      if (auto ok = check_kept(name, entry.place); !ok) return ok;
      for (const auto& other : rules.servers) {
        if (!contains(other.server.secrets, name)) continue;
        return tl::unexpected(entry.place.error(fmt::format(
            "the secret '{}' is given to the server '{}', so it cannot be a client's", name, other.server.name)));
      }
    }
    for (const auto& entry : rules.servers) {
      for (const auto& name : entry.server.shares_names_with) {
        if (contains(servers, name)) continue;
        return tl::unexpected(entry.place.error(fmt::format(
            "no server '{}' is declared in \"servers\"{}", log::printable(name, kMaxIdBytes), suggest(name, servers))));
      }
    }
    for (const auto& rule : rules.rules) {
      // A machine-wide layer may speak of servers that sessions declare.
      const bool is_glob = rule.server.find('*') != std::string::npos;
      if (!is_glob && !rule.place.source->machine_wide && !contains(servers, rule.server)) {
        return tl::unexpected(rule.server_place.error(fmt::format("no server '{}' is declared in \"servers\"{}",
                                                                  log::printable(rule.server, kMaxIdBytes),
                                                                  suggest(rule.server, servers))));
      }
      const std::string words = describe_rule(out_->layer, rule.id);
      out_->mcp.push_back({&rule,
                           decision_of(out_->layer, rule.id, rule.action, rule.reason),
                           {Verdict::deny, rule.id,
                            fmt::format("{} may or may not match: servers may take {} in different ways", words,
                                        rule.subject == McpSubject::resource ? "this URI" : "these arguments")}});
    }
    return {};
  }

  // A secret that is handed to a server: of this layer.
  Result<void> check_secret(const std::string& name, const Place& place) const {
    std::vector<std::string_view> names;
    for (const auto& secret : out_->layer.secrets) names.push_back(secret.source.name);
    if (contains(names, name)) return {};
    return tl::unexpected(place.error(
        fmt::format("'{}' is no secret of this policy{}", log::printable(name, kMaxIdBytes), suggest(name, names))));
  }

  Result<void> add(const DnsRule& rule) {
    const auto index = static_cast<uint32_t>(out_->dns.size());
    out_->dns.push_back({&rule, decision_of(out_->layer, rule.id, rule.action, rule.reason)});
    return add_hosts(rule.names, rule.action, index, out_->dns_names);
  }

  Result<void> add(const DlpRules& rules) {
    for (const auto& listed : rules.listed) {
      const ListedFinding*& strictest = out_->findings[listed.selector.name];
      if (strictest == nullptr || listed.action > strictest->action) strictest = &listed;
    }
    for (uint32_t i = 0; i < rules.exempt.size(); ++i) {
      if (auto ok = add_hosts(rules.exempt[i].hosts, Verdict::allow, i, out_->exempt_hosts); !ok) return ok;
    }
    return {};
  }

  Result<void> add(const SecretEntry& secret) {
    if (!secret.bound) {
      out_->credentials.emplace_back();
      return {};
    }
    Credential credential = secret.bound->credential;
    auto hosts = over_tls(secret.bound->hosts, secret.bound->ports);
    if (!hosts) return failed(hosts);
    credential.hosts = std::move(*hosts);
    out_->credentials.emplace_back(std::move(credential));
    return {};
  }

  // Nothing is sent where anybody on the way could read it.
  Result<std::vector<CredentialHost>> over_tls(const std::vector<HostTerm>& terms, const std::vector<uint16_t>& ports) {
    std::vector<CredentialHost> hosts;
    const auto at_ports = [&](const HostPattern& pattern, uint16_t own) {
      if (ports.empty()) hosts.push_back({pattern, own});
      for (const uint16_t port : ports) hosts.push_back({pattern, port});
    };
    for (const auto& term : terms) {
      if (term.symbol.empty()) {
        if (auto ok = check_wildcard(term, Verdict::allow); !ok) return failed(ok);
        at_ports(term.pattern, kHttpsPort);
        continue;
      }
      const auto origins = origins_of(term.symbol);
      if (!origins) return tl::unexpected(term.place.error(origins.error().message()));
      for (const auto& origin : *origins) {
        if (origin.https) at_ports({HostPattern::Kind::exact, origin.host}, origin.port);
      }
    }
    return hosts;
  }

  Result<void> add(const TlsRules& rules) {
    for (const auto& entry : rules.client_certificates) {
      for (const auto& name : {entry.certificate, entry.key}) {
        if (auto ok = check_kept(name, entry.place); !ok) return ok;
      }
      auto hosts = over_tls(entry.hosts, entry.ports);
      if (!hosts) return failed(hosts);
      out_->client_identities.push_back({std::move(*hosts), entry.certificate, entry.key, entry.place});
    }
    return {};
  }

  // A secret that this proxy uses itself: of this layer, and not one that requests carry.
  Result<void> check_kept(const std::string& name, const Place& place) const {
    std::vector<std::string_view> names;
    for (const auto& secret : out_->layer.secrets) {
      names.push_back(secret.source.name);
      if (secret.source.name != name) continue;
      if (!secret.bound) return {};
      return tl::unexpected(place.error(
          fmt::format("the secret '{}' is put into requests (it has \"hosts\"), so it cannot be used here", name)));
    }
    return tl::unexpected(place.error(
        fmt::format("'{}' is no secret of this policy{}", log::printable(name, kMaxIdBytes), suggest(name, names))));
  }

  Result<void> add(const TestEntry& test) {
    CompiledTest compiled{&test, {}};
    if (test.kind != QuestionKind::http) {
      auto question = test.kind == QuestionKind::tls        ? parse_tls_question(test.question)
                      : test.kind == QuestionKind::mcp      ? parse_mcp_question(test.question + " " + test.arguments)
                      : test.kind == QuestionKind::resource ? parse_resource_question(test.question)
                      : test.kind == QuestionKind::prompt   ? parse_prompt_question(test.question)
                      : test.kind == QuestionKind::dns      ? parse_dns_question(test.question)
                      : test.kind == QuestionKind::git      ? parse_git_question(test.question)
                                                            : parse_dlp_question(test.question);
      if (!question) return tl::unexpected(test.place.error(question.error().message()));
      compiled.questions.push_back(std::move(*question));
    } else {
      auto questions = parse_http_question(test.question, [this](const std::string& s) { return origins_of(s); });
      if (!questions) return tl::unexpected(test.place.error(questions.error().message()));
      compiled.questions = std::move(*questions);
      for (auto& question : compiled.questions) question.headers = test.headers;
    }
    out_->tests.push_back(std::move(compiled));
    return {};
  }

  std::unique_ptr<CompiledLayer> out_;
  const FindRegistry& find_registry_;
};

}  // namespace

// Whether a match of the rule may change what is `decided` already, or its terms.
static bool adds(const HttpRule& rule, Verdict decided) {
  if (decided == Verdict::deny) return false;
  if (rule.action > decided || rule.request_body_bytes || rule.response_body_bytes || rule.budget) return true;
  return rule.action == Verdict::ask && !(rule.query.empty() && rule.headers.empty());  // unsure, it denies
}

static void narrow(BodyLimit& limit, const std::optional<uint64_t>& bytes, const std::string& rule) {
  if (bytes && *bytes < limit.bytes) limit = {*bytes, rule};
}

void add_quota(std::vector<Quota>& quotas, const Layer& layer, const HttpRule& rule) {
  const std::string counter = fmt::format("rule {}/{}", layer.name, rule.id);
  for (auto& quota : quotas) {
    if (quota.counter == counter) return quota.allowance.narrow(*rule.budget);
  }
  quotas.push_back({counter, rule.id, describe_rule(layer, rule.id), *rule.budget});
}

uint16_t HttpMatcher::default_port(bool https) const {
  return registry_port != 0 ? registry_port : https ? kHttpsPort : kDefaultHttpPort;
}

Comparison HttpMatcher::compare(const HttpFacts& facts, std::string_view reading) const {
  const HttpRequest& request = facts.request;
  if (rule->passthrough) return {Miss::passthrough};
  const bool https = is_over_tls(request.scheme);
  if ((schemes & scheme_named(request.scheme)) == 0) return {Miss::scheme};
  if (rule->ports) {
    if (!contains(*rule->ports, request.port)) return {Miss::port};
  } else if (decision.verdict != Verdict::deny && request.port != default_port(https)) {
    return {Miss::port};
  }
  if (rule->methods && !contains(*rule->methods, request.method)) return {Miss::method};
  const auto letters = decision.verdict == Verdict::deny ? Case::ignored : Case::told_apart;
  const auto matches = [reading, letters](const PathGlob& glob) { return glob.matches(reading, letters); };
  if (rule->paths && std::none_of(rule->paths->begin(), rule->paths->end(), matches)) return {Miss::path};

  const FieldCondition* missed = nullptr;
  const Met query = rule->query.empty() ? Met::yes : meets(rule->query, facts.query(), missed);
  if (query == Met::no) return {Miss::query, false, missed};
  const FieldCondition* missed_header = nullptr;
  const Met headers = rule->headers.empty() ? Met::yes : meets(rule->headers, request.fields, missed_header);
  if (headers != Met::yes) return {Miss::headers, headers == Met::unsure, missed_header};
  if (query != Met::yes) return {Miss::query, true, missed};
  return {};
}

const Decision* HttpMatcher::decide(const Comparison& comparison) const {
  if (comparison.miss == Miss::none) return &decision;
  if (!comparison.unsure || decision.verdict == Verdict::allow) return nullptr;
  return &unsure;
}

bool DnsMatcher::matches_type(std::string_view type) const {
  return !rule->types || contains(*rule->types, canonical_dns_type(type));
}

const Decision* CompiledLayer::judge(const HttpFacts& facts, std::string_view reading, HttpTerms& terms) const {
  const Decision* strictest = nullptr;
  for_each_http(facts.request.host, [&](const HttpMatcher& matcher) {
    if (strictest != nullptr && !adds(*matcher.rule, strictest->verdict)) return;
    const Decision* found = matcher.decide(matcher.compare(facts, reading));
    if (found == nullptr) return;
    if (strictest == nullptr || found->verdict > strictest->verdict) strictest = found;
    narrow(terms.request_body, matcher.rule->request_body_bytes, matcher.rule->id);
    narrow(terms.response_body, matcher.rule->response_body_bytes, matcher.rule->id);
    if (matcher.rule->budget) add_quota(terms.quotas, layer, *matcher.rule);
  });
  return strictest;
}

const Decision* CompiledLayer::judge(const DnsQuestion& question) const {
  const Decision* strictest = nullptr;
  for_each_dns(question.name, [&](const DnsMatcher& matcher) {
    if (strictest != nullptr && strictest->verdict >= matcher.decision.verdict) return;
    if (matcher.matches_type(question.type)) strictest = &matcher.decision;
  });
  if (strictest != nullptr) return strictest;
  for_each_http(question.name, [&](const HttpMatcher& matcher) {
    if (strictest == nullptr && matcher.decision.verdict != Verdict::deny) strictest = &matcher.lookup;
  });
  for (const auto& matcher : git) {
    if (strictest == nullptr && matcher.resolves(question.name)) strictest = &matcher.lookup;
  }
  return strictest;
}

bool CompiledLayer::may_dial(const IpAddress& address) const {
  if (!layer.networks) return layer.pass_unmatched;
  return std::any_of(layer.networks->begin(), layer.networks->end(),
                     [&address](const IpNetwork& network) { return network.contains(address); });
}

Result<std::unique_ptr<const CompiledLayer>> compile_layer(Layer layer, const FindRegistry& find_registry) {
  return LayerCompiler(std::move(layer), find_registry).compile();
}

std::string describe_rule(const Layer& layer, std::string_view id) {
  return fmt::format("rule '{}' of policy '{}'", id, layer.name);
}

}  // namespace gatehouse::policy
