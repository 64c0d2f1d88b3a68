// Known answers, computed apart from this code (zlib, hashlib and the standards' own samples).
#include "dlp/validator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace gatehouse::dlp {
namespace {

struct Case {
  const char* validator;
  std::string secret;
  bool confirmed;
};

std::string letters_a(size_t count) { return std::string(count, 'A'); }

void check(std::initializer_list<Case> cases) {
  for (const Case& each : cases) {
    const Validator validator = find_validator(each.validator);
    ASSERT_NE(validator, nullptr) << each.validator;
    EXPECT_EQ(validator(each.secret), each.confirmed) << each.validator << ": " << each.secret;
  }
}

TEST(Validator, IsFoundByItsNameAlone) {
  const auto names = validator_names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const auto name : names) EXPECT_NE(find_validator(name), nullptr) << name;
  for (const auto* name : {"", "Luhn", "luhn ", "luh", "zzz", "a"}) EXPECT_EQ(find_validator(name), nullptr) << name;
}

TEST(Validator, RefusesEveryCutAndAnyBytesWithoutHarm) {
  std::string every;
  for (int value = 0; value < 256; ++value) every += static_cast<char>(value);
  const std::string hostile[] = {"",
                                 ".",
                                 "..",
                                 "_",
                                 "=",
                                 "-----BEGIN",
                                 "-----BEGIN PGP-----",
                                 "1",
                                 "0x",
                                 every,
                                 std::string(8192, '9'),
                                 std::string(8192, '1'),
                                 std::string(8192, '[') + "..",
                                 std::string(8192, '\0'),
                                 "W1tbW1tbW1tb..",
                                 "$"};
  for (const auto name : validator_names()) {
    for (const auto& secret : hostile) {
      if (name == "not-placeholder") {
        find_validator(name)(secret);  // most of these are as good a password as any
      } else {
        EXPECT_FALSE(find_validator(name)(secret)) << name;
      }
    }
  }
}

TEST(Validator, KnowsGitHubsAndNpmsChecksum) {
  check({
      {"github-crc32", "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", true},
      {"github-crc32", "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", true},
      {"github-crc32", "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", true},
      {"github-crc32", "ghs_sample000000000000000000000380005L47", true},
      {"github-crc32", "ghp_" + letters_a(36), false},
      {"github-crc32", "ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0uCPlR", false},
      {"github-crc32", "ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0uCPl", false},
      {"github-crc32", "ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0uCP-r", false},
      {"github-crc32", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0uCPlr", false},
  });
}

TEST(Validator, KnowsAJsonWebTokenByItsHeader) {
  const std::string rest = ".eyJzdWIiOiJzYW1wbGUifQ.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
  check({
      {"jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + rest, true},
      {"jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.", true},                   // alg none has no signature
      {"jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + rest + ".AAAA.AAAA", true},  // encrypted: five parts
      {"jwt", "eyJ0eXAiOiJKV1QifQ" + rest, false},                                  // {"typ":"JWT"}
      {"jwt", "eyJhbGciOjF9" + rest, false},                                        // {"alg":1}
      {"jwt", "W10" + rest, false},                                                 // []
      {"jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ" + rest, false},                 // cut
      {"jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWI", true},                // the rule took no more of it
      {"jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", false},
      {"jwt", "eyJ" + letters_a(20) + rest, false},
  });
}

TEST(Validator, ReadsTheAccountInAnAwsKeyId) {
  check({
      {"aws-access-key", "AKIARZPUZDIKKUABCDEF", true},   // account 123456789012
      {"aws-access-key", "ASIARTX3GSDS2UABCDEF", true},   // 111122223333
      {"aws-access-key", "AKIA6RVFFB772UABCDEF", true},   // 999999999999
      {"aws-access-key", "AKIA6RVFFCAAKUABCDEF", false},  // one more: not an account
      {"aws-access-key", "AKIAIOSFODNN7EXAMPLE", false},  // issued before ids held accounts
      {"aws-access-key", "AKIA" + letters_a(16), false},
      {"aws-access-key", "AKIARZPUZDIKKUABCDE1", false},
      {"aws-access-key", "AROARZPUZDIKKUABCDEF", false},
      {"aws-access-key", "AKIARZPUZDIKKUABCDEFG", false},
  });
}

TEST(Validator, KnowsCardsByCheckDigitIssuerAndLength) {
  check({
      {"luhn", "4111111111111111", true},
      {"luhn", "4111 1111 1111 1111", true},
      {"luhn", "5555-5555-5555-4444", true},
      {"luhn", "378282246310005", true},
      {"luhn", "6011111111111117", true},
      {"luhn", "3530111333300000", true},
      {"luhn", "30569309025904", true},
      {"luhn", "2223000048400011", true},
      {"luhn", "4111111111111112", false},  // check digit
      {"luhn", "411111111111116", false},   // Visa has no 15 digits
      {"luhn", "9999999999999995", false},  // no issuer
      {"luhn", "0000000000000000", false},
      {"luhn", "4111x1111x1111x1111", false},
      {"mod10", "046 454 286", true},
      {"mod10", "046454287", false},
      {"mod10", "000000000", false},
  });
}

TEST(Validator, KnowsAccountsByCountryLengthAndCheckDigits) {
  check({
      {"iban", "DE56111111111234567890", true},
      {"iban", "DE56 1111 1111 1234 5678 90", true},
      {"iban", "de56111111111234567890", true},
      {"iban", "GB85TEST12345612345678", true},
      {"iban", "NO2812345678901", true},
      {"iban", "FR951111111111ABCDEFGHIJK12", true},
      {"iban", "MT38MALT123450123456789ABCDEFGH", true},
      {"iban", "RU8211111111111111111111111111111", true},
      {"iban", "DE57111111111234567890", false},   // check digits
      {"iban", "DE561111111112345678901", false},  // length
      {"iban", "ZZ56111111111234567890", false},   // country
      {"iban", "DE56_1111", false},
  });
}

TEST(Validator, KnowsNumbersOfPersons) {
  check({
      {"ssn", "123-45-6780", true},          {"ssn", "123456780", true},
      {"ssn", "000-45-6780", false},         {"ssn", "666-45-6780", false},
      {"ssn", "900-45-6780", false},         {"ssn", "123-00-6780", false},
      {"ssn", "123-45-0000", false},         {"ssn", "078-05-1120", false},
      {"ssn", "123-45-678", false},          {"cpf", "123.456.789-09", true},
      {"cpf", "12345678909", true},          {"cpf", "123.456.789-19", false},
      {"cpf", "123.456.789-08", false},      {"cpf", "111.111.111-11", false},
      {"aadhaar", "2345 6789 0124", true},   {"aadhaar", "9999 4105 7058", true},
      {"aadhaar", "2345 6789 0123", false},  {"aadhaar", "2354 6789 0124", false},  // two digits swapped
      {"nhs-number", "943 476 5919", true},  {"nhs-number", "123 456 7881", true},
      {"nhs-number", "943 476 5918", false},
  });
}

TEST(Validator, KnowsCurrencyKeysByChecksumAndRange) {
  const std::string order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
  check({
      {"btc-wif", "5HpjKrb7dH5kKQQzmbjB87Mxova7mek5bXUTWfndcX6tBoqUwzm", true},
      {"btc-wif", "KwFfpDsaF7yxCELuyrH9gP5XL7TAt5b9HPWC1xCQbmrxvhJgMQHb", true},
      {"btc-wif", "91bMubQfDW9tHTvHPwd5zhuvTavpvpHGwULQbJ98xFqvxsUsWbZ", true},
      {"btc-wif", "cMcfH8sRgBgDMfpBNG6H3haaxLkaYXgqMRef8Nev6tWyBSNr6c3n", true},
      {"btc-wif", "5HpjKrb7dH5kKQQzmbjB87Mxova7mek5bXUTWfndcX6tBoqUwzn", false},
      {"btc-wif", "16L5yRNPTuciSgXGHqYwn9N6NeoKqopAu", false},  // an address, no key
      {"base58check", "16L5yRNPTuciSgXGHqYwn9N6NeoKqopAu", true},
      {"base58check",
       "xprv9s21ZrQH143K24MoUenttLtWQNeeDZvsczTUeCMmb85Mn2qbbmZbpre8QqQH8wmA4GoUD2xSkMuhS1ZpWEdfVghKKi9zEKeNYi1LLmTE6R"
       "a",
       true},
      {"base58check", "16L5yRNPTuciSgXGHqYwn9N6NeoKqopAv", false},
      {"base58check", "l6L5yRNPTuciSgXGHqYwn9N6NeoKqopAu", false},  // 'l' is no digit
      {"eth-private-key", "0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
      {"eth-private-key", order.substr(0, 63) + "0", true},
      {"eth-private-key", order, false},
      {"eth-private-key", std::string(64, '0'), false},
      {"eth-private-key", "0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", false},
      {"bech32", "AGE-SECRET-KEY-1QYPQXPQ9QCRSSZG2PVXQ6RS0ZQG3YYC5Z5TPWXQERGD3C8G7RUSQGPQYEE", true},
      {"bech32", "nsec1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5z5tpwxqergd3c8g7rusqpqcc2y", true},
      {"bech32", "nsec1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5z5tpwxqergd3c8g7rusq5ug50x", true},  // BIP 350
      {"bech32", "nsec1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5z5tpwxqergd3c8g7rusqpqcc2z", false},
      {"bech32", "Nsec1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5z5tpwxqergd3c8g7rusqpqcc2y", false},
      {"bech32", "AGE-SECRET-KEY-1" + letters_a(58), false},
  });
}

TEST(Validator, LooksIntoAPrivateKeysBlock) {
  const std::string pkcs8 = "MC4CCRAXHiUsMzpBSE9WXWRrcnmAh46VnKOqsbi/xs3U2+Lp8Pf+BQwTGiEoLzY9";
  const std::string long_key = "MIIBLAIJEBceJSwzOkFIT1ZdZGtyeYCHjpWco6qxuL/GzdTb4unw9/4FDBMaISgv";
  const std::string openssh = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ==";
  const std::string begin = "-----BEGIN PRIVATE KEY-----";
  const std::string end = "-----END PRIVATE KEY-----";
  check({
      {"pem", begin + "\n" + pkcs8 + "\n" + end + "\n", true},
      {"pem", begin + "\r\n" + pkcs8 + "\r\n" + end, true},
      {"pem", begin + "\\n" + pkcs8 + "\\n" + end + "\\n", true},  // inside a JSON string
      {"pem", begin + "\n" + long_key + "\n", true},               // cut off in its body
      {"pem", begin + "\n" + long_key + "\n" + end, false},        // whole, and too short for its length
      {"pem", begin + "\n" + letters_a(64) + "\n" + end, false},
      {"pem", begin + "\n...\n" + end, false},
      {"pem", begin, false},
      {"pem", "-----BEGIN OPENSSH PRIVATE KEY-----\n" + openssh + "\n", true},
      {"pem", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nlQECAAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n=abcd\n",
       true},
      {"pem", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nmQECAAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n", false},  // public
      {"pem",
       "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n\n"
       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
       true},
  });
}

TEST(Validator, KnowsFormsOfOtherTokens) {
  check({
      {"uuid", "01234567-89ab-4def-8123-456789abcdef", true},
      {"uuid", "01234567-89ab-0def-8123-456789abcdef", false},
      {"uuid", "01234567-89ab-4def-c123-456789abcdef", false},
      {"uuid", "0123456789ab-4def-8123-456789abcdef-", false},
      {"basic-auth", "dXNlcjpzYW1wbGUtcGFzc3dvcmQ=", true},
      {"basic-auth", "dXNlcjpzYW1wbGUtcGFzc3dvcmQ", true},
      {"basic-auth", "bm8gY29sb24gaGVyZQ==", false},
      {"basic-auth", "YToAAQI=", false},  // "a:" and control characters
      {"basic-auth", "documentation", false},
      {"discord-token", "MTIzNDU2Nzg5MDEyMzQ1Njc4.ABCDEF.aaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
      {"discord-token", "MAAAAAAAAAAAAAAAAAAAAAAA.ABCDEF.aaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
      {"hex", "0123456789abcdef0123456789abcdef", true},
      {"hex", "0123456789ABCDEF0123456789ABCDEF0", false},
      {"hex", std::string(32, 'a'), false},
      {"hex", "0123456789abcdef0123456789abcdeg", false},
      {"base64-32", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true},
      {"base64-32", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", false},
      {"base64-32", letters_a(43) + "=", false},
      {"base64-64", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==", true},
      {"base64-64", letters_a(86) + "==", false},
  });
}

TEST(Validator, TellsAChosenSecretFromAPlaceholder) {
  for (const auto* chosen : {"Tr0ub4dor&3", "correct horse", "AAAAAAAA", "my-password-is-long", "example.com-pass1",
                             "$ecret42", "your mother 1"}) {
    check({{"not-placeholder", chosen, true}});
  }
  for (const auto* placeholder : {"xxxxxxxx",
                                  "****",
                                  "...",
                                  "<password>",
                                  "${DB_PASSWORD}",
                                  "$(pass show db)",
                                  "$DB_PASSWORD",
                                  "{{ secret }}",
                                  "%PASS%",
                                  "%(password)s",
                                  "%s",
                                  "[YOUR-PASSWORD]",
                                  "your-password",
                                  "YOUR_API_KEY_HERE",
                                  "changeme",
                                  "CHANGE_ME",
                                  "password",
                                  "postgres",
                                  "Password123",
                                  "null",
                                  "",
                                  "0000"}) {
    check({{"not-placeholder", placeholder, false}});
  }
}

}  // namespace
}  // namespace gatehouse::dlp
