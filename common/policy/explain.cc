// Why a question is answered as it is, rule by rule.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/policy/compiled.h"
#include "common/policy/finding_words.h"
#include "common/policy/git_words.h"

namespace gatehouse::policy {

namespace {

std::string condition_words(std::string_view what, const Comparison& comparison) {
  return fmt::format(fmt::runtime(comparison.unsure ? "servers may differ on this {} ({})" : "not this {} ({})"), what,
                     comparison.condition->to_string());
}

std::string words_of(const Comparison& comparison) {
  switch (comparison.miss) {
    case Miss::none:
      return "matches";
    case Miss::passthrough:
      return "lets TLS through, and speaks of no requests";
    case Miss::scheme:
      return "not this scheme";
    case Miss::port:
      return "not this port";
    case Miss::method:
      return "not this method";
    case Miss::path:
      return "not this path";
    case Miss::query:
      return condition_words("query", comparison);
    case Miss::headers:
      return condition_words("header", comparison);
  }
  return {};
}

template <class Rule>
std::string rule_line(const Rule& rule, std::string_view verdict, std::string_view words) {
  return fmt::format("  {:5}  {:20}  {}  [{}]\n", verdict, rule.id, words, rule.place.to_string());
}

std::string explain_http(const CompiledLayer& layer, const Question& question) {
  std::string text = describe_layer(layer.layer);
  const size_t before = text.size();
  std::vector<HeaderField> fields;
  const HttpRequest request = question.request(fields);
  const HttpFacts facts(request);
  const auto path = RequestPath::parse(question.path);
  if (!path) return text;
  path->for_each_reading([&](std::string_view reading) {
    if (reading != path->raw()) text += fmt::format("  read as {}\n", reading);
    layer.for_each_http(request.host, [&](const HttpMatcher& matcher) {
      const Comparison comparison = matcher.compare(facts, reading);
      const Decision* decision = matcher.decide(comparison);
      text += rule_line(*matcher.rule, to_string((decision != nullptr ? decision : &matcher.decision)->verdict),
                        words_of(comparison));
    });
  });
  return text.size() == before ? text + "  no rule names this host\n" : text;
}

std::string explain_git(const CompiledLayer& layer, const Question& question) {
  std::string text = describe_layer(layer.layer);
  const size_t before = text.size();
  const GitRemote remote{question.host, question.port, question.repository};
  for (const auto& matcher : layer.git) {
    const GitRule& rule = *matcher.rule;
    const bool says = question.update ? rule.action == Verdict::deny || rule.push : rule.fetch;
    text += rule_line(rule, to_string(matcher.decision.verdict),
                      !rule.names(remote) ? "not this remote"
                      : says              ? "names this remote"
                                          : "not for this");
  }
  for (const auto& exemption : layer.layer.dlp.exempt) {
    const auto named = [&](const RemotePattern& pattern) { return pattern.matches(remote, Case::told_apart); };
    if (!question.update || std::none_of(exemption.remotes.begin(), exemption.remotes.end(), named)) continue;
    text += fmt::format("  exempt {:20}  {} in {}  [{}]\n", exemption.id, exemption.rule.name, place_words(exemption),
                        exemption.place.to_string());
  }
  return text.size() == before ? text + "  has no git rule\n" : text;
}

std::string explain_tls(const CompiledLayer& layer, const Question& question) {
  std::string text = describe_layer(layer.layer);
  const size_t before = text.size();
  layer.for_each_http(question.host, [&](const HttpMatcher& matcher) {
    const bool here = matcher.may_be_at(question.port);
    text += rule_line(*matcher.rule, to_string(matcher.decision.verdict),
                      !here                       ? "not this port"
                      : matcher.rule->passthrough ? "lets TLS through"
                                                  : "speaks of requests, which takes interception");
  });
  return text.size() == before ? text + "  no rule names this host\n" : text;
}

std::string in_brackets(const ArgumentCondition* condition) {
  return condition == nullptr ? "" : fmt::format(" ({})", condition->to_string());
}

std::string explain_mcp(const CompiledLayer& layer, const Question& question, const UrlAllowed& url_allowed) {
  std::string text = describe_layer(layer.layer);
  const size_t before = text.size();
  const McpSubject subject = question.kind == QuestionKind::mcp        ? McpSubject::tool
                             : question.kind == QuestionKind::resource ? McpSubject::resource
                                                                       : McpSubject::prompt;
  const auto uri = ResourceUri::parse(question.uri);
  if (subject == McpSubject::resource && !uri) return text;
  for (const auto& matcher : layer.mcp) {
    if (matcher.rule->subject != subject) continue;
    const auto comparison = subject == McpSubject::tool       ? matcher.compare(question.mcp_call(), url_allowed)
                            : subject == McpSubject::resource ? matcher.compare(question.server, *uri)
                                                              : matcher.compare(question.mcp_prompt());
    const Decision* decision = matcher.decide(comparison);
    const auto* missed = comparison.missed;
    text += rule_line(*matcher.rule, to_string(decision != nullptr ? decision->verdict : matcher.rule->action),
                      comparison.met == Met::yes      ? "matches"
                      : comparison.met == Met::unsure ? fmt::format("servers may differ{}", in_brackets(missed))
                      : missed != nullptr             ? fmt::format("not these arguments{}", in_brackets(missed))
                                                      : fmt::format("not this {}", subject_word(subject)));
  }
  return text.size() == before ? text + fmt::format("  has no mcp rule for {}s\n", subject_word(subject)) : text;
}

std::string explain_dns(const CompiledLayer& layer, const Question& question) {
  std::string text = describe_layer(layer.layer);
  const size_t before = text.size();
  layer.for_each_dns(question.host, [&](const DnsMatcher& matcher) {
    text += rule_line(*matcher.rule, to_string(matcher.decision.verdict),
                      matcher.matches_type(question.type) ? "matches" : "not this type");
  });
  layer.for_each_http(question.host, [&](const HttpMatcher& matcher) {
    const bool denies = matcher.decision.verdict == Verdict::deny;
    text += rule_line(*matcher.rule, denies ? "-" : "allow",
                      denies ? "an http denial leaves the name resolvable" : "names this host");
  });
  return text.size() == before ? text + "  no rule names this host\n" : text;
}

std::string explain_finding(const CompiledLayer& layer, const FindingQuestion& question) {
  std::string text = describe_layer(layer.layer);
  const size_t before = text.size();
  const auto line = [&](std::string_view action, std::string_view name, std::string_view words, const Place& place) {
    text += fmt::format("  {:6} {:20}  {}  [{}]\n", action, name, words, place.to_string());
  };
  for (const auto& listed : layer.layer.dlp.listed) {
    const auto& [name, is_category, place] = listed.selector;
    if (name == question.rule) line(to_string(listed.action), name, "names the rule", place);
    if (name == question.category) line(to_string(listed.action), name, "names its category", place);
  }
  for (const auto& exemption : layer.layer.dlp.exempt) {
    if (exemption.rule.name != question.rule) continue;
    if (!exemption.remotes.empty()) {
      line("exempt", exemption.id, "in a push to " + place_words(exemption), exemption.place);
      continue;
    }
    bool here = false;
    layer.for_each_exemption(question.host, [&](const Exemption& e) { here |= &e == &exemption; });
    line("exempt", exemption.id, here ? "names the rule and this host" : "not this host", exemption.place);
  }
  return text.size() == before ? text + "  says nothing of this rule\n" : text;
}

std::string explain_credentials(const Policy& policy, const HttpRequest& request) {
  std::string text;
  for (const auto& credential : policy.credentials()) {
    if (!credential.goes_to(request.scheme, request.host, request.port)) continue;
    text += fmt::format("  carries the secret {} {}\n", credential.secret,
                        credential.always ? "in any case" : "where its placeholder stands");
  }
  return text;
}

std::string explain_identity(const Policy& policy, const HttpRequest& request) {
  const auto* identity = is_over_tls(request.scheme) ? policy.client_identity(request.host, request.port) : nullptr;
  return identity == nullptr
             ? ""
             : fmt::format("  shows the client certificate {} if asked for one\n", identity->certificate);
}

std::string explain_way(const Policy& policy, std::string_view host) {
  const auto* proxy = policy.upstream_proxy_for(host);
  return proxy == nullptr
             ? ""
             : fmt::format("  by way of the proxy {}, which looks the name up: no address is judged here\n",
                           proxy->authority());
}

std::string explain_in_layer(const CompiledLayer& layer, const Question& question, const FindingRule& facts,
                             const UrlAllowed& url_allowed) {
  switch (question.kind) {
    case QuestionKind::http:
      return explain_http(layer, question);
    case QuestionKind::git:
      return explain_git(layer, question);
    case QuestionKind::tls:
      return explain_tls(layer, question);
    case QuestionKind::mcp:
    case QuestionKind::resource:
    case QuestionKind::prompt:
      return explain_mcp(layer, question, url_allowed);
    case QuestionKind::dns:
      return explain_dns(layer, question);
    case QuestionKind::dlp:
      return explain_finding(layer, question.finding(facts));
  }
  return {};
}

// "deny by default-deny: no rule...", "deny: policy 'demo' lists...".
std::string answer_line(const Policy& policy, const Question& question, const FindingRule& facts) {
  if (question.kind == QuestionKind::dlp) {
    const FindingDecision decision = policy.judge(question.finding(facts));
    return fmt::format("{}{}: {}\n", to_string(decision.action),
                       decision.exemption.empty() ? "" : " by " + decision.exemption, decision.cause);
  }
  if (is_mcp(question.kind)) {
    const McpDecision decision = question.judge_mcp(policy);
    std::string text = fmt::format("{} by {}: {}\n", to_string(decision.verdict), decision.rule_id, decision.reason);
    if (decision.verdict == Verdict::deny) return text;
    if (!decision.result_rule.empty()) {
      text += fmt::format("  at most {} bytes of result, says '{}'\n", decision.result_bytes, decision.result_rule);
    }
    for (const auto& quota : decision.quotas) text += fmt::format("  counted against {}\n", quota.whose);
    return text;
  }
  std::vector<HeaderField> fields;
  const HttpDecision decision = question.kind == QuestionKind::dns
                                    ? HttpDecision{policy.judge(question.dns_question()), {}}
                                : question.kind == QuestionKind::git ? HttpDecision{question.judge_git(policy), {}}
                                : question.kind == QuestionKind::tls ? policy.judge(question.tls_question())
                                                                     : policy.judge(question.request(fields));
  std::string text = fmt::format("{} by {}: {}\n", to_string(decision.verdict), decision.rule_id, decision.reason);
  if (decision.verdict == Verdict::deny) return text;
  const auto bound = [&text](std::string_view what, const BodyLimit& limit) {
    if (!limit.rule.empty())
      text += fmt::format("  at most {} bytes of {}, says '{}'\n", limit.bytes, what, limit.rule);
  };
  bound("request body", decision.terms.request_body);
  bound("response body", decision.terms.response_body);
  for (const auto& quota : decision.terms.quotas) text += fmt::format("  counted against {}\n", quota.whose);
  return text;
}

// Of questions that take nothing else to be read.
Result<Question> (*parser_of(std::string_view word))(std::string_view) {
  constexpr std::pair<std::string_view, Result<Question> (*)(std::string_view)> kParsers[] = {
      {"git", parse_git_question},
      {"mcp", parse_mcp_question},
      {"resource", parse_resource_question},
      {"prompt", parse_prompt_question},
      {"tls", parse_tls_question}};
  for (const auto& [known, parse] : kParsers) {
    if (known == word) return parse;
  }
  return nullptr;
}

}  // namespace

Result<std::string> Policy::explain(std::string_view question_text, const std::vector<FindingRule>& rules,
                                    const std::vector<std::string>& fields) const {
  std::vector<Question> questions;
  const bool dns = question_text.starts_with("dns ");
  if (const auto parse = parser_of(question_text.substr(0, question_text.find(' ')))) {
    auto question = parse(question_text.substr(std::min(question_text.find(' ') + 1, question_text.size())));
    if (!question) return failed(question);
    questions.push_back(std::move(*question));
  } else if (dns || question_text.starts_with("dlp ")) {
    auto question = dns ? parse_dns_question(question_text.substr(4)) : parse_dlp_question(question_text.substr(4));
    if (!question) return failed(question);
    if (!dns && !rules.empty()) {
      if (auto known = check_rule(question->rule, rules); !known) return failed(known);
    }
    questions.push_back(std::move(*question));
  } else {
    const auto resolve = [this](const std::string& symbol) -> Result<std::vector<RegistryOrigin>> {
      for (const auto& layer : compiled_->layers) {
        if (const auto found = layer->symbols.find(symbol); found != layer->symbols.end()) return found->second;
      }
      return fail("no rule of this policy speaks of '{}'", symbol);
    };
    auto parsed = parse_http_question(question_text, resolve);
    if (!parsed) return failed(parsed);
    questions = std::move(*parsed);
    for (const auto& field : fields) {
      const auto header = parse_header_field(field);
      if (!header) return failed(header);
      for (auto& question : questions) question.headers.push_back(*header);
    }
  }

  std::string text;
  for (const auto& question : questions) {
    const FindingRule facts = facts_of(question.rule, rules);
    text += question.to_string() + "\n" + answer_line(*this, question, facts);
    std::vector<HeaderField> none;
    if (question.kind == QuestionKind::http) {
      const HttpRequest request = question.request(none);
      text += explain_credentials(*this, request) + explain_identity(*this, request);
    }
    if (question.kind == QuestionKind::http || question.kind == QuestionKind::tls)
      text += explain_way(*this, question.host);
    for (const auto& layer : compiled_->layers) text += explain_in_layer(*layer, question, facts, url_judge());
  }
  return text;
}

}  // namespace gatehouse::policy
