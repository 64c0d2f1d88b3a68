// Policy's verdicts. Each layer is judged alone and the strictest verdict wins; where servers may read one path in
// several ways, each reading is judged alone too, so that a denial in any of them denies and a permission must hold in
// all.
#include <algorithm>

#include "common/base/log.h"
#include "common/policy/compiled.h"
#include "common/policy/git_words.h"

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxShownBytes = 100;
constexpr size_t kMaxShownValues = 4;
constexpr std::string_view kOnceAndPlainly = ", said once and in a way that every server reads alike";

// What all layers together come to. A denial by a rule says more than one by default, so it is kept before that.
struct Strictest {
  const Decision* decision = nullptr;
  const CompiledLayer* unmatched = nullptr;  // the first layer that denies because nothing matches

  void take(const CompiledLayer& layer, const Decision* found) {
    if (found != nullptr) {
      if (decision == nullptr || found->verdict > decision->verdict) decision = found;
    } else if (!layer.layer.pass_unmatched && unmatched == nullptr) {
      unmatched = &layer;
    }
  }
  bool decided() const { return decision != nullptr && (unmatched == nullptr || decision->verdict == Verdict::deny); }
};

std::string first_few(const std::vector<std::string>& values) {
  std::string text;
  for (size_t i = 0; i < std::min(values.size(), kMaxShownValues); ++i) text += (i == 0 ? "" : ", ") + values[i];
  if (values.size() > kMaxShownValues) text += ", ...";
  return text.empty() ? "none" : text;
}

std::string allowed_ports(const HttpMatcher& matcher, bool https) {
  std::vector<std::string> ports;
  if (matcher.rule->ports) {
    for (const uint16_t port : *matcher.rule->ports) ports.push_back(std::to_string(port));
  } else {
    ports.push_back(std::to_string(matcher.registry_port != 0 ? matcher.registry_port : https ? 443 : 80));
  }
  return first_few(ports);
}

// "; rule 'x' names this host, but only for ...", after the rule that came nearest.
std::string nearest_rule(const CompiledLayer& layer, const HttpFacts& facts, std::string_view path) {
  const HttpMatcher* nearest = nullptr;
  Comparison why;
  layer.for_each_http(facts.request.host, [&](const HttpMatcher& matcher) {
    const Comparison comparison = matcher.compare(facts, path);
    if (matcher.decision.verdict == Verdict::deny || comparison.miss <= why.miss) return;
    nearest = &matcher;
    why = comparison;
  });
  if (nearest == nullptr) return "; no rule names this host";
  std::string only;
  switch (why.miss) {
    case Miss::none:
      return {};
    case Miss::passthrough:
      only = "TLS that is not intercepted";
      break;
    case Miss::scheme:
      only = nearest->schemes == 0 ? "no scheme" : describe_schemes(nearest->schemes);
      break;
    case Miss::port:
      only = "port " + allowed_ports(*nearest, is_over_tls(facts.request.scheme));
      break;
    case Miss::method:
      only = "method " + first_few(*nearest->rule->methods);
      break;
    case Miss::path: {
      std::vector<std::string> globs;
      for (const auto& glob : *nearest->rule->paths) globs.push_back(glob.text());
      only = "path " + first_few(globs);
      break;
    }
    case Miss::query:
      only = fmt::format("query {}{}", why.condition->to_string(), why.unsure ? kOnceAndPlainly : "");
      break;
    case Miss::headers:
      only = fmt::format("header {}{}", why.condition->to_string(), why.unsure ? kOnceAndPlainly : "");
      break;
  }
  return fmt::format("; rule '{}' names this host, but only for {}", nearest->rule->id, only);
}

std::string shown(const HttpRequest& request, std::string_view path) {
  const bool usual = request.port == (is_over_tls(request.scheme) ? 443 : 80);
  return fmt::format("{} {}://{}{}{}", log::printable(request.method, 32), log::printable(request.scheme, 8),
                     request.host, usual ? "" : fmt::format(":{}", request.port), log::printable(path, kMaxShownBytes));
}

Decision default_denial(const CompiledLayer* layer, const HttpFacts& facts, std::string_view path) {
  const HttpRequest& request = facts.request;
  if (layer == nullptr) return {Verdict::deny, Decision{}.rule_id, "no policy has a rule for " + shown(request, path)};
  return {Verdict::deny, Decision{}.rule_id,
          fmt::format("no rule of policy '{}' allows {}{}", layer->layer.name, shown(request, path),
                      nearest_rule(*layer, facts, path))};
}

}  // namespace

void add_common_quotas(std::vector<Quota>& quotas, const Limits& limits, std::string_view host) {
  if (limits.session.bounds()) quotas.push_back({"session", "limit.session", "the session", limits.session});
  if (limits.host.bounds()) {
    quotas.push_back({fmt::format("host {}", host), "limit.host", std::string(host), limits.host});
  }
}

namespace {

// What needs no rule: a host that is an address in some notation, or no name at all.
std::optional<Decision> refuse_host(std::string_view host) {
  if (looks_like_ip(host)) {
    return Decision{Verdict::deny, "host.address",
                    fmt::format("'{}' is an address; use the host's name", log::printable(host, kMaxShownBytes))};
  }
  if (!is_host_name(host)) {
    return Decision{Verdict::deny, "host.invalid",
                    fmt::format("'{}' is no host name", log::printable(host, kMaxShownBytes))};
  }
  return std::nullopt;
}

std::string hyphenated(std::string_view kind) {
  std::string id(kind);
  for (char& c : id) {
    if (c == ' ') c = '-';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return id;
}

// Never dialled, whatever "networks" lists: they are nobody's private network.
bool is_never_dialled(std::string_view kind) {
  constexpr std::string_view kKinds[] = {"cloud metadata", "multicast", "broadcast", "unspecified",
                                         "gatehouse pool", "NAT64",     "6to4",      "Teredo"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

std::string_view query_of(std::string_view target) {
  const size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

// What the request asks of a repository, if servers agree on it.
GitTarget git_target_of(const HttpRequest& request, const RequestPath& path) {
  GitTarget target = git_target(request.method, path.raw(), query_of(request.path));
  path.for_each_reading([&](std::string_view reading) {
    const auto service = git_target(request.method, reading, query_of(request.path)).service;
    if (service == target.service) return;
    target.service = GitService::unclear;
  });
  return target;
}

std::optional<Decision> refuse_service(GitService service) {
  if (service == GitService::unclear) {
    return Decision{
        Verdict::deny, "git.unclear",
        "servers may take this for a push that is not git's smart HTTP, which alone can be looked through; use the "
        "repository's plain https URL"};
  }
  return std::nullopt;
}

// What a layer says in one reading of the path. Http rules can deny a push and never allow one.
const Decision* judge_reading(const CompiledLayer& layer, const HttpFacts& facts, std::string_view reading,
                              GitService service, HttpTerms& terms) {
  if (service == GitService::none) return layer.judge(facts, reading, terms);
  const HttpRequest& request = facts.request;
  const auto target = git_target(request.method, reading, query_of(request.path));
  HttpTerms none;
  const bool fetch = service == GitService::fetch;
  const Decision* by_http = layer.judge(facts, reading, fetch ? terms : none);
  if (!fetch && by_http != nullptr && by_http->verdict == Verdict::allow) by_http = nullptr;
  const Decision* by_git = request.scheme == "https"
                               ? layer.judge(GitRemote{request.host, request.port, target.repository}, service)
                               : nullptr;
  if (by_http == nullptr || by_git == nullptr) return by_http != nullptr ? by_http : by_git;
  return by_http->verdict > by_git->verdict ? by_http : by_git;
}

}  // namespace

HttpDecision Policy::judge(const HttpRequest& request) const {
  if (auto refused = refuse_host(request.host)) return {std::move(*refused), {}};
  const auto path = RequestPath::parse(request.path);
  if (!path) {
    return {{Verdict::deny, "path.ambiguous",
             fmt::format("the path {}, so servers may read it in different ways", path.error().message())},
            {}};
  }
  const HttpFacts facts(request);
  const GitTarget git = git_target_of(request, *path);
  if (auto refused = refuse_service(git.service)) return {std::move(*refused), {}, git.service};
  HttpTerms terms;
  Strictest strictest;
  std::string_view unmatched_reading = path->raw();
  if (scheme_named(request.scheme) != 0) {
    path->for_each_reading([&](std::string_view reading) {
      for (const auto& layer : compiled_->layers) {
        const bool was_matched = strictest.unmatched == nullptr;
        strictest.take(*layer, judge_reading(*layer, facts, reading, git.service, terms));
        if (was_matched && strictest.unmatched != nullptr) unmatched_reading = reading;
      }
    });
  }
  if (strictest.decided()) {
    add_common_quotas(terms.quotas, compiled_->limits, request.host);
    if (git.service == GitService::push) {
      const auto bound = git_terms({request.host, request.port, git.repository}).pack_bytes;
      terms.request_body = {bound.value, bound.rule};
    }
    return {*strictest.decision, std::move(terms), git.service};
  }
  if (git.service == GitService::lfs_upload) {
    return {{Verdict::deny, "git.lfs", std::string(kNoLfsUpload)}, {}, git.service};
  }
  const bool push =
      git.service == GitService::push || git.service == GitService::push_refs || git.service == GitService::lfs;
  if (push && strictest.unmatched != nullptr) {
    return {{Verdict::deny, Decision{}.rule_id,
             unmatched_words(*strictest.unmatched, {request.host, request.port, git.repository}, git.service)},
            {},
            git.service};
  }
  return {default_denial(strictest.unmatched, facts, unmatched_reading), {}, git.service};
}

Decision Policy::judge(const DnsQuestion& question) const {
  if (auto refused = refuse_host(question.name)) return std::move(*refused);
  if (is_special_use_name(question.name) && !compiled_->exact_names.contains(question.name)) {
    return {Verdict::deny, "name.local",
            fmt::format("'{}' means something else in every network and is resolved only when a rule names it exactly",
                        question.name)};
  }
  Strictest strictest;
  for (const auto& layer : compiled_->layers) strictest.take(*layer, layer->judge(question));
  if (strictest.decided()) return *strictest.decision;
  const std::string name = strictest.unmatched == nullptr
                               ? std::string("no policy")
                               : fmt::format("no rule of policy '{}'", strictest.unmatched->layer.name);
  return {Verdict::deny, Decision{}.rule_id,
          fmt::format("{} names {}", name, log::printable(question.name, kMaxShownBytes))};
}

bool Policy::asks_for_fields() const { return compiled_->asks_for_fields; }

std::optional<ResolveOverride> Policy::resolve_override(std::string_view host) const {
  const auto found = compiled_->resolve.find(host);
  if (found == compiled_->resolve.end()) return std::nullopt;
  return found->second;
}

Decision Policy::judge_address(const IpAddress& address) const {
  const std::string_view kind = special_purpose(address);
  if (kind.empty()) return {Verdict::allow, "address.public", "a globally routable address"};

  bool listed = false;
  bool refused = is_never_dialled(kind);
  for (const auto& layer : compiled_->layers) {
    const bool may = layer->may_dial(address);
    if (!may) refused = true;
    if (may && layer->layer.networks) listed = true;
  }
  if (listed && !refused) {
    return {Verdict::allow, "networks", fmt::format("{} is in a listed network", address.to_string())};
  }
  return {Verdict::deny, "address." + hyphenated(kind),
          fmt::format("the name leads to {}, a {} address{}", address.to_string(), kind,
                      is_never_dialled(kind) ? "" : " that no policy lists in 'networks'")};
}

const std::string& Policy::files() const { return compiled_->files; }
const std::string& Policy::sha256() const { return compiled_->sha256; }

}  // namespace gatehouse::policy
