// What mcp rules come to: the strictest rule that matches wins, layer by layer, as everywhere.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/policy/compiled.h"

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxShownBytes = 100;
constexpr std::string_view kServerRule = "limit.server";

std::string shown(const McpCall& call) {
  return fmt::format("tool '{}' of server '{}'", log::printable(call.tool, kMaxShownBytes),
                     log::printable(call.server, kMaxShownBytes));
}

// A layer in which no rule matches: the rule that came nearest, and what it asks for.
std::string nearest_words(const CompiledLayer& layer, const McpCall& call, const UrlAllowed& url_allowed) {
  for (const auto& matcher : layer.mcp) {
    if (matcher.rule->action == Verdict::deny || !matcher.names(call.server, call.tool)) continue;
    const auto comparison = matcher.compare(call, url_allowed);
    if (comparison.missed == nullptr) continue;
    return fmt::format("; rule '{}' names it, but only for {}", matcher.rule->id, comparison.missed->to_string());
  }
  return "; no mcp rule names it";
}

// The narrower of two allowances under one name.
void count_against(std::vector<Quota>& quotas, Quota quota) {
  for (auto& known : quotas) {
    if (known.counter == quota.counter) return known.allowance.narrow(quota.allowance);
  }
  quotas.push_back(std::move(quota));
}

void count_against(std::vector<Quota>& quotas, const CompiledLayer& layer, const McpRule& rule, const McpCall& call) {
  const std::string counter = fmt::format("mcp rule {}/{}", layer.layer.name, rule.id);
  const std::string whose = describe_rule(layer.layer, rule.id);
  if (rule.budget) count_against(quotas, {counter, rule.id, whose, *rule.budget});
  if (!rule.tool_budget) return;
  count_against(quotas, {fmt::format("{} {} {}", counter, call.server, call.tool), rule.id,
                         fmt::format("{} by {}", shown(call), whose), *rule.tool_budget});
}

// Whether it lets no call at all through, whatever else holds.
bool is_spent(const McpRule& rule) {
  return (rule.budget && rule.budget->requests == 0) || (rule.tool_budget && rule.tool_budget->requests == 0);
}

}  // namespace

bool McpMatcher::names(std::string_view server, std::string_view tool) const {
  const auto letters = rule->action == Verdict::deny ? Case::ignored : Case::told_apart;
  return glob_matches(rule->server, server, letters) &&
         std::any_of(rule->tools.begin(), rule->tools.end(),
                     [&](const std::string& glob) { return glob_matches(glob, tool, letters); });
}

McpMatcher::Comparison McpMatcher::compare(const McpCall& call, const UrlAllowed& url_allowed) const {
  if (!names(call.server, call.tool)) return {};
  Comparison comparison;
  comparison.met =
      meets(rule->arguments, call.arguments, rule->action == Verdict::allow ? Quantity::all : Quantity::any,
            url_allowed, comparison.missed);
  return comparison;
}

const Decision* McpMatcher::decide(const Comparison& comparison) const {
  if (comparison.met == Met::yes) return &decision;
  if (comparison.met == Met::no || decision.verdict == Verdict::allow) return nullptr;
  return &unsure;
}

UrlAllowed Policy::url_judge() const {
  return [this](std::string_view text) {
    const auto url = parse_plain_url(text);
    if (!url) return false;
    return judge(HttpRequest{
                     .scheme = url->scheme, .host = url->host, .port = url->port, .method = "GET", .path = url->path})
        .allowed();
  };
}

McpDecision Policy::judge(const McpCall& call) const {
  const Decision* strictest = nullptr;
  const CompiledLayer* unmatched = nullptr;
  McpDecision answer;
  const UrlAllowed url_allowed = url_judge();
  for (const auto& layer : compiled_->layers) {
    bool matched = false;
    for (const auto& matcher : layer->mcp) {
      const Decision* found = matcher.decide(matcher.compare(call, url_allowed));
      if (found == nullptr) continue;
      matched = true;
      if (strictest == nullptr || found->verdict > strictest->verdict) strictest = found;
      const auto& bytes = matcher.rule->result_bytes;
      if (bytes && (answer.result_rule.empty() || *bytes < answer.result_bytes)) {
        answer.result_bytes = *bytes;
        answer.result_rule = matcher.rule->id;
      }
      count_against(answer.quotas, *layer, *matcher.rule, call);
    }
    if (!matched && !layer->layer.pass_unmatched && unmatched == nullptr) unmatched = layer.get();
  }
  if (strictest != nullptr && (unmatched == nullptr || strictest->verdict == Verdict::deny)) {
    static_cast<Decision&>(answer) = *strictest;
    for (const auto& server : compiled_->mcp_servers) {
      if (server.name != call.server || !server.budget) continue;
      count_against(answer.quotas, {fmt::format("mcp server {}", server.name), std::string(kServerRule),
                                    fmt::format("server '{}'", server.name), *server.budget});
    }
    return answer;
  }
  answer.verdict = Verdict::deny;
  answer.reason = unmatched == nullptr ? "no policy has a rule for " + shown(call)
                                       : fmt::format("no rule of policy '{}' allows {}{}", unmatched->layer.name,
                                                     shown(call), nearest_words(*unmatched, call, url_allowed));
  return answer;
}

bool Policy::may_call(std::string_view server, std::string_view tool) const {
  bool some = false;
  for (const auto& layer : compiled_->layers) {
    bool opened = false;
    for (const auto& matcher : layer->mcp) {
      if (!matcher.names(server, tool)) continue;
      if (is_spent(*matcher.rule)) return false;
      if (matcher.rule->action != Verdict::deny) {
        opened = true;
      } else if (matcher.rule->arguments.empty()) {
        return false;
      }
    }
    if (!opened && !layer->layer.pass_unmatched) return false;
    some |= opened;
  }
  return some;
}

const std::vector<McpServer>& Policy::mcp_servers() const { return compiled_->mcp_servers; }

}  // namespace gatehouse::policy
