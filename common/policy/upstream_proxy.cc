#include "common/policy/upstream_proxy.h"

#include <algorithm>
#include <charconv>

#include "common/base/ip_address.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kForm = "a proxy is written as \"http://HOST:PORT\"";

}  // namespace

Result<void> UpstreamProxy::take_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://") || url.starts_with("socks")) {
    return fail("{}: only proxies that are spoken to in plain HTTP are supported (TLS through them stays end to end)",
                kForm);
  }
  if (!url.starts_with(kScheme)) return fail("{}", kForm);
  url.remove_prefix(kScheme.size());
  if (url.find('@') != std::string_view::npos) {
    return fail("{}: user and password belong into a secret, named by \"credential\"", kForm);
  }
  if (url.ends_with('/')) url.remove_suffix(1);
  const size_t colon = url.rfind(':');
  if (colon == std::string_view::npos || url.ends_with(']')) return fail("{}, with the port", kForm);
  const char* end = url.data() + url.size();
  const auto [stop, wrong] = std::from_chars(url.data() + colon + 1, end, port);
  if (wrong != std::errc() || stop != end || port == 0) return fail("{}, with a port of 1 to 65535", kForm);
  std::string_view name = url.substr(0, colon);
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  host = name;
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (IpAddress::parse(host) || (is_host_name(host) && !looks_like_ip(host))) return {};
  return fail("{}, HOST being a name or an address", kForm);
}

Result<void> UpstreamProxy::check_credential(std::string_view value) {
  const size_t colon = value.find(':');
  const bool printable = std::all_of(value.begin(), value.end(),
                                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  if (printable && colon != std::string_view::npos && colon > 0) return {};
  return fail("the credential's value is no \"user:password\"");
}

bool UpstreamProxy::serves(std::string_view host_asked) const {
  return std::none_of(except.begin(), except.end(),
                      [&](const HostPattern& known) { return known.matches(host_asked); });
}

std::string UpstreamProxy::authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Error UpstreamProxy::error(std::string_view message) const {
  return place.error(fmt::format("upstream proxy: {}", message));
}

bool UpstreamProxy::agrees_with(const UpstreamProxy& other) const {
  return host == other.host && port == other.port && credential == other.credential && except == other.except;
}

Result<std::optional<UpstreamProxy>> read_upstream_proxy(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, JsonNode::Kind::object, "upstream_proxy", "an object"); !ok) {
    return failed(ok);
  }
  if (auto ok = reader.check_keys(section, kUpstreamProxyKeys); !ok) return failed(ok);
  UpstreamProxy proxy;
  proxy.place = reader.place_of(section);
  const auto url = reader.required(section, "url");
  if (!url) return failed(url);
  const auto text = reader.text_of(**url, "url");
  if (!text) return failed(text);
  if (auto ok = proxy.take_url(*text); !ok) return reader.refuse_unshown((*url)->offset, ok.error().message());
  if (const JsonNode* credential = section.find("credential")) {
    auto name = reader.text_of(*credential, "credential");
    if (!name) return failed(name);
    proxy.credential = std::move(*name);
    if (proxy.credential.empty()) return reader.refuse(credential->offset, "'credential' is the name of a secret");
  }
  if (const JsonNode* except = section.find("except")) {
    auto hosts = reader.parsed_strings<HostPattern>(*except, "except", [](const std::string& host) {
      return HostPattern::parse(host, HostPattern::Suffixes::taken);
    });
    if (!hosts) return failed(hosts);
    proxy.except = std::move(*hosts);
  }
  return std::optional(std::move(proxy));
}

}  // namespace gatehouse::policy
