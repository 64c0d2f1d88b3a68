#include "dlp/fingerprint.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cassert>

namespace gatehouse::dlp {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

}  // namespace

Result<Fingerprinter> Fingerprinter::with_key(std::string_view key) {
  if (key.empty()) return fail("a fingerprint needs a key");
  std::array<unsigned char, SHA256_CBLOCK> block{};
  if (key.size() <= block.size()) {
    std::copy(key.begin(), key.end(), block.begin());
  } else if (EVP_Digest(key.data(), key.size(), block.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    return fail("OpenSSL cannot hash a fingerprint key");
  }
  Fingerprinter fingerprint;
  bool ok = true;
  const auto start = [&](Context& context, unsigned char pad) {
    auto padded = block;
    for (auto& byte : padded) byte ^= pad;
    context.reset(EVP_MD_CTX_new());
    ok = ok && context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1 &&
         EVP_DigestUpdate(context.get(), padded.data(), padded.size()) == 1;
    OPENSSL_cleanse(padded.data(), padded.size());
  };
  start(fingerprint.inner_, 0x36);
  start(fingerprint.outer_, 0x5c);
  OPENSSL_cleanse(block.data(), block.size());
  fingerprint.work_.reset(EVP_MD_CTX_new());
  if (!ok || !fingerprint.work_) return fail("OpenSSL cannot start a SHA-256");
  return fingerprint;
}

Result<std::string> Fingerprinter::random_key() {
  std::string key(kFingerprintKeyBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) != 1) {
    return fail("no randomness for a fingerprint key");
  }
  return key;
}

std::string Fingerprinter::of(std::string_view secret) {
  Digest digest;
  EVP_MD_CTX* work = work_.get();
  // The contexts exist and the algorithm was fetched: nothing here depends on the world.
  [[maybe_unused]] const bool ok =
      EVP_MD_CTX_copy_ex(work, inner_.get()) == 1 && EVP_DigestUpdate(work, secret.data(), secret.size()) == 1 &&
      EVP_DigestFinal_ex(work, digest.data(), nullptr) == 1 && EVP_MD_CTX_copy_ex(work, outer_.get()) == 1 &&
      EVP_DigestUpdate(work, digest.data(), digest.size()) == 1 &&
      EVP_DigestFinal_ex(work, digest.data(), nullptr) == 1;
  assert(ok);
  std::string hex;
  for (size_t i = 0; i < 8; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace gatehouse::dlp
