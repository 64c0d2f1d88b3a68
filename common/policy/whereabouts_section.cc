// "resolve", "registries" and "networks": where hosts are.
#include <algorithm>
#include <charconv>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

Result<ResolveEntry> read_entry(const FieldReader& reader, const JsonMember& member) {
  auto host = HostPattern::parse(member.key);
  if (!host) return reader.refuse(member.offset, host.error().message());
  if (host->kind != HostPattern::Kind::exact) return reader.refuse(member.offset, "'resolve' takes exact hosts only");
  const auto text = reader.text_of(member.value, "resolve");
  if (!text) return failed(text);

  ResolveEntry entry{host->name, {}, reader.place_at(member.offset)};
  std::string_view address = *text;
  std::string_view port;
  if (address.starts_with('[')) {
    const size_t close = std::min(address.find(']'), address.size() - 1);
    port = address.substr(close + 1);
    address = address.substr(1, close - 1);
  } else if (const size_t colon = address.find(':'); colon != std::string_view::npos && address.rfind(':') == colon) {
    port = address.substr(colon);
    address = address.substr(0, colon);
  }
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return reader.refuse(member.value.offset, parsed.error().message());
  entry.override.address = *parsed;
  if (port.empty()) return entry;
  const auto* end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data() + 1, end, entry.override.port);
  if (port.front() != ':' || error != std::errc() || stop != end || entry.override.port == 0) {
    return reader.refuse(member.value.offset, fmt::format("'{}' is no ADDRESS:PORT", log::printable(*text, 64)));
  }
  return entry;
}

}  // namespace

Result<std::vector<ResolveEntry>> read_resolve(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, JsonNode::Kind::object, "resolve", "an object"); !ok) return failed(ok);
  std::vector<ResolveEntry> entries;
  for (const auto& member : section.members) {
    auto entry = read_entry(reader, member);
    if (!entry) return failed(entry);
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<std::map<std::string, std::vector<RegistryOrigin>>> read_registries(const FieldReader& reader,
                                                                           const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, JsonNode::Kind::object, "registries", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(section, registry_symbols()); !ok) return failed(ok);
  std::map<std::string, std::vector<RegistryOrigin>> registries;
  for (const auto& member : section.members) {
    auto origins = reader.parsed_strings<RegistryOrigin>(member.value, member.key, parse_registry_origin);
    if (!origins) return failed(origins);
    registries[member.key] = std::move(*origins);
  }
  return registries;
}

Result<std::vector<IpNetwork>> read_networks(const FieldReader& reader, const JsonNode& section) {
  return reader.parsed_strings<IpNetwork>(section, "networks", [](const std::string& text) -> Result<IpNetwork> {
    if (text.ends_with("/0")) return fail("'{}' covers the whole Internet; name the private networks", text);
    return IpNetwork::parse(text);
  });
}

}  // namespace gatehouse::policy
