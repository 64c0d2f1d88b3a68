#include "proxy/telemetry/content_hash.h"

#include <openssl/rand.h>

#include <array>

namespace gatehouse::proxy {

Result<ContentHashKey> ContentHashKey::create() {
  ContentHashKey key;
  key.bytes_.resize(32);
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.bytes_.data()), static_cast<int>(key.bytes_.size())) != 1) {
    return fail("no randomness for a key");
  }
  return key;
}

ContentHash::ContentHash(const ContentHashKey& key) : context_(EVP_MD_CTX_new()) {
  if (context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) context_.reset();
  if (context_) EVP_DigestUpdate(context_.get(), key.bytes_.data(), key.bytes_.size());
}

void ContentHash::add(std::string_view bytes) {
  size_ += bytes.size();
  if (context_) EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

std::string ContentHash::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  if (!context_ || EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1) return {};
  std::string hex;
  for (size_t i = 0; i < 8; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace gatehouse::proxy
