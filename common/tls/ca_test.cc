#include "common/tls/ca.h"

#include <gmock/gmock.h>
#include <openssl/pem.h>

#include "common/tls/openssl.h"

namespace gatehouse::tls {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string common_name(X509& certificate) {
  char text[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(&certificate), NID_commonName, text, sizeof text);
  return text;
}

TEST(SessionCa, IsASelfSignedAuthorityThatMaySignLeavesOnly) {
  const auto ca = create_session_ca("blue");
  ASSERT_TRUE(ca) << ca.error().message();
  const auto certificate = certificate_from_pem(ca->certificate);
  ASSERT_TRUE(certificate);
  X509& x = **certificate;

  EXPECT_EQ(X509_check_ca(&x), 1);
  EXPECT_EQ(X509_get_pathlen(&x), 0);
  EXPECT_EQ(X509_get_key_usage(&x), static_cast<unsigned>(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  EXPECT_EQ(X509_verify(&x, X509_get0_pubkey(&x)), 1);
  EXPECT_EQ(common_name(x), "Gatehouse session blue");
}

TEST(SessionCa, IsValidSinceAnHourAgo) {
  const auto ca = create_session_ca("blue");
  const auto certificate = certificate_from_pem(ca->certificate);
  ASSERT_TRUE(certificate);
  const time_t now = time(nullptr);
  const time_t half_an_hour_ago = now - 1800;
  EXPECT_LT(X509_cmp_time(X509_get0_notBefore(certificate->get()), const_cast<time_t*>(&half_an_hour_ago)), 0);
  EXPECT_GT(X509_cmp_time(X509_get0_notAfter(certificate->get()), const_cast<time_t*>(&now)), 0);
}

TEST(SessionCa, ComesWithItsOwnKeyInPem) {
  const auto ca = create_session_ca("blue");
  EXPECT_THAT(std::string(ca->key.view()), StartsWith("-----BEGIN PRIVATE KEY-----"));
  const BioPtr bio(BIO_new_mem_buf(ca->key.view().data(), static_cast<int>(ca->key.view().size())));
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  ASSERT_TRUE(key);
  EXPECT_EQ(X509_check_private_key(certificate_from_pem(ca->certificate)->get(), key.get()), 1);
}

TEST(SessionCa, DiffersEachTimeInKeyAndSerial) {
  const auto first = create_session_ca("blue");
  const auto second = create_session_ca("blue");
  const auto a = certificate_from_pem(first->certificate);
  const auto b = certificate_from_pem(second->certificate);
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(a->get()), X509_get0_serialNumber(b->get())), 0);
  EXPECT_NE(first->key.view(), second->key.view());
}

TEST(SessionCa, CutsALongNameToWhatACertificateHolds) {
  const auto ca = create_session_ca(std::string(200, 'n'));
  ASSERT_TRUE(ca) << ca.error().message();
  EXPECT_EQ(common_name(**certificate_from_pem(ca->certificate)).size(), 64U);
}

TEST(CertificateFromPem, SaysThatTextIsNoCertificate) {
  const auto certificate = certificate_from_pem("hello");
  ASSERT_FALSE(certificate);
  EXPECT_THAT(certificate.error().message(), HasSubstr("no readable PEM certificate"));
}

}  // namespace
}  // namespace gatehouse::tls
