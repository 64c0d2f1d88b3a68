// Ownership of OpenSSL objects, and its error queue in words.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::tls {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using ContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;
using SslSessionPtr = std::unique_ptr<SSL_SESSION, OpensslFree<SSL_SESSION_free>>;

// "<what>: <the newest reason in OpenSSL's queue>"; empties the queue.
Error openssl_error(std::string_view what);

// A new P-256 key.
Result<KeyPtr> create_p256_key();

// Its public half alone, in the older of OpenSSL's two forms. From the newer one X509_set_pubkey() makes text and looks
// for a decoder of that, which takes longer than all else in minting a certificate.
Result<KeyPtr> public_half(EVP_PKEY& p256_key);

// 64 to 159 random bits, positive (RFC 5280 section 4.1.2.2); here 127.
Result<void> set_random_serial(X509& certificate);

// Valid from `backdate_seconds` ago until `lifetime_seconds` from now.
Result<void> set_validity(X509& certificate, long backdate_seconds, long lifetime_seconds);

// Adds extension `nid` with OpenSSL's textual `value` ("critical,CA:TRUE"); never pass text of foreign origin.
Result<void> add_extension(X509& certificate, X509& issuer, int nid, const char* value);

// A certificate as PEM, and the first one in a PEM text.
Result<std::string> to_pem(X509& certificate);
Result<CertificatePtr> certificate_from_pem(std::string_view pem);

}  // namespace gatehouse::tls
