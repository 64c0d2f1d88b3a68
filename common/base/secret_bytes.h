// Secret values and keys in memory that is never swapped, never in a core dump, and wiped when let go of.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace gatehouse {

// Owns a fixed number of bytes on pages of their own: mlock(2), MADV_DONTDUMP, wiped before they are unmapped.
class SecretBytes {
 public:
  SecretBytes() = default;
  // A copy of `bytes`; the caller wipes its own. An error when the pages cannot be mapped. A process whose
  // RLIMIT_MEMLOCK forbids locking still gets its pages, out of core dumps and wiped: locked() tells.
  static Result<SecretBytes> copy_of(std::string_view bytes);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  ~SecretBytes();

  std::string_view view() const { return {data_, size_}; }
  bool empty() const { return size_ == 0; }
  bool locked() const { return locked_; }

 private:
  void release();

  char* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;
  bool locked_ = false;
};

}  // namespace gatehouse
