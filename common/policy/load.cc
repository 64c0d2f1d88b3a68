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

Result<void> join_secret(std::vector<SecretEntry>& into, const SecretEntry& entry) {
  const auto same =
      std::find_if(into.begin(), into.end(), [&](const auto& e) { return e.source.name == entry.source.name; });
  if (same == into.end()) {
    into.push_back(entry);
    return {};
  }
  if (same->source == entry.source) return {};
  return tl::unexpected(entry.place.error(
      fmt::format("the secret '{}' comes from elsewhere at {}", entry.source.name, same->place.to_string())));
}

template <class T>
void put_before(std::vector<T>& into, std::vector<T> extended) {
  std::move(into.begin(), into.end(), std::back_inserter(extended));
  into = std::move(extended);
}

// Puts a shipped policy's rules before those of the layer that extends it.
Result<void> join(Layer& into, Layer extended) {
  put_before(into.http, std::move(extended.http));
  put_before(into.dns, std::move(extended.dns));
  put_before(into.dlp.listed, std::move(extended.dlp.listed));
  put_before(into.dlp.exempt, std::move(extended.dlp.exempt));
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
  for (const auto& entry : into.secrets) {
    if (auto ok = join_secret(extended.secrets, entry); !ok) return ok;
  }
  into.secrets = std::move(extended.secrets);
  return {};
}

// Reads layers and gathers what is said of all their files.
class Loader {
 public:
  Result<std::unique_ptr<Policy::Compiled>> load(const std::vector<Source>& sources);

 private:
  Result<Layer> read(const Source& source);
  Result<void> extend(Layer& layer, const std::vector<Extension>& extends, std::set<std::string>& seen);
  void note_exact_names(const CompiledLayer& layer);

  std::unique_ptr<Policy::Compiled> out_ = std::make_unique<Policy::Compiled>();
  std::vector<ResolveEntry> resolve_;
  std::vector<SecretEntry> secrets_;
  SaidLimits limits_;
  std::string digested_;
};

Result<Layer> Loader::read(const Source& source) {
  out_->files += (out_->files.empty() ? "" : "\n") + source.name;
  digested_ += fmt::format("{}\n", source.text.size()) + source.text;
  return read_layer(std::make_shared<const SourceText>(SourceText{source.name, source.text, source.machine_wide}));
}

Result<void> Loader::extend(Layer& layer, const std::vector<Extension>& extends, std::set<std::string>& seen) {
  for (const auto& [name, place] : extends) {
    if (!seen.insert(name).second) continue;
    const auto directory = policies_directory();
    if (!directory) return tl::unexpected(place.error(directory.error().message()));
    const auto names = shipped_names(*directory);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return tl::unexpected(place.error(fmt::format("no shipped policy '{}' in {}{}", name, *directory,
                                                    suggest(name, {names.begin(), names.end()}))));
    }
    const auto source = read_source(*directory + "/" + name + ".json", false);
    if (!source) return tl::unexpected(place.error(source.error().message()));
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
  const HostConfiguration host = HostConfiguration::real();
  for (const auto& source : sources) {
    auto layer = read(source);
    if (!layer) return failed(layer);
    std::set<std::string> seen;
    const auto extends = layer->extends;
    if (auto ok = extend(*layer, extends, seen); !ok) return failed(ok);
    auto compiled = compile_layer(std::move(*layer), host);
    if (!compiled) return failed(compiled);
    for (const auto& entry : (*compiled)->layer.resolve) {
      if (auto ok = join_resolve(resolve_, entry); !ok) return failed(ok);
    }
    for (const auto& entry : (*compiled)->layer.secrets) {
      if (auto ok = join_secret(secrets_, entry); !ok) return failed(ok);
    }
    limits_.narrow((*compiled)->layer.limits);
    note_exact_names(**compiled);
    for (const auto& rule : (*compiled)->layer.http) out_->asks_for_fields |= !rule.headers.empty();
    out_->layers.push_back(std::move(*compiled));
  }
  for (auto& entry : secrets_) out_->secrets.push_back(std::move(entry.source));
  out_->limits = limits_.over(Limits{});
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
