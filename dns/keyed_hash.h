// SipHash-2-4 (Aumasson and Bernstein, 2012) for tables whose keys the guest chooses: without the secret it cannot make
// names that collide.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gatehouse::dns {

class KeyedHash {
 public:
  using is_transparent = void;
  using Key = std::array<uint64_t, 2>;

  KeyedHash();  // with a fresh random key
  explicit KeyedHash(Key key) : key_(key) {}

  size_t operator()(std::string_view bytes) const;

 private:
  Key key_;
};

}  // namespace gatehouse::dns
