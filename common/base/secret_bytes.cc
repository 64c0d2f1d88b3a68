#include "common/base/secret_bytes.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace gatehouse {

Result<SecretBytes> SecretBytes::copy_of(std::string_view bytes) {
  SecretBytes secret;
  if (bytes.empty()) return secret;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t mapped = (bytes.size() + page - 1) / page * page;
  void* pages = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return fail_errno("cannot map {} bytes for a secret", mapped);
  secret.data_ = static_cast<char*>(pages);
  secret.size_ = bytes.size();
  secret.mapped_ = mapped;
  secret.locked_ = ::mlock(pages, mapped) == 0;
  if (::madvise(pages, mapped, MADV_DONTDUMP) != 0) return fail_errno("cannot keep a secret out of core dumps");
  std::memcpy(pages, bytes.data(), bytes.size());
  return secret;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept { *this = std::move(other); }

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_ = std::exchange(other.mapped_, 0);
  locked_ = std::exchange(other.locked_, false);
  return *this;
}

SecretBytes::~SecretBytes() { release(); }

void SecretBytes::release() {
  if (data_ == nullptr) return;
  OPENSSL_cleanse(data_, mapped_);
  ::munmap(data_, mapped_);  // unlocks as well
  data_ = nullptr;
}

}  // namespace gatehouse
