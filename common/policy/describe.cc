// A policy in words: the rules in force.
#include <fmt/format.h>

#include "common/base/log.h"
#include "common/policy/compiled.h"
#include "common/policy/git_words.h"

namespace gatehouse::policy {

namespace {

std::string join_words(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::string size_words(uint64_t bytes) {
  constexpr std::pair<uint64_t, std::string_view> kUnits[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}};
  for (const auto& [factor, unit] : kUnits) {
    if (bytes % factor == 0) return fmt::format("{} {}", bytes / factor, unit);
  }
  return fmt::format("{} bytes", bytes);
}

// "at most 100 requests, 10 MiB out".
std::string describe_allowance(const Allowance& allowance) {
  std::vector<std::string> words;
  const auto add = [&words](uint64_t value, std::string text) {
    if (value != Allowance::kUnbounded) words.push_back(std::move(text));
  };
  add(allowance.requests, fmt::format("{} requests", allowance.requests));
  add(allowance.bytes_out, size_words(allowance.bytes_out) + " out");
  add(allowance.bytes_in, size_words(allowance.bytes_in) + " in");
  add(allowance.requests_per_minute, fmt::format("{} requests a minute", allowance.requests_per_minute));
  return words.empty() ? "no bound" : fmt::format("at most {}", fmt::join(words, ", "));
}

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
    text += fmt::format("; scheme {}", describe_schemes(*rule.schemes));
  }
  if (rule.passthrough) text += "; TLS that is not intercepted";
  if (rule.ports)
    text += fmt::format("; port {}", rule.ports->empty() ? "none" : fmt::format("{}", fmt::join(*rule.ports, " ")));
  if (rule.methods) text += fmt::format("; method {}", rule.methods->empty() ? "none" : join_words(*rule.methods));
  if (rule.paths) {
    std::vector<std::string> globs;
    for (const auto& glob : *rule.paths) globs.push_back(glob.text());
    text += fmt::format("; path {}", globs.empty() ? "none" : join_words(globs));
  }
  for (const auto& condition : rule.query) text += "; query " + condition.to_string();
  for (const auto& condition : rule.headers) text += "; header " + condition.to_string();
  if (rule.request_body_bytes) text += "; request body up to " + size_words(*rule.request_body_bytes);
  if (rule.response_body_bytes) text += "; response body up to " + size_words(*rule.response_body_bytes);
  if (rule.budget) text += "; " + describe_allowance(*rule.budget);
  return text + (rule.reason.empty() ? "\n" : fmt::format("; \"{}\"\n", rule.reason));
}

std::string describe_git(const GitRule& rule) {
  std::vector<std::string> remotes;
  for (const auto& remote : rule.remotes) remotes.push_back(remote.text);
  std::string text = fmt::format("  git   {:5}  {:20}  {}", to_string(rule.action), rule.id,
                                 remotes.empty() ? "no remote" : join_words(remotes));
  if (!rule.fetch) text += "; not for fetching";
  if (rule.push) {
    const GitPush& push = *rule.push;
    text += fmt::format("; push branches {}; tags {}", glob_words(push.branches), glob_words(push.tags));
    const auto flag = [&text](bool said, std::string_view words) {
      if (said) text.append("; ").append(words);
    };
    flag(!push.create, "no new refs");
    flag(!push.update, "no change of refs");
    flag(push.remove, "removing");
    flag(push.force, "forced");
    flag(push.push_options, "with options");
    flag(push.lfs, "with LFS objects");
    flag(push.signature == SignedPush::allowed, "signed or not");
    flag(push.signature == SignedPush::required, "signed only");
    flag(push.atomic, "several refs only together (--atomic)");
    flag(!push.protects.empty(), "protected " + glob_words(push.protects));
    if (push.objects) text += fmt::format("; at most {} objects", *push.objects);
    if (push.pack_bytes) text += "; pack up to " + size_words(*push.pack_bytes);
    if (push.file_bytes) text += "; files up to " + size_words(*push.file_bytes);
    if (push.unchanged) text += "; unchanged " + glob_words(*push.unchanged);
    for (const auto& [what, list] : {std::pair{"submodules", &push.submodules}, {"LFS", &push.lfs_hosts}}) {
      if (!*list) continue;
      std::vector<std::string> hosts;
      for (const auto& host : **list) hosts.push_back(host.to_string());
      text += fmt::format("; {} at {}", what, hosts.empty() ? "no host" : join_words(hosts));
    }
    if (push.authors) text += fmt::format("; authors {}", fmt::join(*push.authors, ", "));
    if (push.trailers) text += "; trailers " + join_words(*push.trailers);
  }
  return text + (rule.reason.empty() ? "\n" : fmt::format("; \"{}\"\n", rule.reason));
}

// A command's arguments are left out: somebody may have put a password there.
std::string describe_server(const McpServer& server) {
  std::string text = fmt::format("  mcp   server {} ", server.name);
  if (const auto& at = server.endpoint) {
    text += fmt::format("is at https://{}{}{}", at->host, at->port == 443 ? "" : fmt::format(":{}", at->port),
                        at->path.substr(0, at->path.find('?')));
  } else {
    text += "runs " + server.command.front();
  }
  if (!server.secrets.empty()) text += "; is given " + join_words(server.secrets);
  if (const auto& oauth = server.oauth) {
    text += fmt::format("; with tokens ({}", kMcpGrantNames[static_cast<size_t>(oauth->grant)]);
    if (!oauth->client_id.empty()) text += fmt::format(", client {}", log::printable(oauth->client_id, 128));
    if (!oauth->client_secret.empty()) text += fmt::format(" with {}", oauth->client_secret);
    text += ") of its own origin";
    for (const auto& at : oauth->authorization_servers) {
      text += fmt::format(", https://{}{}", at.host, at.port == 443 ? "" : fmt::format(":{}", at.port));
    }
    if (oauth->scopes) text += "; scopes " + (oauth->scopes->empty() ? "none" : join_words(*oauth->scopes));
  }
  if (server.sandbox) {
    text += "; in a sandbox";
    if (!server.sandbox->read.empty()) text += ", reads " + join_words(server.sandbox->read);
    if (!server.sandbox->write.empty()) text += ", writes " + join_words(server.sandbox->write);
    text += server.sandbox->network ? ", with the network" : ", without network";
  }
  if (server.budget) text += "; " + describe_allowance(*server.budget);
  if (server.new_tools == NewTools::approve) text += "; new tools wait for approval";
  if (!server.shares_names_with.empty()) text += "; shares names with " + join_words(server.shares_names_with);
  if (server.own_names) text += "; under its own names";
  for (const McpAsk& ask : server.asks) {
    text +=
        fmt::format("{}{}", &ask == &server.asks[0] ? "; may ask for " : ", ", kMcpAskNames[static_cast<size_t>(ask)]);
  }
  return text + "\n";
}

std::string describe_mcp(const McpRule& rule) {
  std::vector<std::string> globs = rule.names;
  for (const auto& uri : rule.uris) globs.push_back(uri.text());
  const std::string_view what = subject_word(rule.subject);
  std::string text = fmt::format("  mcp   {:5}  {:20}  {}: {}", to_string(rule.action), rule.id, rule.server,
                                 globs.empty()                      ? fmt::format("no {}", what)
                                 : rule.subject == McpSubject::tool ? join_words(globs)
                                                                    : fmt::format("{} {}", what, join_words(globs)));
  for (const auto& condition : rule.arguments) text += "; argument " + condition.to_string();
  if (rule.result_bytes) text += "; result up to " + size_words(*rule.result_bytes);
  if (rule.budget) text += "; " + describe_allowance(*rule.budget);
  if (rule.tool_budget) text += "; each tool " + describe_allowance(*rule.tool_budget);
  return text + (rule.reason.empty() ? "\n" : fmt::format("; \"{}\"\n", rule.reason));
}

std::string describe_dns(const CompiledLayer& layer, const DnsRule& rule) {
  std::string text =
      fmt::format("  dns   {:5}  {:20}  {}", to_string(rule.action), rule.id, describe_terms(layer, rule.names));
  if (rule.types) text += fmt::format("; type {}", rule.types->empty() ? "none" : join_words(*rule.types));
  return text + (rule.reason.empty() ? "\n" : fmt::format("; \"{}\"\n", rule.reason));
}

std::string describe_dlp(const CompiledLayer& layer) {
  std::string text;
  for (const auto action : {FindingAction::deny, FindingAction::redact, FindingAction::warn}) {
    std::vector<std::string> names;
    for (const auto& listed : layer.layer.dlp.listed) {
      if (listed.action == action) names.push_back(listed.selector.name);
    }
    if (!names.empty()) text += fmt::format("  dlp   {:6} {}\n", to_string(action), join_words(names));
  }
  for (const auto& exemption : layer.layer.dlp.exempt) {
    text += fmt::format("  dlp   exempt {:20}  {} at {}{}\n", exemption.id, exemption.rule.name,
                        exemption.remotes.empty() ? describe_terms(layer, exemption.hosts) : place_words(exemption),
                        exemption.reason.empty() ? "" : fmt::format("; \"{}\"", exemption.reason));
  }
  return text;
}

std::string describe_tls(const CompiledLayer& layer) {
  std::string text;
  if (const auto& proxy = layer.layer.upstream_proxy) {
    text += fmt::format("  upstream proxy {}{}", proxy->authority(),
                        proxy->credential.empty() ? "" : fmt::format(" with the secret {}", proxy->credential));
    for (const auto& host : proxy->except)
      text += fmt::format("{} {}", &host == &proxy->except[0] ? ", but not for" : "", host.to_string());
    text += "; it looks names up, and where they lead is not judged here\n";
  }
  for (const auto& entry : layer.layer.tls.client_certificates) {
    text +=
        fmt::format("  tls   client certificate {} for {}{}\n", entry.certificate, describe_terms(layer, entry.hosts),
                    entry.ports.empty() ? "" : fmt::format("; port {}", fmt::join(entry.ports, " ")));
  }
  return text;
}

// A command's arguments are left out: somebody may have put a password there.
std::string whence(const SecretSource& source) {
  switch (source.from) {
    case SecretSource::From::environment:
      return "the environment variable " + source.where;
    case SecretSource::From::file:
      return "the file " + source.where;
    case SecretSource::From::command:
      return "the command " + source.command.front();
  }
  return {};
}

std::string describe_credential(const Credential& credential) {
  std::vector<std::string> hosts;
  for (const auto& [pattern, port] : credential.hosts) {
    hosts.push_back(port == 443 ? pattern.to_string() : fmt::format("{}:{}", pattern.to_string(), port));
  }
  std::vector<std::string> places;
  for (const auto& place : credential.places) places.push_back(place.to_string());
  return fmt::format("; {} at {} as {}, and nowhere else",
                     credential.always ? "sent with every request" : "sent for its placeholder",
                     hosts.empty() ? "no host" : join_words(hosts), fmt::join(places, " or "));
}

std::string describe_secret(const SecretSource& source, const std::optional<Credential>& credential) {
  return fmt::format("  the value of {} from {} is stopped{}\n", source.name, whence(source),
                     credential ? describe_credential(*credential) : "");
}

std::string describe_limits(const Limits& limits) {
  std::string text = fmt::format(
      "limits of the scanner: request body {}, decoded {}, {} encodings deep, {} ms a request\n"
      "an approval is waited for {} s\n",
      size_words(limits.request_body_bytes), size_words(limits.decoded_bytes), limits.decode_depth,
      limits.scan_time.count(), limits.approval_time.count() / 1000);
  text += fmt::format(
      "an upstream has {} ms to connect, {} ms to answer, {} ms between bytes, {} ms between messages of a WebSocket; "
      "a guest {} ms for TLS, {} ms for a request's head, {} ms for its body\n",
      limits.connect_time.count(), limits.first_byte_time.count(), limits.idle_time.count(),
      limits.websocket_idle_time.count(), limits.handshake_time.count(), limits.head_time.count(),
      limits.request_time.count());
  if (limits.session.bounds()) text += fmt::format("the session: {}\n", describe_allowance(limits.session));
  if (limits.host.bounds()) text += fmt::format("each host: {}\n", describe_allowance(limits.host));
  return text;
}

}  // namespace

std::string describe_schemes(Schemes schemes) {
  std::string words;
  for (const std::string_view name : kSchemeNames) {
    if ((schemes & scheme_named(name)) != 0) words += (words.empty() ? "" : " or ") + std::string(name);
  }
  return words.empty() ? "none" : words;
}

std::string describe_layer(const Layer& layer) {
  return fmt::format("policy '{}' ({}){}\n", layer.name, layer.place.source->name,
                     layer.pass_unmatched ? ", no opinion where no rule matches" : "");
}

std::string Policy::describe() const {
  std::string text;
  for (const auto& layer : compiled_->layers) {
    text += describe_layer(layer->layer);
    for (const auto& rule : layer->layer.http) text += describe_http(*layer, rule);
    for (const auto& rule : layer->layer.git) text += describe_git(rule);
    for (const auto& entry : layer->layer.mcp.servers) text += describe_server(entry.server);
    for (const auto& rule : layer->layer.mcp.rules) text += describe_mcp(rule);
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
    text += describe_dlp(*layer);
    text += describe_tls(*layer);
    const auto& secrets = layer->layer.secrets;
    for (size_t i = 0; i < secrets.size(); ++i) text += describe_secret(secrets[i].source, layer->credentials[i]);
    if (!layer->layer.pass_unmatched) text += "  all else is denied\n";
  }
  return text + describe_limits(compiled_->limits);
}

}  // namespace gatehouse::policy
