#include "common/policy/credential.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"
#include "common/policy/field_reader.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kPlaces = "bearer, basic, basic:USER, header:NAME or query:NAME";

// 1 to kMaxIdBytes letters, digits, and any of `others`.
bool is_name_of(std::string_view text, std::string_view others) {
  return !text.empty() && text.size() <= kMaxIdBytes && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

// RFC 9110 section 5.1.
bool is_field_name(std::string_view text) { return is_name_of(text, "!#$%&'*+-.^_`|~"); }

// RFC 3986 section 2.3: such a name is written in one way only.
bool is_parameter(std::string_view text) { return is_name_of(text, "-._~"); }

// RFC 7617 section 2: no colon.
bool is_user(std::string_view text) { return is_name_of(text, "-._~@+"); }

// What this proxy writes or drops itself on each connection.
bool is_of_the_connection(std::string_view field) {
  constexpr std::string_view kFields[] = {"host",
                                          "connection",
                                          "content-length",
                                          "transfer-encoding",
                                          "te",
                                          "trailer",
                                          "upgrade",
                                          "keep-alive",
                                          "expect",
                                          "accept-encoding",
                                          "range",
                                          "if-range",
                                          "content-encoding",
                                          "content-type"};
  return field.starts_with("proxy-") || field.starts_with("gatehouse-") ||
         std::find(std::begin(kFields), std::end(kFields), field) != std::end(kFields);
}

}  // namespace

Result<CredentialPlace> CredentialPlace::parse(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const bool named = colon != std::string::npos;
  std::string name = named ? text.substr(colon + 1) : "";
  if (kind == "bearer" && !named) return CredentialPlace{Kind::bearer, {}};
  if (kind == "basic" && (!named || is_user(name))) return CredentialPlace{Kind::basic, std::move(name)};
  if (kind == "header" && is_field_name(name)) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (is_of_the_connection(name))
      return fail("the field '{}' belongs to the connection and carries no credential", name);
    return CredentialPlace{Kind::header, std::move(name)};
  }
  if (kind == "query" && is_parameter(name)) return CredentialPlace{Kind::query, std::move(name)};
  return fail("'{}' is no place for a credential: {}", log::printable(text, 64), kPlaces);
}

std::string CredentialPlace::to_string() const {
  switch (kind) {
    case Kind::bearer:
      return "bearer";
    case Kind::basic:
      return name.empty() ? "basic" : "basic:" + name;
    case Kind::header:
      return "header:" + name;
    case Kind::query:
      return "query:" + name;
  }
  return {};
}

Error ClientIdentity::error(std::string_view message) const {
  return place.error(fmt::format("client certificate: {}", message));
}

bool any_matches(const std::vector<CredentialHost>& hosts, std::string_view host, uint16_t port) {
  return std::any_of(hosts.begin(), hosts.end(),
                     [&](const CredentialHost& known) { return known.port == port && known.pattern.matches(host); });
}

bool Credential::goes_to(std::string_view scheme, std::string_view host, uint16_t port) const {
  return scheme == "https" && any_matches(hosts, host, port);
}

Result<void> Credential::check_value(std::string_view value) const {
  // RFC 9110 section 5.5 and RFC 6750 section 2.1, RFC 7617 section 2.
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f; };
  const auto printable = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  for (const auto& place : places) {
    const bool fits = place.kind == CredentialPlace::Kind::basic || place.kind == CredentialPlace::Kind::query
                          ? std::all_of(value.begin(), value.end(), printable)
                          : std::all_of(value.begin(), value.end(), visible);
    if (!fits) return fail("the value has characters that cannot be sent as {}", place.to_string());
  }
  return {};
}

}  // namespace gatehouse::policy
