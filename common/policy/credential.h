// Secrets that are put into requests: to which hosts, and where in them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/policy/host_pattern.h"
#include "common/policy/source_text.h"

namespace gatehouse::policy {

// One place of a request in which a credential may stand.
struct CredentialPlace {
  enum class Kind {
    bearer,  // Authorization: Bearer VALUE (or "token VALUE", as GitHub's clients write it)
    basic,   // Authorization: Basic, VALUE as the password of `name`; with no name as anybody's password or as the user
    header,  // within the value of the field `name`
    query,   // the value of the query parameter `name`
  };
  Kind kind = Kind::bearer;
  std::string name;  // of a field in lower case

  // "bearer", "basic", "basic:USER", "header:NAME" or "query:NAME". Refused: a field that belongs to the connection, or
  // that this proxy writes itself.
  static Result<CredentialPlace> parse(const std::string& text);

  // "authorization" for bearer and basic, the field's name for header, "" for query.
  std::string_view field() const {
    if (kind == Kind::header) return name;
    return kind == Kind::query ? std::string_view() : std::string_view("authorization");
  }
  std::string to_string() const;  // as it is written in a policy: "header:x-api-key"
  bool operator==(const CredentialPlace&) const = default;
};

struct CredentialHost {
  HostPattern pattern;
  uint16_t port = 443;
  bool operator==(const CredentialHost&) const = default;
};

// The guest holds a placeholder; the value stands in for it in requests over TLS to these hosts, in these places.
struct Credential {
  std::string secret;                   // its name
  std::vector<CredentialHost> hosts;    // none: nowhere
  std::vector<CredentialPlace> places;  // at least one
  // Every request to these hosts carries it, at the first of `places`, whatever the guest wrote in its stead.
  bool always = false;
  std::string prefix;  // of its placeholder, for clients that look at a key's form: "sk-ant-"

  bool goes_to(std::string_view scheme, std::string_view host, uint16_t port) const;

  // Refuses a value that cannot stand where it is to, in words that do not hold it.
  Result<void> check_value(std::string_view value) const;
  bool operator==(const Credential&) const = default;
};

// The certificate that the proxy shows to these hosts, over TLS, when they ask for one.
struct ClientIdentity {
  std::vector<CredentialHost> hosts;
  std::string certificate;  // names of secrets: PEM, the certificate first, then those that lead to its root
  std::string key;          // PEM, unencrypted; may be the same
  Place place;              // in the policy

  // "file:line:column: client certificate: MESSAGE".
  Error error(std::string_view message) const;
};

bool any_matches(const std::vector<CredentialHost>& hosts, std::string_view host, uint16_t port);

}  // namespace gatehouse::policy
