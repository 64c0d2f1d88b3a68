#include "proxy/client_identity.h"

namespace gatehouse::proxy {

Result<ClientIdentities> ClientIdentities::create(const policy::Policy& policy, const CredentialValues& values) {
  ClientIdentities all;
  for (const auto& rule : policy.client_identities()) {
    const auto* certificate = values.find(rule.certificate);
    const auto* key = values.find(rule.key);
    if (certificate == nullptr || key == nullptr) {
      return tl::unexpected(rule.error(
          fmt::format("no value was given for the secret {}", certificate == nullptr ? rule.certificate : rule.key)));
    }
    auto certified = tls::certified_key_from_pem(certificate->bytes.view(), key->bytes.view());
    if (!certified) return tl::unexpected(rule.error(certified.error().message()));
    all.identities_.push_back({rule.hosts, std::move(*certified)});
  }
  return all;
}

const tls::CertifiedKey* ClientIdentities::find(std::string_view host, uint16_t port) const {
  for (const Identity& identity : identities_) {
    if (policy::any_matches(identity.hosts, host, port)) return &identity.certified;
  }
  return nullptr;
}

}  // namespace gatehouse::proxy
