#include "common/policy/registries.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "common/base/fd.h"
#include "common/base/ip_address.h"
#include "common/base/log.h"
#include "common/policy/host_pattern.h"

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxConfigurationBytes = 1 << 20;

using Urls = std::vector<std::string>;

std::string lower(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\"'");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\"'") - begin + 1);
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(separators), text.size());
    if (const auto piece = trim(text.substr(0, end)); !piece.empty()) pieces.push_back(piece);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

struct Setting {
  std::string section;  // of the "[section]" above it, "" at the top
  std::string key;      // lower case
  std::string value;
};

// The settings of an npmrc, pip.conf or config.toml: "key = value" under "[section]", '#' and ';' beginning comment
// lines. A value's further lines (pip) are joined to it with a space.
std::vector<Setting> read_settings(const std::optional<std::string>& text) {
  std::vector<Setting> settings;
  std::string section;
  for (std::string_view rest = text ? std::string_view(*text) : std::string_view(); !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view raw = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const size_t equals = line.find('=');
    if (line.front() == '[' && line.back() == ']') {
      section = trim(line.substr(1, line.size() - 2));
    } else if ((raw.front() == ' ' || raw.front() == '\t') && equals == std::string_view::npos && !settings.empty()) {
      settings.back().value.append(" ").append(line);
    } else if (equals != std::string_view::npos) {
      settings.push_back({section, lower(trim(line.substr(0, equals))), std::string(trim(line.substr(equals + 1)))});
    }
  }
  return settings;
}

std::string home_of(const HostConfiguration& host) { return host.environment("HOME").value_or("/root"); }

std::string variable_or(const HostConfiguration& host, const std::string& name, const std::string& fallback) {
  const auto value = host.environment(name);
  return value && !value->empty() ? *value : fallback;
}

// npm config: environment over the user's npmrc over the global one; scoped registries count beside the main one.
Urls npm_urls(const HostConfiguration& host) {
  const std::string user = variable_or(host, "NPM_CONFIG_USERCONFIG", home_of(host) + "/.npmrc");
  const std::string global = variable_or(host, "NPM_CONFIG_GLOBALCONFIG", "/etc/npmrc");
  std::string main;
  Urls urls;
  for (const auto& path : {std::string("/usr/etc/npmrc"), std::string("/usr/local/etc/npmrc"), global, user}) {
    for (const auto& setting : read_settings(host.file(path))) {
      if (setting.key == "registry") main = setting.value;
      if (setting.key.starts_with('@') && setting.key.ends_with(":registry")) urls.push_back(setting.value);
    }
  }
  main = variable_or(host, "npm_config_registry", variable_or(host, "NPM_CONFIG_REGISTRY", main));
  urls.insert(urls.begin(), main.empty() ? "https://registry.npmjs.org" : main);
  return urls;
}

// pip's configuration: PIP_CONFIG_FILE or the global, then the user's files, then the environment; the later wins.
Urls pypi_urls(const HostConfiguration& host) {
  const std::string home = home_of(host);
  const std::string config_home = variable_or(host, "XDG_CONFIG_HOME", home + "/.config");
  const auto own_file = host.environment("PIP_CONFIG_FILE");
  std::string index = "https://pypi.org/simple";
  std::string extra;
  for (const auto& path : {std::string("/etc/xdg/pip/pip.conf"), std::string("/etc/pip.conf"), home + "/.pip/pip.conf",
                           config_home + "/pip/pip.conf", own_file.value_or("")}) {
    if (path.empty()) continue;
    for (const auto& setting : read_settings(host.file(path))) {
      if (setting.section != "global" && setting.section != "install" && setting.section != "download") continue;
      if (setting.key == "index-url") index = setting.value;
      if (setting.key == "extra-index-url") extra = setting.value;
    }
  }
  index = variable_or(host, "PIP_INDEX_URL", index);
  extra = variable_or(host, "PIP_EXTRA_INDEX_URL", extra);
  Urls urls{index};
  for (const auto url : split(extra, " \t\n")) urls.emplace_back(url);
  // PyPI's index links to files on a host of their own.
  if (parse_registry_origin(index).map([](const auto& o) { return o.host == "pypi.org"; }).value_or(false)) {
    urls.emplace_back("https://files.pythonhosted.org");
  }
  return urls;
}

// sources.list(5): one-line entries, and deb822 stanzas with "URIs:". A stanza that says "Enabled: no" is passed over.
void add_apt_list(std::string_view text, Urls& urls) {
  for (const auto line : split(text, "\n")) {
    const auto words = split(line.substr(0, line.find('#')), " \t");
    if (words.empty() || (words[0] != "deb" && words[0] != "deb-src")) continue;
    for (const auto word : words) {
      if (word.find("://") != std::string_view::npos) urls.emplace_back(word);
    }
  }
}

void add_apt_stanzas(std::string_view text, Urls& urls) {
  std::map<std::string, std::string> fields;
  std::string last;
  const auto finish = [&] {
    if (fields["enabled"] != "no") {
      for (const auto url : split(fields["uris"], " \t\n")) urls.emplace_back(url);
    }
    fields.clear();
  };
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t colon = line.find(':');
    if (trim(line).empty()) {
      finish();
    } else if (line.front() == '#') {
      continue;
    } else if (line.front() == ' ' || line.front() == '\t') {
      fields[last].append(" ").append(trim(line));
    } else if (colon != std::string_view::npos) {
      last = lower(trim(line.substr(0, colon)));
      fields[last] = last == "enabled" ? lower(trim(line.substr(colon + 1))) : trim(line.substr(colon + 1));
    }
  }
  finish();
}

Urls apt_urls(const HostConfiguration& host) {
  Urls found;
  std::vector<std::string> paths = host.files_of("/etc/apt/sources.list.d");
  paths.insert(paths.begin(), "/etc/apt/sources.list");
  for (const auto& path : paths) {
    const auto text = host.file(path);
    if (!text) continue;
    if (path.ends_with(".list")) add_apt_list(*text, found);
    if (path.ends_with(".sources")) add_apt_stanzas(*text, found);
  }
  Urls urls;  // cdrom:, file:, mirror+... are not fetched over our wire
  std::copy_if(found.begin(), found.end(), std::back_inserter(urls),
               [](const std::string& url) { return url.starts_with("http://") || url.starts_with("https://"); });
  if (!urls.empty()) return urls;
  return {"http://deb.debian.org", "https://deb.debian.org", "http://security.debian.org",
          "https://security.debian.org"};
}

// cargo's config.toml: a replaced crates-io source, and further registries.
Urls cargo_urls(const HostConfiguration& host) {
  const std::string home = variable_or(host, "CARGO_HOME", home_of(host) + "/.cargo");
  std::string replaced_by;
  std::map<std::string, std::string> sources;
  Urls urls;
  for (const auto* name : {"/config", "/config.toml"}) {
    for (const auto& setting : read_settings(host.file(home + name))) {
      const std::string& section = setting.section;
      if (section == "source.crates-io" && setting.key == "replace-with") replaced_by = setting.value;
      if (section.starts_with("source.") && setting.key == "registry") sources[section.substr(7)] = setting.value;
      if (section.starts_with("registries.") && setting.key == "index") urls.push_back(setting.value);
    }
  }
  if (sources.contains(replaced_by)) {
    urls.insert(urls.begin(), sources[replaced_by]);
  } else {
    urls.insert(urls.begin(), {"https://index.crates.io", "https://static.crates.io", "https://crates.io"});
  }
  for (auto& url : urls) {
    if (url.starts_with("sparse+")) url.erase(0, 7);
  }
  return urls;
}

// GOPROXY, from the environment or `go env -w`'s file: a list with ',' or '|', in which "direct" and "off" are no
// hosts.
Urls go_urls(const HostConfiguration& host) {
  std::string proxies;
  std::string sums;
  const std::string config_home = variable_or(host, "XDG_CONFIG_HOME", home_of(host) + "/.config");
  for (const auto& setting : read_settings(host.file(variable_or(host, "GOENV", config_home + "/go/env")))) {
    if (setting.key == "goproxy") proxies = setting.value;
    if (setting.key == "gosumdb") sums = setting.value;
  }
  proxies = variable_or(host, "GOPROXY", proxies);
  sums = variable_or(host, "GOSUMDB", sums);
  if (proxies.empty()) proxies = "https://proxy.golang.org,direct";
  if (sums.empty()) sums = "sum.golang.org";
  Urls urls;
  for (const auto url : split(proxies, ",|")) {
    if (url != "direct" && url != "off") urls.emplace_back(url);
  }
  // "name", or "name+key URL"
  const auto words = split(sums, " ");
  if (sums != "off" && !words.empty()) urls.emplace_back(words.back().substr(0, words.back().find('+')));
  return urls;
}

}  // namespace

Result<RegistryOrigin> parse_registry_origin(std::string_view text) {
  const std::string folded = lower(text);
  std::string_view rest = folded;
  RegistryOrigin origin;
  if (rest.starts_with("http://")) {
    origin.https = false;
    origin.port = 80;
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  }
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);  // user:password

  // What is shown of a URL in an error leaves credentials and path out.
  const std::string shown = log::printable(rest, 100);
  if (const size_t colon = rest.rfind(':'); colon != std::string_view::npos && !rest.ends_with(']')) {
    const std::string_view digits = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), origin.port);
    if (error != std::errc() || end != digits.data() + digits.size() || origin.port == 0) {
      return fail("registry '{}' has a bad port", shown);
    }
    rest = rest.substr(0, colon);
  }
  if (looks_like_ip(rest)) return fail("registry '{}' is an address; give it a name", shown);
  if (!is_host_name(rest)) return fail("registry '{}' is no host name", shown);
  origin.host = rest;
  return origin;
}

HostConfiguration HostConfiguration::real() {
  HostConfiguration host;
  host.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  host.file = [](const std::string& path) -> std::optional<std::string> {
    auto text = read_file(path, kMaxConfigurationBytes);
    if (!text) return std::nullopt;
    return std::move(*text);
  };
  host.files_of = [](const std::string& directory) {
    std::vector<std::string> paths;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
  };
  return host;
}

const std::vector<std::string_view>& registry_symbols() {
  static const std::vector<std::string_view> symbols{"@npm", "@pypi", "@apt", "@cargo", "@go"};
  return symbols;
}

Result<std::vector<RegistryOrigin>> resolve_registry(std::string_view symbol, const HostConfiguration& host) {
  Urls urls;
  if (symbol == "@npm") {
    urls = npm_urls(host);
  } else if (symbol == "@pypi") {
    urls = pypi_urls(host);
  } else if (symbol == "@apt") {
    urls = apt_urls(host);
  } else if (symbol == "@cargo") {
    urls = cargo_urls(host);
  } else if (symbol == "@go") {
    urls = go_urls(host);
  } else {
    return fail("'{}' is no registry", log::printable(symbol, 64));
  }
  std::vector<RegistryOrigin> origins;
  for (const auto& url : urls) {
    auto origin = parse_registry_origin(url);
    if (!origin) {
      return fail("{} of this host's configuration: {} (or give it in the policy's 'registries')", symbol,
                  origin.error().message());
    }
    if (std::find(origins.begin(), origins.end(), *origin) == origins.end()) origins.push_back(std::move(*origin));
  }
  return origins;
}

}  // namespace gatehouse::policy
