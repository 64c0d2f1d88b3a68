// What mcp rules come to: the strictest rule that matches wins, layer by layer, as everywhere.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/policy/compiled.h"

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxShownBytes = 100;
constexpr size_t kMaxShownGlobs = 4;
constexpr std::string_view kUriRule = "mcp.uri";
constexpr std::string_view kServerRule = "limit.server";

// What is asked for, and how rules compare with it.
struct Asked {
  McpSubject subject;
  std::string_view server;
  std::string_view name;  // of the tool, resource or prompt
  std::function<McpMatcher::Comparison(const McpMatcher&)> compare;

  std::string shown() const {
    return fmt::format("{} '{}' of server '{}'", subject_word(subject), log::printable(name, kMaxShownBytes),
                       log::printable(server, kMaxShownBytes));
  }
};

std::string first_few_globs(const McpRule& rule) {
  std::vector<std::string> globs = rule.names;
  for (const auto& uri : rule.uris) globs.push_back(uri.text());
  const size_t count = std::min(globs.size(), kMaxShownGlobs);
  return fmt::format("{}{}", fmt::join(globs.begin(), globs.begin() + static_cast<std::ptrdiff_t>(count), ", "),
                     count < globs.size() ? ", ..." : "");
}

// A layer in which no rule matches: the rule that came nearest, and what it asks for.
std::string nearest_words(const CompiledLayer& layer, const Asked& asked) {
  for (const auto& matcher : layer.mcp) {
    if (matcher.rule->action == Verdict::deny) continue;
    const auto comparison = asked.compare(matcher);
    if (comparison.missed == nullptr) continue;
    return fmt::format("; rule '{}' names it, but only for {}", matcher.rule->id, comparison.missed->to_string());
  }
  if (asked.subject != McpSubject::tool) {
    for (const auto& matcher : layer.mcp) {
      const McpRule& rule = *matcher.rule;
      if (rule.action == Verdict::deny || !matcher.names_server(asked.subject, asked.server)) continue;
      if (rule.names.empty() && rule.uris.empty()) continue;
      return fmt::format("; rule '{}' names the server, but only for {}", rule.id, first_few_globs(rule));
    }
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

void count_against(std::vector<Quota>& quotas, const CompiledLayer& layer, const McpRule& rule, const Asked& asked) {
  const std::string counter = fmt::format("mcp rule {}/{}", layer.layer.name, rule.id);
  const std::string whose = describe_rule(layer.layer, rule.id);
  if (rule.budget) count_against(quotas, {counter, rule.id, whose, *rule.budget});
  if (!rule.tool_budget) return;
  count_against(quotas, {fmt::format("{} {} {}", counter, asked.server, asked.name), rule.id,
                         fmt::format("{} by {}", asked.shown(), whose), *rule.tool_budget});
}

// Whether it lets nothing at all through, whatever else holds.
bool is_spent(const McpRule& rule) {
  return (rule.budget && rule.budget->requests == 0) || (rule.tool_budget && rule.tool_budget->requests == 0);
}

McpDecision decide(const Policy::Compiled& policy, const Asked& asked) {
  const Decision* strictest = nullptr;
  const CompiledLayer* unmatched = nullptr;
  McpDecision answer;
  for (const auto& layer : policy.layers) {
    bool matched = false;
    for (const auto& matcher : layer->mcp) {
      const Decision* found = matcher.decide(asked.compare(matcher));
      if (found == nullptr) continue;
      matched = true;
      if (strictest == nullptr || found->verdict > strictest->verdict) strictest = found;
      const auto& bytes = matcher.rule->result_bytes;
      if (bytes && (answer.result_rule.empty() || *bytes < answer.result_bytes)) {
        answer.result_bytes = *bytes;
        answer.result_rule = matcher.rule->id;
      }
      count_against(answer.quotas, *layer, *matcher.rule, asked);
    }
    if (!matched && !layer->layer.pass_unmatched && unmatched == nullptr) unmatched = layer.get();
  }
  if (strictest != nullptr && (unmatched == nullptr || strictest->verdict == Verdict::deny)) {
    static_cast<Decision&>(answer) = *strictest;
    for (const auto& server : policy.mcp_servers) {
      if (server.name != asked.server || !server.budget) continue;
      count_against(answer.quotas, {fmt::format("mcp server {}", server.name), std::string(kServerRule),
                                    fmt::format("server '{}'", server.name), *server.budget});
    }
    return answer;
  }
  answer.verdict = Verdict::deny;
  answer.reason = unmatched == nullptr ? "no policy has a rule for " + asked.shown()
                                       : fmt::format("no rule of policy '{}' allows {}{}", unmatched->layer.name,
                                                     asked.shown(), nearest_words(*unmatched, asked));
  return answer;
}

// Whether some rule could let through what `opens` says one speaks of, and none denies the whole of that, of which
// `closes` tells one that denies.
template <class Opens, class Closes>
bool may(const Policy::Compiled& policy, Opens opens, Closes closes) {
  bool some = false;
  for (const auto& layer : policy.layers) {
    bool opened = false;
    for (const auto& matcher : layer->mcp) {
      const McpRule& rule = *matcher.rule;
      if (rule.action == Verdict::deny) {
        if (closes(matcher)) return false;
      } else if (opens(matcher)) {
        if (is_spent(rule)) return false;
        opened = true;
      }
    }
    if (!opened && !layer->layer.pass_unmatched) return false;
    some |= opened;
  }
  return some;
}

}  // namespace

std::string_view subject_word(McpSubject subject) {
  constexpr std::string_view kWords[] = {"tool", "resource", "prompt"};
  return kWords[static_cast<size_t>(subject)];
}

bool McpMatcher::names_server(McpSubject subject, std::string_view server) const {
  const auto letters = rule->action == Verdict::deny ? Case::ignored : Case::told_apart;
  return rule->subject == subject && glob_matches(rule->server, server, letters);
}

bool McpMatcher::names(McpSubject subject, std::string_view server, std::string_view name) const {
  const auto letters = rule->action == Verdict::deny ? Case::ignored : Case::told_apart;
  return names_server(subject, server) &&
         std::any_of(rule->names.begin(), rule->names.end(),
                     [&](const std::string& glob) { return glob_matches(glob, name, letters); });
}

McpMatcher::Comparison McpMatcher::compare(const McpCall& call, const UrlAllowed& url_allowed) const {
  if (!names(McpSubject::tool, call.server, call.tool)) return {};
  Comparison comparison;
  comparison.met =
      meets(rule->arguments, call.arguments, rule->action == Verdict::allow ? Quantity::all : Quantity::any,
            url_allowed, comparison.missed);
  return comparison;
}

McpMatcher::Comparison McpMatcher::compare(std::string_view server, const ResourceUri& uri) const {
  if (!names_server(McpSubject::resource, server)) return {};
  const auto some = [this](auto matches) { return std::any_of(rule->uris.begin(), rule->uris.end(), matches); };
  if (rule->action != Verdict::deny && some([&](const UriGlob& glob) { return glob.surely_matches(uri); }))
    return {Met::yes};
  if (rule->action == Verdict::allow || !some([&](const UriGlob& glob) { return glob.may_match(uri); })) return {};
  return {rule->action == Verdict::deny ? Met::yes : Met::unsure};
}

McpMatcher::Comparison McpMatcher::compare(const McpPrompt& prompt) const {
  return {names(McpSubject::prompt, prompt.server, prompt.prompt) ? Met::yes : Met::no};
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
  const UrlAllowed url_allowed = url_judge();
  return decide(*compiled_, {McpSubject::tool, call.server, call.tool,
                             [&](const McpMatcher& matcher) { return matcher.compare(call, url_allowed); }});
}

McpDecision Policy::judge(const McpRead& read) const {
  const auto uri = ResourceUri::parse(read.uri);
  if (!uri) {
    McpDecision refused;
    refused.rule_id = kUriRule;
    refused.reason = fmt::format("the URI '{}' of a resource {}; write it plainly, as the server lists it",
                                 log::printable(read.uri, kMaxShownBytes), uri.error().message());
    return refused;
  }
  return decide(*compiled_, {McpSubject::resource, read.server, read.uri,
                             [&](const McpMatcher& matcher) { return matcher.compare(read.server, *uri); }});
}

McpDecision Policy::judge(const McpPrompt& prompt) const {
  return decide(*compiled_, {McpSubject::prompt, prompt.server, prompt.prompt,
                             [&](const McpMatcher& matcher) { return matcher.compare(prompt); }});
}

bool Policy::may_call(std::string_view server, std::string_view tool) const {
  const auto names = [&](const McpMatcher& matcher) { return matcher.names(McpSubject::tool, server, tool); };
  return may(*compiled_, names,
             [&](const McpMatcher& matcher) { return names(matcher) && matcher.rule->arguments.empty(); });
}

bool Policy::may_read(std::string_view server, std::string_view uri) const {
  const auto parsed = ResourceUri::parse(uri);
  if (!parsed) return false;
  const auto matches = [&](const McpMatcher& matcher) { return matcher.compare(server, *parsed).met == Met::yes; };
  return may(*compiled_, matches, matches) && judge(McpRead{server, uri}).verdict != Verdict::deny;
}

bool Policy::may_read_some(std::string_view server) const {
  const auto names = [&](const McpMatcher& matcher) {
    return matcher.names_server(McpSubject::resource, server) && !matcher.rule->uris.empty();
  };
  return may(*compiled_, names, [&](const McpMatcher& matcher) {
    const auto& uris = matcher.rule->uris;
    return names(matcher) &&
           std::any_of(uris.begin(), uris.end(), [](const UriGlob& glob) { return glob.matches_all(); });
  });
}

bool Policy::may_prompt(std::string_view server, std::string_view prompt) const {
  const auto names = [&](const McpMatcher& matcher) { return matcher.names(McpSubject::prompt, server, prompt); };
  return may(*compiled_, names, names);
}

const std::vector<McpServer>& Policy::mcp_servers() const { return compiled_->mcp_servers; }

}  // namespace gatehouse::policy
