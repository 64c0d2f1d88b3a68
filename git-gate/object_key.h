// Names of objects as keys of tables: raw bytes, in place.
#pragma once

#include <array>
#include <cassert>
#include <cstring>
#include <string>
#include <string_view>

#include "common/git/object_id.h"

namespace gatehouse::git_gate {

struct ObjectKey {
  std::array<char, 32> bytes{};  // the shorter form is filled up with zeros
  bool operator==(const ObjectKey&) const = default;

  static ObjectKey of_raw(std::string_view raw) {
    assert(raw.size() <= 32);
    ObjectKey key;
    std::memcpy(key.bytes.data(), raw.data(), raw.size());
    return key;
  }
  // Of lower-case hex digits.
  static ObjectKey of_hex(std::string_view hex) {
    assert(hex.size() <= 64);
    const auto digit = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
    ObjectKey key;
    for (size_t i = 0; i + 1 < hex.size(); i += 2)
      key.bytes[i / 2] = static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
    return key;
  }
  std::string hex(git::ObjectFormat format) const {
    return git::to_hex(std::string_view(bytes.data(), git::raw_length(format)));
  }
};

// The bytes of a hash are as good a hash as any; whoever chooses them pays for it in SHA-1.
struct ObjectKeyHash {
  size_t operator()(const ObjectKey& key) const {
    size_t value = 0;
    std::memcpy(&value, key.bytes.data(), sizeof value);
    return value;
  }
};

}  // namespace gatehouse::git_gate
