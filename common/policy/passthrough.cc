// Whether TLS goes through as it is. What is in it cannot be seen, so that whatever a layer says of it, however narrow,
// is in the way.
#include <algorithm>

#include "common/base/log.h"
#include "common/policy/compiled.h"

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxShownBytes = 100;

Decision intercepted(std::string reason) { return {Verdict::deny, "tls.intercepted", std::move(reason)}; }

}  // namespace

bool HttpMatcher::may_be_at(uint16_t port) const {
  if ((schemes & (kHttps | kWss)) == 0) return false;
  if (rule->ports) return std::find(rule->ports->begin(), rule->ports->end(), port) != rule->ports->end();
  return decision.verdict == Verdict::deny || port == default_port(true);
}

std::optional<Decision> CompiledLayer::judge(const TlsQuestion& question, std::vector<Quota>& quotas) const {
  const HttpMatcher* opens = nullptr;
  const HttpMatcher* strictest = nullptr;
  for_each_http(question.host, [&](const HttpMatcher& matcher) {
    if (!matcher.may_be_at(question.port)) return;
    if (matcher.rule->passthrough) {
      if (opens == nullptr) opens = &matcher;
      if (matcher.rule->budget) add_quota(quotas, layer, *matcher.rule);
    } else if (strictest == nullptr || matcher.decision.verdict > strictest->decision.verdict) {
      strictest = &matcher;
    }
  });
  if (strictest != nullptr && (opens == nullptr || strictest->decision.verdict != Verdict::allow)) {
    const std::string named = describe_rule(layer, strictest->rule->id);
    return Decision{Verdict::deny, strictest->rule->id,
                    fmt::format("{} speaks of requests to this host, so they are intercepted and judged", named)};
  }
  // A push could be in it, which nobody would look through.
  for (const auto& matcher : git) {
    for (const auto& remote : matcher.rule->remotes) {
      if (!remote.host.matches(question.host) || remote.port != question.port) continue;
      const std::string named = describe_rule(layer, matcher.rule->id);
      return Decision{Verdict::deny, matcher.rule->id,
                      fmt::format("{} speaks of git at this host, so its TLS is intercepted and judged", named)};
    }
  }
  if (opens != nullptr) return opens->decision;
  if (!layer.pass_unmatched) {
    return intercepted(fmt::format("no rule of policy '{}' lets TLS to {} through", layer.name,
                                   log::printable(question.host, kMaxShownBytes)));
  }
  if (layer.dlp.listed.empty()) return std::nullopt;
  return intercepted(fmt::format("policy '{}' has what leaves looked through", layer.name));
}

HttpDecision Policy::judge(const TlsQuestion& question) const {
  HttpTerms terms;
  std::optional<Decision> opened;
  for (const auto& layer : compiled_->layers) {
    auto said = layer->judge(question, terms.quotas);
    if (!said) continue;
    if (said->verdict == Verdict::deny) return {std::move(*said), {}};
    if (!opened) opened = std::move(said);
  }
  if (!opened) return {intercepted("no policy lets TLS to this host through"), {}};
  add_common_quotas(terms.quotas, compiled_->limits, question.host);
  return {std::move(*opened), std::move(terms)};
}

bool Policy::has_passthrough() const { return compiled_->has_passthrough; }

}  // namespace gatehouse::policy
