#include "proxy/leaf_cache.h"

#include "common/base/ip_address.h"

namespace gatehouse::proxy {

namespace {

constexpr size_t kMaxHostBytes = 253;       // RFC 1035 section 2.3.4, without the final dot
constexpr size_t kMaxCommonNameBytes = 64;  // ub-common-name, RFC 5280 appendix A.1
constexpr long kBackdateSeconds = 3600;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, tls::OpensslFree<GENERAL_NAMES_free>>;
using NamePtr = std::unique_ptr<GENERAL_NAME, tls::OpensslFree<GENERAL_NAME_free>>;

bool fits_a_certificate(std::string_view host) {
  if (host.empty() || host.size() > kMaxHostBytes) return false;
  for (const char c : host) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}

// The subjectAltName is built from parts, never from OpenSSL's configuration text, in which a hostile name would be
// syntax.
Result<void> add_subject_alternative_name(X509& certificate, std::string_view host) {
  const auto address = IpAddress::parse(host);
  const auto bytes = address ? address->octets() : host;
  NamesPtr names(GENERAL_NAMES_new());
  NamePtr name(GENERAL_NAME_new());
  auto* value = address ? ASN1_OCTET_STRING_new() : static_cast<ASN1_STRING*>(ASN1_IA5STRING_new());
  if (!names || !name || value == nullptr ||
      ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size())) != 1) {
    ASN1_STRING_free(value);
    return tl::unexpected(tls::openssl_error("no memory for a name"));
  }
  GENERAL_NAME_set0_value(name.get(), address ? GEN_IPADD : GEN_DNS, value);
  if (sk_GENERAL_NAME_push(names.get(), name.get()) == 0)
    return tl::unexpected(tls::openssl_error("no memory for a name"));
  name.release();
  if (X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return tl::unexpected(tls::openssl_error("cannot add the subjectAltName"));
  }
  return {};
}

Result<void> set_names(X509& certificate, X509& issuer, std::string_view host) {
  // Clients go by the subjectAltName; the common name is for people, and may not be as long as a host name can be.
  const std::string_view common_name = host.size() <= kMaxCommonNameBytes ? host : "Gatehouse leaf";
  if (X509_NAME_add_entry_by_NID(X509_get_subject_name(&certificate), NID_commonName, MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1 ||
      X509_set_issuer_name(&certificate, X509_get_subject_name(&issuer)) != 1) {
    return tl::unexpected(tls::openssl_error("cannot name the leaf"));
  }
  return add_subject_alternative_name(certificate, host);
}

}  // namespace

LeafCache::LeafCache(const CertificateAuthority& authority, EVP_PKEY& key, size_t limit)
    : authority_(authority), key_(&key), limit_(limit) {
  EVP_PKEY_up_ref(&key);
  if (auto half = tls::public_half(key)) {
    public_key_ = std::move(*half);
  } else {
    EVP_PKEY_up_ref(&key);
    public_key_.reset(&key);  // which does as well, only slower
  }
}

Result<X509*> LeafCache::certificate_for(std::string_view host, std::chrono::system_clock::time_point now) {
  if (!fits_a_certificate(host)) return fail("no certificate can name this host");
  if (const auto found = by_host_.find(host); found != by_host_.end()) {
    const auto leaf = found->second;
    if (now < leaf->renew_at) {
      leaves_.splice(leaves_.begin(), leaves_, leaf);
      return leaf->certificate.get();
    }
    by_host_.erase(found);
    leaves_.erase(leaf);
  }
  auto certificate = mint(host);
  if (!certificate) return failed(certificate);
  const std::chrono::seconds fresh_for(kLeafLifetimeSeconds - kLeafRenewalSeconds);
  leaves_.push_front({std::string(host), std::move(*certificate), now + fresh_for});
  by_host_.emplace(leaves_.front().host, leaves_.begin());
  if (leaves_.size() > limit_) {
    by_host_.erase(leaves_.back().host);
    leaves_.pop_back();
  }
  return leaves_.front().certificate.get();
}

Result<tls::CertificatePtr> LeafCache::mint(std::string_view host) const {
  tls::CertificatePtr certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_pubkey(certificate.get(), public_key_.get()) != 1) {
    return tl::unexpected(tls::openssl_error("cannot make a leaf certificate"));
  }
  X509& leaf = *certificate;
  X509& issuer = authority_.certificate();
  if (auto ok = tls::set_random_serial(leaf); !ok) return failed(ok);
  if (auto ok = tls::set_validity(leaf, kBackdateSeconds, kLeafLifetimeSeconds); !ok) return failed(ok);
  if (auto ok = set_names(leaf, issuer, host); !ok) return failed(ok);
  if (auto ok = tls::add_extension(leaf, issuer, NID_basic_constraints, "critical,CA:FALSE"); !ok) return failed(ok);
  if (auto ok = tls::add_extension(leaf, issuer, NID_key_usage, "critical,digitalSignature"); !ok) return failed(ok);
  if (auto ok = tls::add_extension(leaf, issuer, NID_ext_key_usage, "serverAuth"); !ok) return failed(ok);
  if (auto ok = tls::add_extension(leaf, issuer, NID_authority_key_identifier, "keyid:always"); !ok) return failed(ok);
  if (X509_sign(&leaf, &authority_.key(), EVP_sha256()) == 0) {
    return tl::unexpected(tls::openssl_error("cannot sign a leaf certificate"));
  }
  return certificate;
}

}  // namespace gatehouse::proxy
