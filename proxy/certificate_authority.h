// The CA whose leaves the guest trusts, as the proxy holds it: the launcher's, one brought along, or one of its own.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/tls/openssl.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxCaBytes = 64 * 1024;

class CertificateAuthority {
 public:
  // Reads PEM: a CA certificate and its unencrypted private key, in any order. Refused: no or several readable parts
  // missing, a key that is not the certificate's, a certificate that may not sign others or is not valid today.
  static Result<CertificateAuthority> from_pem(std::string_view pem);

  // As from_pem(), from a file, or from the inherited pipe "fd:N", which is read to its end and closed.
  static Result<CertificateAuthority> load(const std::string& source);

  // A new one, for a proxy run by hand.
  static Result<CertificateAuthority> create(std::string_view session);

  X509& certificate() const { return *certificate_; }
  EVP_PKEY& key() const { return *key_; }
  // The certificate alone, as PEM.
  Result<std::string> certificate_pem() const { return tls::to_pem(*certificate_); }

 private:
  CertificateAuthority(tls::CertificatePtr certificate, tls::KeyPtr key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}

  tls::CertificatePtr certificate_;
  tls::KeyPtr key_;
};

}  // namespace gatehouse::proxy
