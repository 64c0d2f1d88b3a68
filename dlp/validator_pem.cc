// PEM (RFC 7468, RFC 1421) and OpenPGP armour (RFC 9580), as they come out of files, JSON strings and source code.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "dlp/validator_text.h"
#include "dlp/validator_tokens.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kShortestDer = 16;        // an Ed25519 key in PKCS #8 has 48 bytes
constexpr size_t kLongestDer = 16 * 1024;  // an RSA key of 16384 bits has about 9400

// What stands for a line break: the break itself, or its escape in a string.
size_t line_break_at(std::string_view text, size_t at) {
  if (text[at] == '\r' || text[at] == '\n') return 1;
  const std::string_view two = text.substr(at, 2);
  return two == "\\n" || two == "\\r" ? 2 : 0;
}

// The lines after the one that begins the block, up to the one that ends it or to the end of the text; `ended` says
// which.
struct Body {
  std::string base64;
  bool ended = false;
};

Body body_of(std::string_view text) {
  Body body;
  size_t at = text.find("-----", 5);
  at = at == std::string_view::npos ? text.size() : at + 5;
  std::string line;
  const auto finish = [&] {
    // "Proc-Type: 4,ENCRYPTED" and the like are headers; "=abcd" is armour's checksum.
    if (line.find(':') == std::string::npos && (line.empty() || line[0] != '=')) body.base64 += line;
    line.clear();
  };
  while (at < text.size()) {
    if (text.substr(at, 5) == "-----") {
      body.ended = true;
      break;
    }
    if (const size_t broken = line_break_at(text, at)) {
      finish();
      at += broken;
      continue;
    }
    const char c = text[at++];
    if (line.empty() && (c == ' ' || c == '\t' || c == '"' || c == '\'' || c == '+' || c == ',')) continue;
    line += c;
  }
  finish();
  return body;
}

// A DER SEQUENCE whose length fits: all that is there when the block is whole, no less than what is there when cut.
bool is_der_sequence(std::string_view bytes, bool whole) {
  if (bytes.size() < 4 || bytes[0] != 0x30) return false;
  const auto at = [&](size_t index) { return static_cast<size_t>(static_cast<uint8_t>(bytes[index])); };
  size_t length = at(1);
  size_t header = 2;
  if (length == 0x81) {
    length = at(2);
    header = 3;
  } else if (length == 0x82) {
    length = at(2) << 8 | at(3);
    header = 4;
  } else if (length >= 0x80) {
    return false;
  }
  length += header;
  if (length < kShortestDer || length > kLongestDer) return false;
  return whole ? length == bytes.size() : length >= bytes.size();
}

}  // namespace

bool is_pem(std::string_view text) {
  if (text.substr(0, 10) != "-----BEGIN") return false;
  Body body = body_of(text);
  const auto last = body.base64.find_last_not_of("=\"', ;\\");
  if (last == std::string::npos) return false;
  body.base64.erase(last + 1);
  // An encrypted block's content is random; its headers said so, and that it is base64 is all there is to see.
  const bool encrypted =
      text.find("ENCRYPTED") != std::string_view::npos && text.find("DEK-Info") != std::string_view::npos;
  if (!body.ended) body.base64.resize(body.base64.size() / 4 * 4);
  const auto bytes = decode_base64(body.base64);
  if (!bytes || bytes->size() < 12) return false;
  if (encrypted) return bytes->size() >= kShortestDer && distinct_bytes(*bytes) >= 8;
  if (bytes->compare(0, 14, "openssh-key-v1") == 0) return true;
  // OpenPGP: a secret key packet's tag, in the old (0x94..0x97) or the new format (0xc5).
  const auto first = static_cast<uint8_t>(bytes->front());
  if (text.find("PGP") < 32) return (first >= 0x94 && first <= 0x97) || first == 0xc5;
  return is_der_sequence(*bytes, body.ended);
}

}  // namespace gatehouse::dlp
