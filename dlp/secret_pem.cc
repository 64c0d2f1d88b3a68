#include "dlp/secret_pem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

namespace gatehouse::dlp {
namespace {

constexpr size_t kWindowBytes = 12;   // of a key that occurs in its public half, or twice, is public
constexpr size_t kMaxHeadBytes = 36;  // version, algorithm, lengths
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";

int digit64(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

// The public key that belongs to this private one (PKCS #8, PKCS #1, SEC 1) as a SubjectPublicKeyInfo.
std::string public_half(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())), EVP_PKEY_free);
  if (!key) return {};
  unsigned char* out = nullptr;
  const int size = i2d_PUBKEY(key.get(), &out);
  if (size <= 0) return {};
  std::string info(reinterpret_cast<const char*>(out), static_cast<size_t>(size));
  OPENSSL_free(out);
  return info;
}

// Marks every byte of `der` that lies in a window which also occurs in `known`, or earlier or later in `der` itself:
// OpenSSH's format holds the public key twice.
std::vector<bool> public_bytes(const std::string& der, const std::string& known) {
  std::vector<bool> open(der.size(), false);
  std::unordered_multiset<std::string_view> windows;
  const auto gather = [&](std::string_view text) {
    for (size_t i = 0; i + kWindowBytes <= text.size(); ++i) windows.insert(text.substr(i, kWindowBytes));
  };
  gather(der);
  gather(known);
  for (size_t i = 0; i + kWindowBytes <= der.size(); ++i) {
    if (windows.count(std::string_view(der).substr(i, kWindowBytes)) < 2) continue;
    std::fill_n(open.begin() + static_cast<ptrdiff_t>(i), kWindowBytes, true);
  }
  const size_t head = der.size() <= 64 ? der.size() / 3 : std::min(kMaxHeadBytes, der.size() / 8);
  std::fill_n(open.begin(), head, true);
  return open;
}

PemKey read_key(std::string_view armoured) {
  PemKey key;
  for (const char c : armoured) {
    if (digit64(c) >= 0) key.body.push_back(c);
  }
  const std::string der = from_base64(key.body).value_or("");
  const auto open = public_bytes(der, public_half(der));
  key.counts.resize(key.body.size(), true);
  for (size_t i = 0; i < key.body.size(); ++i) {
    // The six bits of character i lie in bytes i * 6 / 8 and perhaps the next.
    const size_t byte = i * 6 / 8;
    if (byte < open.size()) key.counts[i] = !open[byte];
  }
  return key;
}

}  // namespace

std::optional<std::string> from_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int digit = digit64(c);
    if (digit < 0) return {};
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<char>(bits >> held & 0xff));
  }
  return bytes;
}

std::vector<PemKey> private_keys(std::string_view original) {
  std::vector<PemKey> keys;
  if (original.find(kBegin) == original.npos) return keys;
  // In one line of an environment file: line breaks as \\n.
  std::string text(original);
  for (size_t at = 0; (at = text.find("\\n", at)) != text.npos;) text.replace(at, 2, "\n");
  for (size_t at = 0; (at = text.find(kBegin, at)) != text.npos;) {
    const size_t label = at + kBegin.size();
    const size_t body = text.find("-----", label);
    if (body == text.npos) break;
    const size_t end = std::min(text.find(kEnd, body + 5), text.size());
    if (std::string_view(text).substr(label, body - label).find("PRIVATE KEY") != text.npos) {
      std::string_view armoured = std::string_view(text).substr(body + 5, end - body - 5);
      // RFC 1421 headers ("Proc-Type: 4,ENCRYPTED") and PGP's ("Version: ...") end at an empty line.
      const size_t blank = std::min(armoured.find("\n\n"), armoured.find("\r\n\r\n"));
      if (blank != armoured.npos && armoured.substr(0, blank).find(": ") != armoured.npos) {
        armoured.remove_prefix(blank);
      }
      PemKey key = read_key(armoured);
      if (key.body.size() >= kWindowBytes) keys.push_back(std::move(key));
    }
    at = end;
  }
  return keys;
}

}  // namespace gatehouse::dlp
