// The package registries this host uses, as its own tools' configuration says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::policy {

// Where a registry is reached.
struct RegistryOrigin {
  bool https = true;
  std::string host;  // a lower-case name
  uint16_t port = 443;

  bool operator==(const RegistryOrigin&) const = default;
};

// Reads "registry.example.com", "registry.example.com:8443" or "http(s)://[user@]host[:port][/path]"; https unless
// said. Anything that is no name is an error.
Result<RegistryOrigin> parse_registry_origin(std::string_view text);

// What resolution reads: the environment and files, for tests to replace.
struct HostConfiguration {
  std::function<std::optional<std::string>(const std::string& name)> environment;
  std::function<std::optional<std::string>(const std::string& path)> file;         // nothing when not readable
  std::function<std::vector<std::string>(const std::string& directory)> files_of;  // sorted full paths

  static HostConfiguration real();
};

// "@npm", "@pypi", "@apt", "@cargo", "@go".
const std::vector<std::string_view>& registry_symbols();

// The origins behind a symbol: npm's npmrc files, pip.conf, apt's sources (both formats), cargo's config.toml, GOPROXY
// and their environment variables; where none is configured, the public hosts the tool uses of itself. An error when
// the configuration names a registry by address or in no readable way, or the symbol is unknown.
Result<std::vector<RegistryOrigin>> resolve_registry(std::string_view symbol, const HostConfiguration& host);

}  // namespace gatehouse::policy
