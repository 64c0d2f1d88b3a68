#include "common/tls/openssl.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>

namespace gatehouse::tls {

Error openssl_error(std::string_view what) {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return Error(fmt::format("{}: {}", what, reason == nullptr ? "OpenSSL gives no reason" : reason));
}

Result<KeyPtr> create_p256_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return tl::unexpected(openssl_error("cannot make a P-256 key"));
  return key;
}

// The older form is deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
Result<KeyPtr> public_half(EVP_PKEY& p256_key) {
  EC_KEY* ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
  KeyPtr half(EVP_PKEY_new());
  unsigned char* point = nullptr;
  const size_t size = EVP_PKEY_get1_encoded_public_key(&p256_key, &point);
  const bool made = size > 0 && ec != nullptr && half && EC_KEY_oct2key(ec, point, size, nullptr) == 1 &&
                    EVP_PKEY_set1_EC_KEY(half.get(), ec) == 1;
  EC_KEY_free(ec);
  OPENSSL_free(point);
  if (!made) return tl::unexpected(openssl_error("no public half of the key"));
  return half;
}
#pragma GCC diagnostic pop

Result<void> set_random_serial(X509& certificate) {
  std::array<unsigned char, 16> octets;
  if (RAND_bytes(octets.data(), octets.size()) != 1) return tl::unexpected(openssl_error("no random serial"));
  octets[0] = static_cast<unsigned char>((octets[0] & 0x7f) | 0x40);  // positive, and always 16 octets long
  const std::unique_ptr<BIGNUM, OpensslFree<BN_free>> number(BN_bin2bn(octets.data(), octets.size(), nullptr));
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) == nullptr) {
    return tl::unexpected(openssl_error("cannot set a serial"));
  }
  return {};
}

Result<void> set_validity(X509& certificate, long backdate_seconds, long lifetime_seconds) {
  if (X509_gmtime_adj(X509_getm_notBefore(&certificate), -backdate_seconds) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(&certificate), lifetime_seconds) == nullptr) {
    return tl::unexpected(openssl_error("cannot set the validity"));
  }
  return {};
}

Result<void> add_extension(X509& certificate, X509& issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (!extension || X509_add_ext(&certificate, extension.get(), -1) != 1) {
    return tl::unexpected(openssl_error(fmt::format("cannot add {}", OBJ_nid2sn(nid))));
  }
  return {};
}

Result<std::string> to_pem(X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), &certificate) != 1) {
    return tl::unexpected(openssl_error("cannot write a certificate"));
  }
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return std::string(bytes, static_cast<size_t>(size));
}

Result<CertificatePtr> certificate_from_pem(std::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CertificatePtr certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!certificate) return tl::unexpected(openssl_error("no readable PEM certificate"));
  return certificate;
}

}  // namespace gatehouse::tls
