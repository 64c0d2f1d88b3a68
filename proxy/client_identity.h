// The certificates that the proxy shows to upstreams which ask who it is.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/policy/policy.h"
#include "common/tls/certified_key.h"
#include "proxy/credential_values.h"

namespace gatehouse::proxy {

// Immutable, and shared by all threads.
class ClientIdentities {
 public:
  ClientIdentities() = default;

  // Refused, in words that name the place in the policy and hold nothing of the values: a secret without value, and
  // what certified_key_from_pem() refuses.
  static Result<ClientIdentities> create(const policy::Policy& policy, const CredentialValues& values);

  // What this host may be shown, or null.
  const tls::CertifiedKey* find(std::string_view host, uint16_t port) const;

 private:
  struct Identity {
    std::vector<policy::CredentialHost> hosts;
    tls::CertifiedKey certified;
  };
  std::vector<Identity> identities_;  // in the policy's order
};

}  // namespace gatehouse::proxy
