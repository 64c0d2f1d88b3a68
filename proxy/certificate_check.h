// What an upstream's certificate must be, beyond what OpenSSL asks by itself; and why one is refused, in words.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "common/base/result.h"

namespace gatehouse::proxy {

// 112 bits: no RSA key under 2048 bits and no SHA-1, neither in the chain nor in the handshake
// (SSL_CTX_set_security_level).
inline constexpr int kSecurityLevel = 2;

// Sets a client's context up. A chain with a certificate that a revocation list among the trusted certificates names is
// refused, and an authority's list must be in force; of authorities without list nothing is known. A server is asked
// for the state of its certificate (OCSP stapling, RFC 6066 section 8).
Result<void> set_certificate_checks(SSL_CTX& context);

// For a verify callback: whether it is an error all the same, after `ok` and the error in `store`.
bool is_refused(int ok, X509_STORE_CTX& store);

// "certificate has expired (it was valid until Jan  1 00:00:00 2026 GMT)". What the certificate says is made printable.
std::string why_refused(X509_STORE_CTX& store, const std::string& host);

// For a status callback: why the certificate is refused by what the server says of its state; empty when it is not. A
// certificate that demands such a statement (RFC 7633) is refused without a valid one.
std::string why_revoked(SSL& ssl);

}  // namespace gatehouse::proxy
