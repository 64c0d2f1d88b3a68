#include "common/tls/certified_key.h"

#include <gmock/gmock.h>

#include "common/tls/test_certificates.h"

namespace gatehouse::tls {
namespace {

using testing::StartsWith;

TEST(CertifiedKey, IsReadFromTwoTextsOrFromOneThatHoldsBoth) {
  const auto key = create_p256_key();
  ASSERT_TRUE(key);
  const std::string certificate = certificate_of(**key);
  const std::string both = certificate + pem_of(**key);
  for (const auto& [certificates, private_key] : {std::pair(certificate, pem_of(**key)), std::pair(both, both)}) {
    const auto read = certified_key_from_pem(certificates, private_key);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->chain.size(), 1U);
    EXPECT_EQ(EVP_PKEY_eq(read->key.get(), key->get()), 1);
  }
}

TEST(CertifiedKey, HasWhatLeadsToItsRoot) {
  const auto key = create_p256_key();
  const auto other = create_p256_key();
  const auto read = certified_key_from_pem(certificate_of(**key) + certificate_of(**other), pem_of(**key));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->chain.size(), 2U);
}

TEST(CertifiedKey, RefusesInWordsWhatCouldNotBeShown) {
  const auto key = create_p256_key();
  const auto other = create_p256_key();
  const KeyPtr weak(EVP_RSA_gen(1024));
  const std::string good = certificate_of(**key);
  const std::string own = pem_of(**key);
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += good;
  const std::string broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  struct Case {
    std::string certificates, key, words;
  };
  const Case cases[] = {
      {"", own, "the certificate is not there"},
      {own, own, "the certificate is not there"},
      {broken, own, "the certificate is broken PEM"},
      {good + broken, own, "the certificate is broken PEM"},
      {nine, own, "the certificate has more than 7 others behind it"},
      {good, "", "the key is not there"},
      {good, good, "the key is not there"},
      {good, pem_of(**key, "secret"), "the key is encrypted"},
      {good,
       "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n"
       "-----END EC PRIVATE KEY-----\n",
       "the key is encrypted"},
      {good, pem_of(**other), "the key does not belong to the certificate"},
      {certificate_of(**other) + good, own, "the key does not belong to the certificate"},
      {certificate_of(**key, {-7200, -3600}), own, "the certificate has expired: it was valid until "},
      {certificate_of(**key, {3600, 7200}), own, "the certificate is not valid yet: it is from "},
      {certificate_of(**key, {-3600, 3600, "serverAuth"}), own, "the certificate is not for clients"},
      {certificate_of(*weak), pem_of(*weak), "the certificate cannot be used: "},
  };
  for (const auto& [certificates, private_key, words] : cases) {
    const auto read = certified_key_from_pem(certificates, private_key);
    ASSERT_FALSE(read) << words;
    EXPECT_THAT(read.error().message(), StartsWith(words));
    EXPECT_EQ(read.error().message().find("BEGIN"), std::string::npos);
  }
}

}  // namespace
}  // namespace gatehouse::tls
