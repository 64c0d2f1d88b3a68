#include "dlp/validator_tokens.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "dlp/validator_text.h"

namespace gatehouse::dlp {
namespace {

constexpr std::string_view kBase62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr uint64_t kLargestAwsAccount = 999'999'999'999;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0x20 && c != 0x7f; });
}

int base32_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= '2' && c <= '7') return c - '2' + 26;
  return -1;
}

// Lower case, without what placeholders are wrapped and joined with.
std::string folded(std::string_view secret) {
  std::string letters;
  for (const char c : secret) {
    if (std::string_view("-_ .<>{}[]()\"'`$%!").find(c) != std::string_view::npos) continue;
    letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  return letters;
}

}  // namespace

bool is_github_crc32(std::string_view token) {
  constexpr size_t kRandom = 30;
  constexpr size_t kChecksum = 6;
  const size_t underscore = token.rfind('_');
  if (underscore == std::string_view::npos) return false;
  const std::string_view body = token.substr(underscore + 1);
  if (body.size() != kRandom + kChecksum) return false;
  uint64_t said = 0;
  for (const char c : body.substr(kRandom)) {
    const size_t digit = kBase62.find(c);
    if (digit == std::string_view::npos) return false;
    said = said * kBase62.size() + digit;
  }
  return said == crc32(0, reinterpret_cast<const Bytef*>(body.data()), kRandom);
}

bool is_jwt(std::string_view token) {
  const size_t dot = token.find('.');
  if (dot == std::string_view::npos) return false;
  const auto header = decode_base64(token.substr(0, dot));
  if (!header) return false;
  const auto json = nlohmann::json::parse(*header, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return false;
  const auto algorithm = json.find("alg");
  return algorithm != json.end() && algorithm->is_string();
}

bool is_aws_access_key(std::string_view key) {
  if (key.size() != 20) return false;
  const std::string_view kind = key.substr(0, 4);
  if (kind != "AKIA" && kind != "ASIA" && kind != "ABIA" && kind != "ACCA") return false;
  uint64_t bits = 0;  // of the first ten digits: 50, of which the upper 48 count
  for (const char c : key.substr(4)) {
    if (base32_value(c) < 0) return false;
  }
  for (const char c : key.substr(4, 10)) bits = bits << 5 | static_cast<uint64_t>(base32_value(c));
  bits >>= 2;
  const bool holds_account = (bits >> 47 & 1) != 0;
  const uint64_t account = (bits & 0x7fffffffff80) >> 7;
  return holds_account && account != 0 && account <= kLargestAwsAccount && distinct_bytes(key.substr(4)) >= 4;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : hex_value(text[i]) < 0) return false;
  }
  return text[14] >= '1' && text[14] <= '8' && (hex_value(text[19]) & 0xc) == 8;
}

bool is_basic_auth(std::string_view credentials) {
  const auto decoded = decode_base64(credentials);
  return decoded && decoded->size() >= 3 && decoded->find(':') != std::string::npos && is_printable(*decoded);
}

bool is_discord_token(std::string_view token) {
  const auto id = decode_base64(token.substr(0, token.find('.')));
  return id && id->size() >= 17 && id->size() <= 20 &&
         std::all_of(id->begin(), id->end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_hex_key(std::string_view text) {
  return text.size() >= 32 && text.size() <= 128 && text.size() % 2 == 0 &&
         std::all_of(text.begin(), text.end(), [](char c) { return hex_value(c) >= 0; }) && distinct_bytes(text) >= 6;
}

bool is_base64_of_32(std::string_view text) {
  const auto decoded = decode_base64(text);
  return decoded && decoded->size() == 32 && distinct_bytes(*decoded) >= 8;
}

bool is_base64_of_64(std::string_view text) {
  const auto decoded = decode_base64(text);
  return decoded && decoded->size() == 64 && distinct_bytes(*decoded) >= 16;
}

bool is_no_placeholder(std::string_view secret) {
  // Words that are passwords in manuals and in everybody's development set-up. Whole: what merely contains one may be
  // real, and the guest could add one.
  static constexpr std::string_view words[] = {
      "",          "abc123",       "admin",       "apikey",   "api",       "bar",       "changeit", "changeme",
      "default",   "demo",         "dummy",       "empty",    "example",   "false",     "foo",      "foobar",
      "guest",     "hunter2",      "key",         "letmein",  "localhost", "mypass",    "mysecret", "mypassword",
      "mysql",     "none",         "null",        "p4ssw0rd", "pass",      "passw0rd",  "passwd",   "password",
      "password1", "password123",  "placeholder", "postgres", "pw",        "pwd",       "qwerty",   "redacted",
      "redis",     "root",         "s3cret",      "sample",   "secret",    "secretkey", "string",   "test",
      "testpass",  "testpassword", "testing",     "token",    "true",      "undefined", "user",     "username",
  };
  const auto is_filler = [](char c) { return std::string_view("xX*.-_#?0").find(c) != std::string_view::npos; };
  if (std::all_of(secret.begin(), secret.end(), is_filler)) return false;
  const auto wrapped = [&](std::string_view open, std::string_view close) {
    return secret.size() >= open.size() + close.size() && secret.substr(0, open.size()) == open &&
           secret.substr(secret.size() - close.size()) == close;
  };
  if (wrapped("${", "}") || wrapped("$(", ")") || wrapped("<", ">") || wrapped("{", "}") || wrapped("[", "]") ||
      wrapped("%", "%") || wrapped("%(", ")s") || secret == "%s") {
    return false;
  }
  const auto is_name = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  if (secret[0] == '$' && std::all_of(secret.begin() + 1, secret.end(), is_name)) return false;  // $DB_PASSWORD
  const std::string word = folded(secret);
  const bool letters = std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (letters && word.compare(0, 4, "your") == 0) return false;  // your-api-key-here
  return std::find(std::begin(words), std::end(words), word) == std::end(words);
}

}  // namespace gatehouse::dlp
