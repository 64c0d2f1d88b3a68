// Leaf certificates, minted per exact host name and kept while they are used. One key serves them all: making a key
// costs more than signing a certificate, and every leaf lives in the same process anyway.
#pragma once

#include <chrono>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/result.h"
#include "common/tls/openssl.h"
#include "proxy/certificate_authority.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxLeaves = 1024;
inline constexpr long kLeafLifetimeSeconds = 24 * 3600;
inline constexpr long kLeafRenewalSeconds = 2 * 3600;  // renewed when this much is left

// Belongs to one loop's thread; so two requests for one host never mint twice.
class LeafCache {
 public:
  // `authority` outlives the cache. `key` may be shared between caches.
  LeafCache(const CertificateAuthority& authority, EVP_PKEY& key, size_t limit = kMaxLeaves);

  // The certificate for `host`: a DNS name, or an IP address in numeric text (SAN iPAddress). At `now`, for renewal.
  // The reference holds until the next call; SSL_use_certificate() takes its own. What is no name that fits a
  // certificate is an error.
  Result<X509*> certificate_for(std::string_view host, std::chrono::system_clock::time_point now);

  EVP_PKEY& key() const { return *key_; }
  size_t size() const { return leaves_.size(); }

 private:
  struct Leaf {
    std::string host;
    tls::CertificatePtr certificate;
    std::chrono::system_clock::time_point renew_at;
  };
  using Leaves = std::list<Leaf>;

  Result<tls::CertificatePtr> mint(std::string_view host) const;

  const CertificateAuthority& authority_;
  tls::KeyPtr key_;
  tls::KeyPtr public_key_;  // of key_, for certificates
  size_t limit_;
  Leaves leaves_;  // most recently used first
  std::unordered_map<std::string_view, Leaves::iterator> by_host_;
};

}  // namespace gatehouse::proxy
