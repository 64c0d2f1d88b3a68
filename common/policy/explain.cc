// A policy in words: what is in force, why a question is answered as it is, and whether its own tests hold.
#include <fmt/format.h>

#include <algorithm>

#include "common/policy/compiled.h"

namespace gatehouse::policy {

namespace {

std::string join_words(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::string describe_terms(const CompiledLayer& layer, const std::vector<HostTerm>& terms) {
  std::vector<std::string> words;
  for (const auto& term : terms) {
    if (term.symbol.empty()) {
      words.push_back(term.pattern.to_string());
      continue;
    }
    std::vector<std::string> hosts;
    for (const auto& origin : layer.symbols.at(term.symbol)) {
      const bool usual = origin.https && origin.port == 443;
      hosts.push_back(usual ? origin.host
                            : fmt::format("{}://{}:{}", origin.https ? "https" : "http", origin.host, origin.port));
    }
    words.push_back(fmt::format("{} ({})", term.symbol, join_words(hosts)));
  }
  return words.empty() ? "no host" : join_words(words);
}

std::string describe_http(const CompiledLayer& layer, const HttpRule& rule) {
  std::string text =
      fmt::format("  http  {:5}  {:20}  {}", to_string(rule.action), rule.id, describe_terms(layer, rule.hosts));
  if (rule.schemes) {
    constexpr std::string_view kNames[] = {"none", "http", "https", "http or https"};
    text += fmt::format("; scheme {}", kNames[*rule.schemes]);
  }
  if (rule.ports)
    text += fmt::format("; port {}", rule.ports->empty() ? "none" : fmt::format("{}", fmt::join(*rule.ports, " ")));
  if (rule.methods) text += fmt::format("; method {}", rule.methods->empty() ? "none" : join_words(*rule.methods));
  if (rule.paths) {
    std::vector<std::string> globs;
    for (const auto& glob : *rule.paths) globs.push_back(glob.text());
    text += fmt::format("; path {}", globs.empty() ? "none" : join_words(globs));
  }
  return text + (rule.reason.empty() ? "\n" : fmt::format("; \"{}\"\n", rule.reason));
}

std::string describe_dns(const CompiledLayer& layer, const DnsRule& rule) {
  std::string text =
      fmt::format("  dns   {:5}  {:20}  {}", to_string(rule.action), rule.id, describe_terms(layer, rule.names));
  if (rule.types) text += fmt::format("; type {}", rule.types->empty() ? "none" : join_words(*rule.types));
  return text + (rule.reason.empty() ? "\n" : fmt::format("; \"{}\"\n", rule.reason));
}

std::string heading(const Layer& layer) {
  return fmt::format("policy '{}' ({}){}\n", layer.name, layer.place.source->name,
                     layer.pass_unmatched ? ", no opinion where no rule matches" : "");
}

std::string miss_words(Miss miss) {
  switch (miss) {
    case Miss::none:
      return "matches";
    case Miss::scheme:
      return "not this scheme";
    case Miss::port:
      return "not this port";
    case Miss::method:
      return "not this method";
    case Miss::path:
      return "not this path";
  }
  return {};
}

template <class Rule>
std::string rule_line(const Rule& rule, std::string_view verdict, std::string_view words) {
  return fmt::format("  {:5}  {:20}  {}  [{}]\n", verdict, rule.id, words, rule.place.to_string());
}

std::string explain_http(const CompiledLayer& layer, const Question& question) {
  std::string text = heading(layer.layer);
  const size_t before = text.size();
  const HttpRequest request = question.request();
  const auto path = RequestPath::parse(question.path);
  if (!path) return text;
  path->for_each_reading([&](std::string_view reading) {
    if (reading != path->raw()) text += fmt::format("  read as {}\n", reading);
    layer.for_each_http(request.host, [&](const HttpMatcher& matcher) {
      text +=
          rule_line(*matcher.rule, to_string(matcher.decision.verdict), miss_words(matcher.compare(request, reading)));
    });
  });
  return text.size() == before ? text + "  no rule names this host\n" : text;
}

std::string explain_dns(const CompiledLayer& layer, const Question& question) {
  std::string text = heading(layer.layer);
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

}  // namespace

std::vector<TestOutcome> Policy::run_tests() const {
  std::vector<TestOutcome> outcomes;
  for (const auto& layer : compiled_->layers) {
    for (const auto& compiled : layer->tests) {
      const TestEntry& test = *compiled.test;
      TestOutcome outcome;
      outcome.source = test.place.source->name;
      outcome.line = test.place.line();
      outcome.test = test.dns ? "dns " + test.question : test.question;
      outcome.expected = std::string(to_string(test.expect)) + (test.rule.empty() ? "" : " by " + test.rule);
      for (const auto& question : compiled.questions) {
        outcome.decision = question.dns ? judge(question.dns_question()) : judge(question.request());
        outcome.passed =
            outcome.decision.verdict == test.expect && (test.rule.empty() || outcome.decision.rule_id == test.rule);
        if (!outcome.passed) break;
      }
      outcomes.push_back(std::move(outcome));
    }
  }
  return outcomes;
}

std::string Policy::describe() const {
  std::string text;
  for (const auto& layer : compiled_->layers) {
    text += heading(layer->layer);
    for (const auto& rule : layer->layer.http) text += describe_http(*layer, rule);
    for (const auto& rule : layer->layer.dns) text += describe_dns(*layer, rule);
    for (const auto& [host, override, place] : layer->layer.resolve) {
      text += fmt::format("  {} is at {}{}\n", host, override.address.to_string(),
                          override.port == 0 ? "" : fmt::format(", port {}", override.port));
    }
    if (layer->layer.networks) {
      std::vector<std::string> networks;
      for (const auto& network : *layer->layer.networks) networks.push_back(network.to_string());
      text += fmt::format("  private networks: {}\n", networks.empty() ? "none" : join_words(networks));
    }
    if (!layer->layer.pass_unmatched) text += "  all else is denied\n";
  }
  return text;
}

Result<std::string> Policy::explain(std::string_view question_text) const {
  std::vector<Question> questions;
  if (question_text.starts_with("dns ")) {
    auto question = parse_dns_question(question_text.substr(4));
    if (!question) return failed(question);
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
  }

  std::string text;
  for (const auto& question : questions) {
    const Decision decision = question.dns ? judge(question.dns_question()) : judge(question.request());
    text += fmt::format("{}\n{} by {}: {}\n", question.to_string(), to_string(decision.verdict), decision.rule_id,
                        decision.reason);
    for (const auto& layer : compiled_->layers) {
      text += question.dns ? explain_dns(*layer, question) : explain_http(*layer, question);
    }
  }
  return text;
}

}  // namespace gatehouse::policy
