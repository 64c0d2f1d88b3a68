// A certificate, what leads to its root, and its private key: what a TLS client shows to those that ask who it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tls/openssl.h"

namespace gatehouse::tls {

inline constexpr size_t kMaxChain = 8;  // certificates

struct CertifiedKey {
  std::vector<CertificatePtr> chain;  // the first is the key's
  KeyPtr key;
  std::string fingerprint;  // of the certificate: SHA-256, in hexadecimal digits
};

// Reads PEM: 1 to kMaxChain certificates, the key's own first, and an unencrypted private key. Either text may hold the
// other's parts too. Refused, in words that begin with "the certificate" or "the key" and hold nothing of them: what is
// unreadable or encrypted, a key that is not the certificate's, a certificate that is not in force today or is not for
// clients, one that OpenSSL holds too weak to use.
Result<CertifiedKey> certified_key_from_pem(std::string_view certificates, std::string_view key);

// Has `ssl` show it when the peer asks.
Result<void> show(SSL& ssl, const CertifiedKey& identity);

}  // namespace gatehouse::tls
