// What vendors put into their tokens, and what standards put into theirs.
#pragma once

#include <string_view>

namespace gatehouse::dlp {

// GitHub's classic tokens and npm's: after the last '_' 30 letters and digits, then the CRC-32 of those 30 as six
// base62 digits ("0-9A-Za-z", most significant first).
bool is_github_crc32(std::string_view token);
// RFC 7519 in compact form, whole or cut off behind its first part: that is a base64url JSON object with a string
// "alg".
bool is_jwt(std::string_view token);
// AKIA, ASIA, ABIA or ACCA and 16 base32 digits that hold an account number of at most 12 digits, as all ids issued
// since 2019 do.
bool is_aws_access_key(std::string_view key);
// RFC 9562: version 1 to 8, variant 10.
bool is_uuid(std::string_view text);
// RFC 7617: base64 of printable "user:password".
bool is_basic_auth(std::string_view credentials);
// From "-----BEGIN" on, whole or cut off in the body: the body is base64 (line breaks may be escaped) of a DER sequence
// of believable length, of "openssh-key-v1", or of an OpenPGP packet.
bool is_pem(std::string_view text);
// First part: the base64 of a snowflake, 17 to 20 digits.
bool is_discord_token(std::string_view token);
// An even number of hex digits, 32 to 128 of them and at least 6 different ones.
bool is_hex_key(std::string_view text);
// Base64 of exactly 32 (WireGuard) and 64 bytes (Azure storage), padded or not.
bool is_base64_of_32(std::string_view text);
bool is_base64_of_64(std::string_view text);
// Something somebody chose: not a variable to be filled in ("${PASS}", "<password>", "****"), not the words that stand
// in every manual ("changeme", "your-password", "postgres").
bool is_no_placeholder(std::string_view secret);

}  // namespace gatehouse::dlp
