#include "common/tls/ca.h"

#include <openssl/pem.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/tls/openssl.h"

namespace gatehouse::tls {

namespace {

constexpr size_t kMaxCommonNameBytes = 64;  // ub-common-name, RFC 5280 appendix A.1
// OpenSSL keeps a block of it for every TLS session that is open, the key that both sides agreed by: enough for 4,096
// connections of guests with one upstream each, of four workers. What is not used takes no memory.
constexpr size_t kSecureHeapBytes = 1 << 20;
constexpr size_t kSecureHeapLeastBytes = 32;

Result<SecretBytes> key_to_pem(EVP_PKEY& key) {
  // BIO_s_secmem wipes what it frees, also when it grows.
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return tl::unexpected(openssl_error("cannot write the CA key"));
  }
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return SecretBytes::copy_of({bytes, static_cast<size_t>(size)});
}

Result<void> set_names(X509& certificate, std::string_view name) {
  auto common_name = fmt::format("Gatehouse session {}", name);
  common_name.resize(std::min(common_name.size(), kMaxCommonNameBytes));
  X509_NAME* subject = X509_get_subject_name(&certificate);
  const auto add = [&](const char* field, std::string_view value) {
    return X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  if (!add("O", "Gatehouse") || !add("CN", common_name) || X509_set_issuer_name(&certificate, subject) != 1) {
    return tl::unexpected(openssl_error("cannot name the CA"));
  }
  return {};
}

}  // namespace

Result<SessionCa> create_session_ca(std::string_view name) {
  const auto key = create_p256_key();
  if (!key) return failed(key);
  const CertificatePtr certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_pubkey(certificate.get(), key->get()) != 1) {
    return tl::unexpected(openssl_error("cannot make the CA certificate"));
  }
  X509& x = *certificate;
  if (auto ok = set_random_serial(x); !ok) return failed(ok);
  if (auto ok = set_names(x, name); !ok) return failed(ok);
  if (auto ok = set_validity(x, kBackdateSeconds, kCaLifetimeSeconds); !ok) return failed(ok);
  if (auto ok = add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"); !ok) return failed(ok);
  if (auto ok = add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign"); !ok) return failed(ok);
  if (auto ok = add_extension(x, x, NID_subject_key_identifier, "hash"); !ok) return failed(ok);
  if (X509_sign(&x, key->get(), EVP_sha256()) == 0) return tl::unexpected(openssl_error("cannot sign the CA"));

  auto certificate_pem = to_pem(x);
  if (!certificate_pem) return failed(certificate_pem);
  auto key_pem = key_to_pem(**key);
  if (!key_pem) return failed(key_pem);
  return SessionCa{std::move(*certificate_pem), std::move(*key_pem)};
}

Result<void> protect_key_memory() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return fail_errno("cannot switch core dumps off");
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return fail_errno("cannot become undumpable");
  if (CRYPTO_secure_malloc_initialized() == 1) return {};
  if (CRYPTO_secure_malloc_init(kSecureHeapBytes, kSecureHeapLeastBytes) == 0) {
    return tl::unexpected(openssl_error("no locked memory for keys"));
  }
  return {};
}

}  // namespace gatehouse::tls
