#include "dlp/fingerprint.h"

#include <gtest/gtest.h>

namespace gatehouse::dlp {
namespace {

TEST(Fingerprint, IsTheStartOfAnHmac) {  // RFC 4231 test cases 2 and 6
  auto jefe = Fingerprinter::with_key("Jefe");
  ASSERT_TRUE(jefe);
  EXPECT_EQ(jefe->of("what do ya want for nothing?"), "5bdcc146bf60754e");
  EXPECT_EQ(jefe->of("what do ya want for nothing?"), "5bdcc146bf60754e") << "the second time";
  auto longer = Fingerprinter::with_key(std::string(131, '\xaa'));
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->of("Test Using Larger Than Block-Size Key - Hash Key First"), "60e431591ee0b67f");
}

TEST(Fingerprint, DependsOnTheKey) {
  const auto key = Fingerprinter::random_key();
  const auto other = Fingerprinter::random_key();
  ASSERT_TRUE(key && other);
  EXPECT_EQ(key->size(), kFingerprintKeyBytes);
  EXPECT_NE(Fingerprinter::with_key(*key)->of("x"), Fingerprinter::with_key(*other)->of("x"));
  EXPECT_FALSE(Fingerprinter::with_key(""));
}

}  // namespace
}  // namespace gatehouse::dlp
