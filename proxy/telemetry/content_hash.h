// A keyed hash of what may hold a secret, so that the same arguments can be recognised and none be learnt.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::proxy {

class ContentHashKey {
 public:
  // From the kernel; of this process alone.
  static Result<ContentHashKey> create();

 private:
  friend class ContentHash;
  std::string bytes_;
};

// SHA-256 over key and content, cut to 64 bits: too little is shown of it to go on from. The key outlives it.
class ContentHash {
 public:
  explicit ContentHash(const ContentHashKey& key);
  void add(std::string_view bytes);
  uint64_t size() const { return size_; }
  // 16 hex digits, once.
  std::string finish();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
  uint64_t size_ = 0;
};

}  // namespace gatehouse::proxy
