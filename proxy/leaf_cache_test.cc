#include "proxy/leaf_cache.h"

#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

using std::chrono::system_clock;
using testing::HasSubstr;

class LeafCacheTest : public testing::Test {
 protected:
  CertificateAuthority authority_ = *CertificateAuthority::create("test");
  tls::KeyPtr key_ = *tls::create_p256_key();
  LeafCache cache_{authority_, *key_, 3};
  const system_clock::time_point now_ = system_clock::now();

  X509* leaf(const std::string& host) {
    const auto certificate = cache_.certificate_for(host, now_);
    EXPECT_TRUE(certificate) << certificate.error().message();
    return *certificate;
  }
};

TEST_F(LeafCacheTest, MintsALeafThatTheAuthoritySigned) {
  X509* x = leaf("api.example.com");
  EXPECT_EQ(X509_verify(x, X509_get0_pubkey(&authority_.certificate())), 1);
  EXPECT_EQ(X509_check_private_key(x, key_.get()), 1);
  EXPECT_EQ(X509_check_issued(&authority_.certificate(), x), X509_V_OK);
  EXPECT_EQ(X509_check_ca(x), 0);
  EXPECT_EQ(X509_get_extended_key_usage(x), static_cast<unsigned>(XKU_SSL_SERVER));
  EXPECT_EQ(X509_get_key_usage(x), static_cast<unsigned>(KU_DIGITAL_SIGNATURE));
}

TEST_F(LeafCacheTest, NamesExactlyTheHost) {
  X509* x = leaf("api.example.com");
  EXPECT_EQ(X509_check_host(x, "api.example.com", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(x, "example.com", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_host(x, "x.api.example.com", 0, 0, nullptr), 0);
}

TEST_F(LeafCacheTest, NamesNothingElse) {
  X509* x = leaf("api.example.com");
  const std::unique_ptr<GENERAL_NAMES, tls::OpensslFree<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr)));
  ASSERT_NE(names, nullptr);
  EXPECT_EQ(sk_GENERAL_NAME_num(names.get()), 1);
}

TEST_F(LeafCacheTest, IsOfAnHourAgoAndForNoMoreThanADay) {
  X509* x = leaf("api.example.com");
  int days = 0, seconds = 0;
  ASSERT_EQ(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), nullptr), 1);
  EXPECT_GE(days * 86400 + seconds, 3600 - 5) << "guests' clocks may be behind";
  ASSERT_EQ(ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(x)), 1);
  EXPECT_LE(days * 86400 + seconds, kLeafLifetimeSeconds);
  EXPECT_GT(days * 86400 + seconds, kLeafRenewalSeconds);
}

TEST_F(LeafCacheTest, NamesAnAddressAsAnAddress) {
  EXPECT_EQ(X509_check_ip_asc(leaf("8.8.8.8"), "8.8.8.8", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(leaf("2001:db8::1"), "2001:db8::1", 0), 1);
}

TEST_F(LeafCacheTest, NamesAHostTooLongForACommonName) {
  const auto host = std::string(60, 'a') + "." + std::string(60, 'b') + ".example.com";
  EXPECT_EQ(X509_check_host(leaf(host), host.c_str(), 0, 0, nullptr), 1);
}

TEST_F(LeafCacheTest, TreatsConfigurationSyntaxInAHostAsAName) {
  X509* x = leaf("a.test,DNS:evil.test");
  EXPECT_EQ(X509_check_host(x, "evil.test", 0, 0, nullptr), 0);
}

TEST_F(LeafCacheTest, ReusesALeafAndForgetsTheLeastRecentlyUsed) {
  X509* first = leaf("a.test");
  leaf("b.test");
  leaf("c.test");
  EXPECT_EQ(leaf("a.test"), first);
  leaf("d.test");  // b.test goes
  EXPECT_EQ(cache_.size(), 3U);
  EXPECT_EQ(leaf("a.test"), first);
}

TEST_F(LeafCacheTest, RenewsALeafBeforeItExpires) {
  X509* first = leaf("a.test");
  const std::string serial = X509_get0_serialNumber(first)->data == nullptr
                                 ? ""
                                 : std::string(reinterpret_cast<const char*>(X509_get0_serialNumber(first)->data), 16);
  const auto later = now_ + std::chrono::seconds(kLeafLifetimeSeconds - kLeafRenewalSeconds + 1);
  const auto second = cache_.certificate_for("a.test", later);
  ASSERT_TRUE(second);
  EXPECT_NE(std::string(reinterpret_cast<const char*>(X509_get0_serialNumber(*second)->data), 16), serial);
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(LeafCacheTest, RefusesWhatNoCertificateCanName) {
  for (const std::string& host : {std::string(), std::string("a b"), std::string("a\0b", 3), std::string(300, 'x')}) {
    const auto certificate = cache_.certificate_for(host, now_);
    ASSERT_FALSE(certificate) << host;
    EXPECT_EQ(certificate.error().message(), "no certificate can name this host");
  }
}

TEST(CertificateAuthority, RefusesWhatCannotSign) {
  const auto authority = *CertificateAuthority::create("a");
  const auto other = *CertificateAuthority::create("b");
  const auto certificate = *authority.certificate_pem();
  EXPECT_THAT(CertificateAuthority::from_pem("").error().message(), HasSubstr("no readable PEM certificate"));
  EXPECT_THAT(CertificateAuthority::from_pem(certificate).error().message(), HasSubstr("no readable, unencrypted PEM"));
  EXPECT_THAT(CertificateAuthority::load("fd:1").error().message(), HasSubstr("expected fd:N"));
  EXPECT_THAT(CertificateAuthority::load("fd:x").error().message(), HasSubstr("expected fd:N"));
  EXPECT_THAT(CertificateAuthority::load("/nonexistent").error().message(), HasSubstr("cannot open /nonexistent"));
}

}  // namespace
}  // namespace gatehouse::proxy
