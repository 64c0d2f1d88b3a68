#include "common/tls/certified_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <array>

namespace gatehouse::tls {

namespace {

// An encrypted key is refused rather than asked about on a terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

BioPtr reader_of(std::string_view pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Result<std::vector<CertificatePtr>> read_chain(std::string_view pem) {
  std::vector<CertificatePtr> chain;
  const auto bio = reader_of(pem);
  while (bio) {
    CertificatePtr next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!next) break;
    if (chain.size() == kMaxChain) return fail("the certificate has more than {} others behind it", kMaxChain - 1);
    chain.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return fail("the certificate is broken PEM");
  if (chain.empty()) return fail("the certificate is not there: the text holds none in PEM");
  return chain;
}

Result<KeyPtr> read_key(std::string_view pem) {
  const auto bio = reader_of(pem);
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (key) return key;
  // RFC 7468 section 11, and the older form of RFC 1421 section 4.6.1.1.
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return fail("the key is encrypted, and nobody can be asked for its passphrase: give it without one");
  }
  return fail("the key is not there: the text holds no private key in PEM that can be read");
}

std::string day(const ASN1_TIME& time) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || ASN1_TIME_print(bio.get(), &time) != 1) return "?";
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

Result<void> check(X509& certificate, EVP_PKEY& key) {
  const bool match = X509_check_private_key(&certificate, &key) == 1;
  ERR_clear_error();
  if (!match) return fail("the key does not belong to the certificate");
  const auto& since = *X509_get0_notBefore(&certificate);
  const auto& until = *X509_get0_notAfter(&certificate);
  if (X509_cmp_current_time(&until) <= 0) return fail("the certificate has expired: it was valid until {}", day(until));
  if (X509_cmp_current_time(&since) > 0) return fail("the certificate is not valid yet: it is from {}", day(since));
  if (X509_check_purpose(&certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1) {
    ERR_clear_error();
    return fail("the certificate is not for clients (its extended key usage lacks clientAuth)");
  }
  return {};
}

// Whether OpenSSL's security level takes it, before an upstream has to find out.
Result<void> try_out(const CertifiedKey& identity) {
  const ContextPtr context(SSL_CTX_new(TLS_client_method()));
  const SslPtr ssl(context ? SSL_new(context.get()) : nullptr);
  if (!ssl) return tl::unexpected(openssl_error("no memory for a TLS session"));
  return show(*ssl, identity);
}

}  // namespace

Result<CertifiedKey> certified_key_from_pem(std::string_view certificates, std::string_view key) {
  ERR_clear_error();
  CertifiedKey identity;
  auto chain = read_chain(certificates);
  if (!chain) return failed(chain);
  identity.chain = std::move(*chain);
  auto read = read_key(key);
  if (!read) return failed(read);
  identity.key = std::move(*read);
  if (auto ok = check(*identity.chain.front(), *identity.key); !ok) return failed(ok);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  if (X509_digest(identity.chain.front().get(), EVP_sha256(), digest.data(), nullptr) != 1) {
    return tl::unexpected(openssl_error("no fingerprint of the certificate"));
  }
  for (const unsigned char byte : digest) identity.fingerprint += fmt::format("{:02x}", byte);
  if (auto ok = try_out(identity); !ok) return failed(ok);
  return identity;
}

Result<void> show(SSL& ssl, const CertifiedKey& identity) {
  bool ok =
      SSL_use_certificate(&ssl, identity.chain.front().get()) == 1 && SSL_use_PrivateKey(&ssl, identity.key.get()) == 1;
  for (size_t i = 1; ok && i < identity.chain.size(); ++i) ok = SSL_add1_chain_cert(&ssl, identity.chain[i].get()) == 1;
  if (!ok) return tl::unexpected(openssl_error("the certificate cannot be used"));
  return {};
}

}  // namespace gatehouse::tls
