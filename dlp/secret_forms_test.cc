#include "dlp/secret_forms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "dlp/secret_pem.h"

namespace gatehouse::dlp {
namespace {

// The bytes of the secret's text that count, the others as '.'.
std::string telling(const ShapedSecret& shape) {
  std::string text = shape.text;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!shape.counts[i]) text[i] = '.';
  }
  return text;
}

TEST(SecretForms, CountOnlyWhatIsSecretOfAValue) {
  const struct {
    std::string value, counts;
  } cases[] = {
      {"hunter2", "hunter2"},
      {"ghp_abcdefgh12345678ABCDEFGH", "....abcdefgh12345678ABCDEFGH"},
      {"sk-ant-api03-abcdefgh12345678ABCDEFGH", ".............abcdefgh12345678ABCDEFGH"},
      {"12ab34cd-56ef-78ab-90cd-12ef34ab56cd", "12ab34cd-56ef-78ab-90cd-12ef34ab56cd"},
      {"postgres://app:s3cret-Pw@db.example/prod", "...............s3cret-Pw................"},
      {"https://hooks.example/services/T00/B00/abcdefgh",
       "....................."
       "/services/T00/B00/abcdefgh"},
      {"user:longpassword", "user:longpassword"},
      {R"({"type": "service_account", "uri": "https://a.example/o/oauth2/auth1", "id": "1a2b3c4d5e6f7a8b9c0d",
           "expiry": "2026-01-02T03:45:06Z"})",
       "1a2b3c4d5e6f7a8b9c0d"},
      {R"({"a": "b"})", R"({"a": "b"})"},
      {"machine a.example login me\npassword 1a2b3c4d5e6f7a8b\n", "1a2b3c4d5e6f7a8b"},
      {"one line of words\nand another", "one line of words\nand another"},
  };
  for (const auto& one : cases) EXPECT_EQ(telling(shape_secret(one.value)), one.counts);
}

TEST(SecretForms, OfAJwtAreSecretAfterItsHeader) {
  const std::string jwt = "eyJhbGciOiJIUzI1NiJ9." + std::string(30, 'p') + ".signature-of-it";
  EXPECT_EQ(telling(shape_secret(jwt)), std::string(21 + 24, '.') + std::string(6, 'p') + ".signature-of-it");
}

std::vector<std::string> forms(const std::string& value) {
  std::vector<std::string> bytes;
  for (const auto& form : shape_secret(value).forms) bytes.push_back(form.bytes);
  return bytes;
}

TEST(SecretForms, AreTheValueBackwardsAndWhatItEncodes) {
  EXPECT_THAT(forms("abcdefg"), testing::ElementsAre("abcdefg", "gfedcba"));
  EXPECT_THAT(forms("abccba"), testing::ElementsAre("abccba"));
  const auto hex = forms("4142434445464748494a");
  EXPECT_THAT(hex, testing::Contains("ABCDEFGHIJ"));
  EXPECT_THAT(hex, testing::Contains("JIHGFEDCBA"));
  EXPECT_THAT(forms("QUJDREVGR0hJSktMTU4="), testing::Contains("ABCDEFGHIJKLMN"));
}

TEST(SecretForms, MapBackToPositionsOfTheValue) {
  for (const std::string value : {"30313233343536373839", "MDEyMzQ1Njc4OWFi"}) {
    const auto shape = shape_secret(value);
    for (const auto& form : shape.forms) {
      if (form.disguise.encoding > Disguise::Encoding::base64) continue;
      const auto length = static_cast<uint32_t>(form.bytes.size());
      EXPECT_EQ(form.positions({0, length}, length).begin, 0U);
      EXPECT_EQ(form.positions({0, length}, length).end, value.size());
      const Span first = form.positions({0, 3}, length);
      EXPECT_EQ(form.disguise.reversed, first.begin != 0) << form.disguise.words();
      if (form.disguise.encoding == Disguise::Encoding::hex) {
        EXPECT_EQ(first.size(), 6U);
      }
    }
  }
}

TEST(SecretForms, AreWhatIsWrittenAndTurnedRound) {
  const std::string value = "k3y-5f1c9a7be3d2408f96ab";
  const auto shape = shape_secret(value);
  const auto span_of = [&](std::string_view text) {
    for (const auto& form : shape.forms) {
      const size_t at = form.bytes.find(text);
      const auto begin = static_cast<uint32_t>(at);
      const auto end = static_cast<uint32_t>(at + text.size());
      if (at != form.bytes.npos) return form.positions({begin, end}, static_cast<uint32_t>(form.bytes.size()));
    }
    return Span{};
  };
  EXPECT_EQ(span_of("x3l-5s1p9n7or3q2408s96no").size(), 24u);
  const auto backwards = [](std::string text) { return std::string(text.rbegin(), text.rend()); };
  const std::string hex = "6b33792d3566316339613762653364323430386639366162";
  EXPECT_EQ(span_of(backwards(hex)).size(), 24u);
  EXPECT_EQ(span_of(backwards(hex.substr(5, 20))).begin, 3u) << "half a byte tells nothing";
  // Of base64 behind no byte, two and one.
  EXPECT_EQ(span_of(backwards("azN5LTVmMWM5YTdiZTNkMjQwOGY5NmFi")).size(), 24u);
  EXPECT_EQ(span_of(backwards("S01ZjFjOWE3YmUzZDI0MDhm")).begin, 3u);
  EXPECT_EQ(span_of(backwards("M3ktNWYxYzlhN2JlM2QyNDA4")).begin, 1u);
}

std::string make_key(bool rsa, std::string& public_half) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"),
                                                                EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> pem(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(pem.get(), &bytes);
  unsigned char* info = nullptr;
  const int info_size = i2d_PUBKEY(key.get(), &info);
  public_half.assign(reinterpret_cast<char*>(info), static_cast<size_t>(info_size));
  OPENSSL_free(info);
  return {bytes, static_cast<size_t>(size)};
}

TEST(SecretForms, OfAPrivateKeyAreItsPrivateHalf) {
  for (const bool rsa : {false, true}) {
    std::string public_half;
    const std::string pem = make_key(rsa, public_half);
    const auto keys = private_keys(pem);
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys[0].body.find('-'), std::string::npos);
    const std::string der = *from_base64(keys[0].body);
    const size_t at = der.find(public_half.substr(public_half.size() - 65, 60));
    ASSERT_NE(at, std::string::npos) << "this key holds its public half";
    for (size_t i = at * 8 / 6 + 1; i < (at + 59) * 8 / 6; ++i) EXPECT_FALSE(keys[0].counts[i]);
    const auto count = std::count(keys[0].counts.begin(), keys[0].counts.end(), true);
    EXPECT_GE(count, rsa ? 1000 : 40) << "what is private";
  }
}

TEST(SecretForms, ReadAPemInOneLine) {
  const auto keys = private_keys("-----BEGIN PRIVATE KEY-----\\nQUJDREVG\\nR0hJSktM\\n-----END PRIVATE KEY-----\\n");
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].body, "QUJDREVGR0hJSktM");
}

TEST(SecretForms, TellTokensFromWords) {
  for (const char* token : {"aB3dE6gH", "0a1b2c3d", "x7Kq9mZp", "ghp_1aB2cC"})
    EXPECT_TRUE(looks_random(token)) << token;
  for (const char* words : {"password-of-the-house", "Correct-Horse-Battery", "a1a1a1a1a1", "12345678", "Summer2024",
                            "/usr/share/doc", "-----BEGIN PRIVATE"}) {
    EXPECT_FALSE(looks_random(words)) << words;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
