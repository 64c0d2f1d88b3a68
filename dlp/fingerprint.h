// What is shown of a secret in its stead: a keyed hash, so that one secret can be recognised throughout a session and
// nothing be learnt of it, not even by trying values, without the session's key.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::dlp {

inline constexpr size_t kFingerprintKeyBytes = 32;

// HMAC-SHA-256 (RFC 2104) under one key. For one thread; each makes its own from the same key.
class Fingerprinter {
 public:
  // The key may be longer than a hash block (64 bytes); an empty one is an error.
  static Result<Fingerprinter> with_key(std::string_view key);
  // kFingerprintKeyBytes from the kernel.
  static Result<std::string> random_key();

  // The first 16 hex digits, lower case.
  std::string of(std::string_view secret);

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_MD_CTX, Free>;

  Fingerprinter() = default;

  Context inner_, outer_;  // with the padded key already hashed
  Context work_;
};

}  // namespace gatehouse::dlp
