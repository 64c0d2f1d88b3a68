// From files to a Policy: layers, what they extend, and what they agree on.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "common/base/fd.h"
#include "common/policy/compiled.h"

namespace gatehouse::policy {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMachineDirectory = "/etc/gatehouse/policy.d";
constexpr const char* kInstalledDirectory = "/usr/share/gatehouse/policies";
constexpr int kMaxDirectoriesUp = 6;  // from build/<preset>/bin to the checkout, with room

Result<Source> read_source(const std::string& path, bool machine_wide) {
  std::error_code error;
  if (fs::is_directory(path, error)) return fail("{}: a directory, not a policy file", path);
  if (fs::exists(path, error) && !fs::is_regular_file(path, error) && !fs::is_fifo(path, error)) {
    return fail("{}: not a regular file", path);
  }
  auto text = read_file(path, kMaxPolicyBytes);
  if (!text) return failed(text);
  return Source{path, std::move(*text), machine_wide};
}

std::vector<std::string> shipped_names(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".json" && entry.path().stem() != "schema") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> join_resolve(std::vector<ResolveEntry>& into, const ResolveEntry& entry) {
  const auto same = std::find_if(into.begin(), into.end(), [&](const auto& e) { return e.host == entry.host; });
  if (same == into.end()) {
    into.push_back(entry);
    return {};
  }
  if (same->override.address == entry.override.address && same->override.port == entry.override.port) return {};
  return tl::unexpected(
      entry.place.error(fmt::format("'{}' resolves to another address at {}", entry.host, same->place.to_string())));
}

// Neither may send what the other lets out by another way.
Result<void> join_upstream_proxy(std::optional<UpstreamProxy>& into, const std::optional<UpstreamProxy>& said) {
  if (!said || (into && into->agrees_with(*said))) return {};
  if (into) {
    return tl::unexpected(said->place.error(
        fmt::format("another upstream proxy, or another way with it, is said at {}", into->place.to_string())));
  }
  into = said;
  return {};
}

// What another layer says may not lead past a machine-wide layer's rules on addresses. Behind a proxy none is judged,
// nor is one that "resolve" names.
Result<void> check_networks_kept(const Policy::Compiled& policy, const std::vector<ResolveEntry>& resolve) {
  for (const auto& layer : policy.layers) {
    const auto& from = *layer->layer.place.source;
    if (!from.machine_wide || !layer->layer.networks) continue;
    if (policy.upstream_proxy && !layer->layer.upstream_proxy) {
      return tl::unexpected(policy.upstream_proxy->error(fmt::format(
          "it looks names up itself, so that the 'networks' of {0} could not be kept to; only {0} can say it",
          from.name)));
    }
    for (const auto& entry : resolve) {
      const auto& address = entry.override.address;
      const auto& own = layer->layer.resolve;
      const bool is_own = std::any_of(own.begin(), own.end(), [&](const auto& one) { return one.host == entry.host; });
      if (is_own || special_purpose(address).empty() || layer->may_dial(address)) continue;
      return tl::unexpected(entry.place.error(fmt::format("{} is not in the 'networks' of {}; only {} can say it",
                                                          address.to_string(), from.name, from.name)));
    }
  }
  return {};
}

// Of two layers, each read for itself: neither may send a secret where the other does not.
Result<void> join_secret(Policy::Compiled& into, std::vector<Place>& places, const SecretEntry& entry,
                         const std::optional<Credential>& credential) {
  const auto same = std::find_if(into.secrets.begin(), into.secrets.end(),
                                 [&](const auto& source) { return source.name == entry.source.name; });
  if (same == into.secrets.end()) {
    into.secrets.push_back(entry.source);
    places.push_back(entry.place);
    if (credential) into.credentials.push_back(*credential);
    return {};
  }
  const std::string earlier = places[static_cast<size_t>(same - into.secrets.begin())].to_string();
  if (*same != entry.source) {
    return tl::unexpected(
        entry.place.error(fmt::format("the secret '{}' comes from elsewhere at {}", entry.source.name, earlier)));
  }
  const auto known = std::find_if(into.credentials.begin(), into.credentials.end(),
                                  [&](const auto& bound) { return bound.secret == entry.source.name; });
  const bool agree = known == into.credentials.end() ? !credential : credential == *known;
  if (agree) return {};
  return tl::unexpected(
      entry.place.error(fmt::format("the secret '{}' is sent elsewhere at {}", entry.source.name, earlier)));
}

// Of two layers: a name means one server, or a rule of one would judge the other's.
Result<void> join_server(std::vector<McpServerEntry>& into, const McpServerEntry& entry) {
  const auto same =
      std::find_if(into.begin(), into.end(), [&](const auto& e) { return e.server.name == entry.server.name; });
  if (same == into.end()) {
    into.push_back(entry);
    return {};
  }
  if (same->server == entry.server) return {};
  return tl::unexpected(entry.place.error(
      fmt::format("the server '{}' is another one at {}", entry.server.name, same->place.to_string())));
}

// What one client is shown comes apart again by its server's name, unless there is no other server.
Result<void> check_names_apart(const std::vector<McpServerEntry>& servers) {
  const auto scheme_of = [](const McpServerEntry& entry) {
    std::string name = fold_case(entry.server.name);
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
  };
  for (const auto& entry : servers) {
    const auto other =
        std::find_if(servers.begin(), servers.end(), [&](const auto& e) { return e.server.name != entry.server.name; });
    if (entry.server.own_names && other != servers.end()) {
      return tl::unexpected(entry.names_place.error(
          fmt::format("'{}' can only keep its own names while it is the only server, and '{}' is another ({}); leave "
                      "\"names\" out, or take the other away",
                      entry.server.name, other->server.name, other->place.to_string())));
    }
    for (const auto& one : servers) {
      if (&one == &entry) break;
      if (scheme_of(one) != scheme_of(entry)) continue;
      return tl::unexpected(entry.place.error(
          fmt::format("resources of '{}' could not be told from those of '{}' ({}): letters of either case, '_' and "
                      "'-' are the same there; give it another name",
                      entry.server.name, one.server.name, one.place.to_string())));
    }
  }
  return {};
}

// Of a layer and one that it extends: what the layer itself says wins, where the value is and where it goes each for
// itself.
void extend_secret(std::vector<SecretEntry>& extended, const SecretEntry& own) {
  const auto same =
      std::find_if(extended.begin(), extended.end(), [&](const auto& e) { return e.source.name == own.source.name; });
  if (same == extended.end()) return extended.push_back(own);
  same->source = own.source;
  same->place = own.place;
  if (own.bound) same->bound = own.bound;
}

template <class T>
void put_before(std::vector<T>& into, std::vector<T> extended) {
  std::move(into.begin(), into.end(), std::back_inserter(extended));
  into = std::move(extended);
}

// Puts a shipped policy's rules before those of the layer that extends it.
Result<void> join(Layer& into, Layer extended) {
  put_before(into.http, std::move(extended.http));
  put_before(into.git, std::move(extended.git));
  put_before(into.mcp.rules, std::move(extended.mcp.rules));
  for (auto& entry : extended.mcp.servers) {
    const auto same = [&](const McpServerEntry& own) { return own.server.name == entry.server.name; };
    if (std::any_of(into.mcp.servers.begin(), into.mcp.servers.end(), same)) continue;
    into.mcp.servers.push_back(std::move(entry));
  }
  put_before(into.dns, std::move(extended.dns));
  put_before(into.dlp.listed, std::move(extended.dlp.listed));
  put_before(into.dlp.exempt, std::move(extended.dlp.exempt));
  put_before(into.tls.client_certificates, std::move(extended.tls.client_certificates));
  if (!into.upstream_proxy) into.upstream_proxy = std::move(extended.upstream_proxy);
  into.limits.narrow(extended.limits);
  into.registries.merge(extended.registries);  // the extending layer's own win
  if (extended.networks) {
    if (!into.networks) into.networks.emplace();
    into.networks->insert(into.networks->end(), extended.networks->begin(), extended.networks->end());
  }
  for (const auto& entry : into.resolve) {
    if (auto ok = join_resolve(extended.resolve, entry); !ok) return ok;
  }
  into.resolve = std::move(extended.resolve);
  for (const auto& entry : into.secrets) extend_secret(extended.secrets, entry);
  into.secrets = std::move(extended.secrets);
  return {};
}

// Nothing can be put into requests that are not seen, and a certificate shown by the guest is not ours.
Result<void> check_passthrough(const Policy::Compiled& all) {
  const auto refuse = [](const HttpRule& rule, const HostTerm& term, std::string_view what) -> Result<void> {
    return tl::unexpected(rule.place.error(
        fmt::format("'{}' is to have {}, which takes interception; this rule says not to", term.pattern.name, what)));
  };
  const auto check = [&](const HttpRule& rule, const HostTerm& term, uint16_t port) -> Result<void> {
    for (const auto& credential : all.credentials) {
      if (!any_matches(credential.hosts, term.pattern.name, port)) continue;
      return refuse(rule, term, fmt::format("the secret '{}' in its requests", credential.secret));
    }
    for (const auto& identity : all.client_identities) {
      if (!any_matches(identity.hosts, term.pattern.name, port)) continue;
      return refuse(rule, term, fmt::format("the client certificate '{}'", identity.certificate));
    }
    return {};
  };
  for (const auto& layer : all.layers) {
    for (const auto& rule : layer->layer.http) {
      if (!rule.passthrough) continue;
      for (const auto& term : rule.hosts) {
        for (const uint16_t port : rule.ports.value_or(std::vector{kHttpsPort})) {
          if (auto ok = check(rule, term, port); !ok) return ok;
        }
      }
    }
  }
  return {};
}

// Reads layers and gathers what is said of all their files.
class Loader {
 public:
  // With `recorded` nothing else is read than that.
  explicit Loader(const PolicyInputs* recorded = nullptr) : recorded_(recorded) {}
  Result<std::unique_ptr<Policy::Compiled>> load(const std::vector<Source>& sources);

 private:
  Result<Layer> read(const Source& source);
  Result<Source> find_shipped(const Extension& extension);
  Result<std::vector<RegistryOrigin>> find_registry(const std::string& symbol);
  Result<void> extend(Layer& layer, const std::vector<Extension>& extends, std::set<std::string>& seen);
  void note_exact_names(const CompiledLayer& layer);

  const PolicyInputs* recorded_;
  std::unique_ptr<Policy::Compiled> out_ = std::make_unique<Policy::Compiled>();
  std::vector<ResolveEntry> resolve_;
  std::vector<McpServerEntry> servers_;
  std::vector<Place> secret_places_;  // of out_->secrets
  SaidLimits limits_;
  std::string digested_;
};

Result<Layer> Loader::read(const Source& source) {
  out_->files += (out_->files.empty() ? "" : "\n") + source.name;
  digested_ += fmt::format("{}\n", source.text.size()) + source.text;
  return read_layer(std::make_shared<const SourceText>(SourceText{source.name, source.text, source.machine_wide}));
}

Result<Source> Loader::find_shipped(const Extension& extension) {
  const auto& [name, place] = extension;
  if (recorded_ != nullptr) {
    const auto known = recorded_->shipped.find(name);
    if (known != recorded_->shipped.end()) return known->second;
    return tl::unexpected(place.error(fmt::format("the snapshot lacks the shipped policy '{}'", name)));
  }
  const auto directory = policies_directory();
  if (!directory) return tl::unexpected(place.error(directory.error().message()));
  const auto names = shipped_names(*directory);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return tl::unexpected(place.error(
        fmt::format("no shipped policy '{}' in {}{}", name, *directory, suggest(name, {names.begin(), names.end()}))));
  }
  auto source = read_source(*directory + "/" + name + ".json", false);
  if (!source) return tl::unexpected(place.error(source.error().message()));
  return source;
}

Result<std::vector<RegistryOrigin>> Loader::find_registry(const std::string& symbol) {
  const auto resolve = [&]() -> Result<std::vector<RegistryOrigin>> {
    if (recorded_ == nullptr) return resolve_registry(symbol, HostConfiguration::real());
    const auto known = recorded_->registries.find(symbol);
    if (known != recorded_->registries.end()) return known->second;
    return fail("the snapshot lacks the registry '{}'", symbol);
  };
  auto origins = resolve();
  if (origins) out_->inputs.registries[symbol] = *origins;
  return origins;
}

Result<void> Loader::extend(Layer& layer, const std::vector<Extension>& extends, std::set<std::string>& seen) {
  for (const auto& extension : extends) {
    if (!seen.insert(extension.name).second) continue;
    const auto source = find_shipped(extension);
    if (!source) return failed(source);
    out_->inputs.shipped[extension.name] = *source;
    auto extended = read(*source);
    if (!extended) return failed(extended);
    const auto further = extended->extends;
    if (auto ok = join(layer, std::move(*extended)); !ok) return ok;
    if (auto ok = extend(layer, further, seen); !ok) return ok;
  }
  return {};
}

void Loader::note_exact_names(const CompiledLayer& layer) {
  const auto note = [&](const std::vector<HostTerm>& terms, Verdict action) {
    if (action == Verdict::deny) return;
    for (const auto& term : terms) {
      if (!term.symbol.empty()) {
        for (const auto& origin : layer.symbols.at(term.symbol)) out_->exact_names.insert(origin.host);
      } else if (term.pattern.kind == HostPattern::Kind::exact) {
        out_->exact_names.insert(term.pattern.name);
      }
    }
  };
  for (const auto& rule : layer.layer.http) note(rule.hosts, rule.action);
  for (const auto& rule : layer.layer.dns) note(rule.names, rule.action);
  for (const auto& rule : layer.layer.git) {
    for (const auto& remote : rule.remotes) {
      if (rule.action != Verdict::deny && remote.host.kind == HostPattern::Kind::exact) {
        out_->exact_names.insert(remote.host.name);
      }
    }
  }
  for (const auto& entry : layer.layer.resolve) out_->exact_names.insert(entry.host);
}

Result<std::string> sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return fail("SHA-256 is not available");
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

Result<std::unique_ptr<Policy::Compiled>> Loader::load(const std::vector<Source>& sources) {
  if (sources.empty()) return fail("no policy: name one with --policy FILE, or put one in {}", kMachineDirectory);
  const FindRegistry registry = [this](const std::string& symbol) { return find_registry(symbol); };
  out_->inputs.layers = sources;
  for (const auto& source : sources) {
    auto layer = read(source);
    if (!layer) return failed(layer);
    std::set<std::string> seen;
    const auto extends = layer->extends;
    if (auto ok = extend(*layer, extends, seen); !ok) return failed(ok);
    auto compiled = compile_layer(std::move(*layer), registry);
    if (!compiled) return failed(compiled);
    for (const auto& entry : (*compiled)->layer.resolve) {
      if (auto ok = join_resolve(resolve_, entry); !ok) return failed(ok);
    }
    for (const auto& entry : (*compiled)->layer.mcp.servers) {
      if (auto ok = join_server(servers_, entry); !ok) return failed(ok);
    }
    const auto& secrets = (*compiled)->layer.secrets;
    for (size_t i = 0; i < secrets.size(); ++i) {
      if (auto ok = join_secret(*out_, secret_places_, secrets[i], (*compiled)->credentials[i]); !ok) return failed(ok);
    }
    limits_.narrow((*compiled)->layer.limits);
    const auto& identities = (*compiled)->client_identities;
    out_->client_identities.insert(out_->client_identities.end(), identities.begin(), identities.end());
    if (auto ok = join_upstream_proxy(out_->upstream_proxy, (*compiled)->layer.upstream_proxy); !ok) return failed(ok);
    note_exact_names(**compiled);
    for (const auto& rule : (*compiled)->layer.http) {
      out_->asks_for_fields |= !rule.headers.empty();
      out_->has_passthrough |= rule.passthrough;
    }
    out_->layers.push_back(std::move(*compiled));
  }
  if (auto ok = check_passthrough(*out_); !ok) return failed(ok);
  if (auto ok = check_networks_kept(*out_, resolve_); !ok) return failed(ok);
  if (auto ok = check_names_apart(servers_); !ok) return failed(ok);
  out_->limits = limits_.over(Limits{});
  for (const auto& entry : servers_) out_->mcp_servers.push_back(entry.server);
  for (const auto& entry : resolve_) out_->resolve.emplace(entry.host, entry.override);
  auto digest = sha256_hex(digested_);
  if (!digest) return failed(digest);
  out_->sha256 = std::move(*digest);
  return std::move(out_);
}

}  // namespace

Result<Policy> Policy::parse(const std::vector<Source>& layers) {
  auto compiled = Loader().load(layers);
  if (!compiled) return failed(compiled);
  return Policy(std::move(*compiled));
}

Result<Policy> Policy::from_snapshot(std::string_view text) {
  const auto inputs = parse_inputs(text);
  if (!inputs) return failed(inputs);
  auto compiled = Loader(&*inputs).load(inputs->layers);
  if (!compiled) return failed(compiled);
  return Policy(std::move(*compiled));
}

Result<Policy> Policy::load_snapshot(const std::string& file) {
  const auto text = read_file(file, kMaxSnapshotBytes);
  if (!text) return failed(text);
  auto policy = from_snapshot(*text);
  if (!policy) return failed(policy, file);
  return policy;
}

std::string Policy::snapshot() const { return to_json(compiled_->inputs); }

Result<Policy> Policy::load(const std::vector<std::string>& files) {
  std::vector<std::string> machine_wide;
  std::error_code error;
  for (fs::directory_iterator entry(kMachineDirectory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".json") machine_wide.push_back(entry->path());
  }
  // A directory that is there but cannot be read may hold denials: going on without them would widen the policy.
  if (error && error != std::errc::no_such_file_or_directory) return fail("{}: {}", kMachineDirectory, error.message());
  std::sort(machine_wide.begin(), machine_wide.end());

  std::vector<Source> sources;
  const auto add = [&sources](const std::string& path, bool is_machine_wide) -> Result<void> {
    auto source = read_source(path, is_machine_wide);
    if (!source) return failed(source);
    sources.push_back(std::move(*source));
    return {};
  };
  for (const auto& path : machine_wide) {
    if (auto ok = add(path, true); !ok) return failed(ok);
  }
  for (const auto& path : files) {
    if (auto ok = add(path, false); !ok) return failed(ok);
  }
  return parse(sources);
}

Result<std::string> policies_directory() {
  if (const char* set = std::getenv("GATEHOUSE_POLICIES"); set != nullptr && *set != '\0') return std::string(set);
  std::error_code error;
  fs::path at = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int up = 0; up < kMaxDirectoriesUp && !at.empty(); ++up, at = at.parent_path()) {
    if (fs::exists(at / "policies" / "schema.json", error)) return (at / "policies").string();
  }
  if (fs::is_directory(kInstalledDirectory, error)) return std::string(kInstalledDirectory);
  return fail("the shipped policies are not found; set GATEHOUSE_POLICIES to their directory");
}

}  // namespace gatehouse::policy
