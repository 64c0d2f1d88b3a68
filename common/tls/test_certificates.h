// Certificates and keys made on the spot, for tests.
#pragma once

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <string>

#include "common/tls/openssl.h"

namespace gatehouse::tls {

inline std::string pem_of(EVP_PKEY& key, const char* passphrase = nullptr) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), &key, passphrase != nullptr ? EVP_aes_128_cbc() : nullptr, nullptr, 0, nullptr,
                           const_cast<char*>(passphrase));
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

struct TestCertificate {
  long since = -3600;  // seconds from now
  long until = 3600;
  const char* usage = "clientAuth";
};

// Self-signed.
inline std::string certificate_of(EVP_PKEY& key, const TestCertificate& as = {}) {
  const CertificatePtr made(X509_new());
  X509& x = *made;
  X509_set_version(&x, X509_VERSION_3);
  X509_set_pubkey(&x, &key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(&x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("us"), -1, -1, 0);
  X509_set_issuer_name(&x, X509_get_subject_name(&x));
  (void)set_random_serial(x);
  (void)set_validity(x, -as.since, as.until);
  (void)add_extension(x, x, NID_ext_key_usage, as.usage);
  X509_sign(&x, &key, EVP_sha256());
  return to_pem(x).value();
}

}  // namespace gatehouse::tls
