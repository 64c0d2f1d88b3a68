#include "dlp/validator_keys.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "dlp/validator_text.h"

namespace gatehouse::dlp {
namespace {

constexpr std::string_view kBase58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::string_view kBech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr size_t kMaxBase58 = 128;  // an extended private key has 111; the work grows with the square
constexpr size_t kMaxBech32 = 256;
constexpr size_t kChecksumBytes = 4;

// Order of secp256k1's group, big endian.
constexpr std::array<uint8_t, 32> kGroupOrder = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
};

std::optional<std::vector<uint8_t>> decode_base58(std::string_view text) {
  if (text.empty() || text.size() > kMaxBase58) return std::nullopt;
  std::vector<uint8_t> number;  // little endian
  for (const char c : text) {
    const size_t digit = kBase58.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    auto carry = static_cast<uint32_t>(digit);
    for (uint8_t& byte : number) {
      carry += byte * 58u;
      byte = static_cast<uint8_t>(carry);
      carry >>= 8;
    }
    if (carry > 0) number.push_back(static_cast<uint8_t>(carry));
  }
  for (size_t i = 0; i < text.size() && text[i] == '1'; ++i) number.push_back(0);
  std::reverse(number.begin(), number.end());
  return number;
}

// What the checksum covers; nothing when it does not hold.
std::optional<std::vector<uint8_t>> decode_base58check(std::string_view text) {
  auto bytes = decode_base58(text);
  if (!bytes || bytes->size() <= kChecksumBytes) return std::nullopt;
  const size_t size = bytes->size() - kChecksumBytes;
  std::array<uint8_t, SHA256_DIGEST_LENGTH> once{};
  std::array<uint8_t, SHA256_DIGEST_LENGTH> twice{};
  SHA256(bytes->data(), size, once.data());
  SHA256(once.data(), once.size(), twice.data());
  if (std::memcmp(twice.data(), bytes->data() + size, kChecksumBytes) != 0) return std::nullopt;
  bytes->resize(size);
  return bytes;
}

// BIP 173's checksum over 5-bit values.
uint32_t polymod(const std::vector<uint8_t>& values) {
  static constexpr uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  uint32_t checksum = 1;
  for (const uint8_t value : values) {
    const uint32_t top = checksum >> 25;
    checksum = (checksum & 0x1ffffff) << 5 ^ value;
    for (int i = 0; i < 5; ++i) checksum ^= (top >> i & 1) != 0 ? generator[i] : 0;
  }
  return checksum;
}

}  // namespace

bool is_base58check(std::string_view text) { return decode_base58check(text).has_value(); }

bool is_bitcoin_wif(std::string_view text) {
  const auto key = decode_base58check(text);
  if (!key || ((*key)[0] != 0x80 && (*key)[0] != 0xef)) return false;
  return key->size() == 33 || (key->size() == 34 && key->back() == 0x01);
}

bool is_secp256k1_scalar(std::string_view text) {
  if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X") text.remove_prefix(2);
  if (text.size() != 64 || distinct_bytes(text) < 6) return false;
  std::array<uint8_t, 32> key{};
  for (size_t i = 0; i < key.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    key[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return key < kGroupOrder;  // and not 0: that has one digit only
}

bool is_bech32(std::string_view text) {
  constexpr uint32_t kBech32Constant = 1;
  constexpr uint32_t kBech32mConstant = 0x2bc830a3;
  if (text.size() > kMaxBech32) return false;
  std::string lower;
  bool upper_seen = false;
  bool lower_seen = false;
  for (const char c : text) {
    upper_seen |= c >= 'A' && c <= 'Z';
    lower_seen |= c >= 'a' && c <= 'z';
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  const size_t one = lower.rfind('1');
  if ((upper_seen && lower_seen) || one == std::string::npos || one == 0 || lower.size() - one < 7) return false;
  std::vector<uint8_t> values;
  for (size_t i = 0; i < one; ++i) values.push_back(static_cast<uint8_t>(lower[i]) >> 5);
  values.push_back(0);
  for (size_t i = 0; i < one; ++i) values.push_back(static_cast<uint8_t>(lower[i]) & 31);
  for (const char c : lower.substr(one + 1)) {
    const size_t value = kBech32.find(c);
    if (value == std::string_view::npos) return false;
    values.push_back(static_cast<uint8_t>(value));
  }
  const uint32_t checksum = polymod(values);
  return checksum == kBech32Constant || checksum == kBech32mConstant;
}

}  // namespace gatehouse::dlp
