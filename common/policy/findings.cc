// What becomes of what the scanner finds. Each layer is asked alone and the strictest answer wins.
#include <algorithm>
#include <set>

#include "common/policy/compiled.h"
#include "common/policy/finding_words.h"

namespace gatehouse::policy {

namespace {

std::string cause_of(const Layer& layer, const Exemption& exemption) {
  const std::string words = fmt::format("exemption '{}' of policy '{}'", exemption.id, layer.name);
  return exemption.reason.empty() ? words : fmt::format("{} ({})", exemption.reason, words);
}

FindingDecision own_severity(const FindingQuestion& question) {
  return {question.severity,
          {},
          fmt::format("the rule itself asks to {} and no policy says otherwise", to_string(question.severity))};
}

}  // namespace

bool Exemption::covers(const GitPlace& found) const {
  const auto names = [&](const RemotePattern& remote) { return remote.matches(found.remote, Case::told_apart); };
  if (std::none_of(remotes.begin(), remotes.end(), names)) return false;
  if (std::find(objects.begin(), objects.end(), found.object) != objects.end()) return true;
  const std::string path = fmt::format("/{}", found.path);
  return !found.path.empty() && std::any_of(paths.begin(), paths.end(),
                                            [&](const PathGlob& glob) { return glob.matches(path, Case::told_apart); });
}

std::optional<FindingDecision> CompiledLayer::judge(const FindingQuestion& question) const {
  const bool unscanned = is_unscanned(question.rule) || is_unscanned(question.category);
  const bool exemptible = why_never_exempt(question.rule).empty() && why_never_exempt(question.category).empty();
  if (exemptible || (unscanned && question.git)) {
    const Exemption* exemption = nullptr;
    for_each_exemption(question.host, [&](const Exemption& candidate) {
      if (exemption == nullptr && candidate.rule.name == question.rule) exemption = &candidate;
    });
    if (question.git && exemption == nullptr) {
      const auto covers = [&](const Exemption& one) {
        return one.rule.name == question.rule && one.covers(*question.git);
      };
      const auto found = std::find_if(layer.dlp.exempt.begin(), layer.dlp.exempt.end(), covers);
      if (found != layer.dlp.exempt.end()) exemption = &*found;
    }
    if (exemption != nullptr) return FindingDecision{FindingAction::exempt, exemption->id, cause_of(layer, *exemption)};
  }
  const ListedFinding* strictest = nullptr;
  for (const auto name : {question.rule, question.category}) {
    const auto found = findings.find(name);
    if (found == findings.end()) continue;
    if (strictest == nullptr || found->second->action > strictest->action) strictest = found->second;
  }
  if (strictest == nullptr || (unscanned && strictest->action < question.severity)) return std::nullopt;
  return FindingDecision{strictest->action,
                         {},
                         fmt::format("policy '{}' lists '{}' in \"{}\"", layer.name, strictest->selector.name,
                                     to_string(strictest->action))};
}

FindingDecision Policy::judge(const FindingQuestion& question) const {
  std::optional<FindingDecision> strictest;
  bool left_to_rule = false;
  for (const auto& layer : compiled_->layers) {
    auto said = layer->judge(question);
    if (!said) {
      left_to_rule |= !layer->layer.place.source->machine_wide;
    } else if (!strictest || said->action > strictest->action) {
      strictest = std::move(said);
    }
  }
  if (!strictest || (left_to_rule && question.severity > strictest->action)) return own_severity(question);
  return std::move(*strictest);
}

const Limits& Policy::limits() const { return compiled_->limits; }
const std::vector<SecretSource>& Policy::secrets() const { return compiled_->secrets; }
const std::vector<Credential>& Policy::credentials() const { return compiled_->credentials; }
const std::vector<ClientIdentity>& Policy::client_identities() const { return compiled_->client_identities; }

const std::optional<UpstreamProxy>& Policy::upstream_proxy() const { return compiled_->upstream_proxy; }

const UpstreamProxy* Policy::upstream_proxy_for(std::string_view host) const {
  const auto& proxy = compiled_->upstream_proxy;
  return proxy && proxy->serves(host) && !resolve_override(host) ? &*proxy : nullptr;
}

std::vector<std::string> Policy::kept_secrets() const {
  std::set<std::string> names;
  for (const auto& identity : compiled_->client_identities) names.insert({identity.certificate, identity.key});
  if (compiled_->upstream_proxy && !compiled_->upstream_proxy->credential.empty()) {
    names.insert(compiled_->upstream_proxy->credential);
  }
  return {names.begin(), names.end()};
}

const ClientIdentity* Policy::client_identity(std::string_view host, uint16_t port) const {
  for (const auto& identity : compiled_->client_identities) {
    if (any_matches(identity.hosts, host, port)) return &identity;
  }
  return nullptr;
}

std::vector<FindingSelector> Policy::finding_selectors() const {
  std::vector<FindingSelector> selectors;
  for (const auto& layer : compiled_->layers) {
    for (const auto& listed : layer->layer.dlp.listed) selectors.push_back(listed.selector);
    for (const auto& exemption : layer->layer.dlp.exempt) selectors.push_back(exemption.rule);
    for (const auto& test : layer->tests) {
      if (test.test->kind != QuestionKind::dlp) continue;
      for (const auto& question : test.questions) selectors.push_back({question.rule, false, test.test->place});
    }
  }
  return selectors;
}

Result<void> Policy::check_finding_rules(const std::vector<FindingRule>& rules) const {
  for (const auto& selector : finding_selectors()) {
    if (selector.is_category) continue;
    if (auto ok = check_rule(selector.name, rules); !ok) {
      return tl::unexpected(selector.place.error(ok.error().message()));
    }
  }
  return {};
}

}  // namespace gatehouse::policy
