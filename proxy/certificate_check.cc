#include "proxy/certificate_check.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "common/base/log.h"
#include "common/tls/openssl.h"

namespace gatehouse::proxy {

namespace {

using OcspPtr = std::unique_ptr<OCSP_RESPONSE, tls::OpensslFree<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, tls::OpensslFree<OCSP_BASICRESP_free>>;
using CertIdPtr = std::unique_ptr<OCSP_CERTID, tls::OpensslFree<OCSP_CERTID_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, tls::OpensslFree<GENERAL_NAMES_free>>;
using FeaturePtr = std::unique_ptr<TLS_FEATURE, tls::OpensslFree<TLS_FEATURE_free>>;

constexpr int kMostNamesShown = 4;
constexpr size_t kMostBytesShown = 80;
constexpr long kOcspSkewSeconds = 300;
constexpr long kStatusRequest = 5;  // RFC 7633 section 4.2.3.1

std::string text_of(BIO& bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(&bio, &bytes);
  return log::printable({bytes, static_cast<size_t>(size)}, kMostBytesShown);
}

std::string words(const ASN1_TIME* time) {
  const tls::BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || ASN1_TIME_print(bio.get(), time) != 1) return "an unreadable time";
  return text_of(*bio);
}

std::string words(const X509_NAME* name) {
  const tls::BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE) < 0) return "an unreadable name";
  return text_of(*bio);
}

std::string names_in(const X509& certificate) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string said;
  int shown = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const auto* value =
        static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type));
    if (type != GEN_DNS) continue;
    if (++shown > kMostNamesShown) return said + " and others";
    const std::string_view name{reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                static_cast<size_t>(ASN1_STRING_length(value))};
    said += (said.empty() ? "" : ", ") + log::printable(name, kMostBytesShown);
  }
  return said.empty() ? "no name" : said;
}

bool demands_status(const X509& certificate) {
  const FeaturePtr features(
      static_cast<TLS_FEATURE*>(X509_get_ext_d2i(&certificate, NID_tlsfeature, nullptr, nullptr)));
  for (int i = 0; features && i < sk_ASN1_INTEGER_num(features.get()); ++i) {
    if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), i)) == kStatusRequest) return true;
  }
  return false;
}

// Of `certificate`, as its issuer or whom that has charged says in `response`; nothing that is not signed and in force.
int status_in(const unsigned char* response, long size, SSL& ssl, X509& certificate) {
  constexpr int kUnknown = V_OCSP_CERTSTATUS_UNKNOWN;
  STACK_OF(X509)* chain = SSL_get0_verified_chain(&ssl);
  if (chain == nullptr || sk_X509_num(chain) < 2) return kUnknown;
  const OcspPtr parsed(d2i_OCSP_RESPONSE(nullptr, &response, size));
  if (!parsed || OCSP_response_status(parsed.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) return kUnknown;
  const BasicPtr basic(OCSP_response_get1_basic(parsed.get()));
  const CertIdPtr id(OCSP_cert_to_id(nullptr, &certificate, sk_X509_value(chain, 1)));
  if (!basic || !id) return kUnknown;
  if (OCSP_basic_verify(basic.get(), chain, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(&ssl)), 0) != 1) return kUnknown;
  int status = kUnknown;
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  if (OCSP_resp_find_status(basic.get(), id.get(), &status, nullptr, nullptr, &from, &until) != 1) return kUnknown;
  return OCSP_check_validity(from, until, kOcspSkewSeconds, -1) == 1 ? status : kUnknown;
}

}  // namespace

Result<void> set_certificate_checks(SSL_CTX& context) {
  SSL_CTX_set_security_level(&context, kSecurityLevel);
  if (SSL_CTX_set_tlsext_status_type(&context, TLSEXT_STATUSTYPE_ocsp) != 1) {
    return tl::unexpected(tls::openssl_error("cannot ask for the state of certificates"));
  }
  X509_STORE* store = SSL_CTX_get_cert_store(&context);
  STACK_OF(X509_OBJECT)* known = X509_STORE_get0_objects(store);
  bool has_lists = false;
  for (int i = 0; i < sk_X509_OBJECT_num(known); ++i) {
    has_lists |= X509_OBJECT_get_type(sk_X509_OBJECT_value(known, i)) == X509_LU_CRL;
  }
  if (has_lists && X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1) {
    return tl::unexpected(tls::openssl_error("cannot check revocation lists"));
  }
  return {};
}

bool is_refused(int ok, X509_STORE_CTX& store) {
  if (ok == 1) return false;
  if (X509_STORE_CTX_get_error(&store) != X509_V_ERR_UNABLE_TO_GET_CRL) return true;
  X509_STORE_CTX_set_error(&store, X509_V_OK);
  return false;
}

std::string why_refused(X509_STORE_CTX& store, const std::string& host) {
  const int error = X509_STORE_CTX_get_error(&store);
  const std::string said = X509_verify_cert_error_string(error);
  const X509* certificate = X509_STORE_CTX_get_current_cert(&store);
  if (certificate == nullptr) return said;
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("{} (it is for {}, not for {})", said, names_in(*certificate), log::printable(host));
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} (it was valid until {})", said, words(X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} (it is valid from {})", said, words(X509_get0_notBefore(certificate)));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
      return fmt::format("{} (its issuer '{}' is not trusted here)", said, words(X509_get_issuer_name(certificate)));
    default:
      return said;
  }
}

std::string why_revoked(SSL& ssl) {
  // What a resumed session was shown was looked at then.
  X509* certificate = SSL_get0_peer_certificate(&ssl);
  if (SSL_session_reused(&ssl) == 1 || certificate == nullptr) return {};
  const unsigned char* response = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(&ssl, &response);
  const int status = size > 0 ? status_in(response, size, ssl, *certificate) : V_OCSP_CERTSTATUS_UNKNOWN;
  if (status == V_OCSP_CERTSTATUS_REVOKED) return "certificate revoked (its server says so)";
  if (status == V_OCSP_CERTSTATUS_GOOD || !demands_status(*certificate)) return {};
  return "no valid statement that the certificate is not revoked (OCSP), which it demands";
}

}  // namespace gatehouse::proxy
