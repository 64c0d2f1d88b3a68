// How much is remembered of one push, over everything that remembers: whatever the pack is like, the gate stays small.
// What there is no room for counts as unknown, and so as unproved.
#pragma once

#include <cstddef>

namespace gatehouse::git_gate {

inline constexpr size_t kMaxRememberedBytes = 80 << 20;
inline constexpr size_t kTableEntryBytes = 64;  // of a table besides what it holds: node, bucket, allocation

class Room {
 public:
  explicit Room(size_t bytes = kMaxRememberedBytes) : left_(bytes) {}
  // False once there is nothing left.
  bool take(size_t bytes) {
    left_ = bytes < left_ ? left_ - bytes : 0;
    return left_ > 0;
  }

 private:
  size_t left_;
};

}  // namespace gatehouse::git_gate
