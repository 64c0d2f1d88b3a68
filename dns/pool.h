// The private addresses that stand for names. Each name has one address for the whole session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/result.h"
#include "dns/keyed_hash.h"

namespace gatehouse::dns {

// Names a session may hold at once. An agent at work asks for some hundreds; what asks for more is making them up.
inline constexpr size_t kMaxPoolNames = 16384;

// 198.18.0.0/15 (RFC 2544: never routed on the Internet) without the .0 and .255 of each /24, which some stacks take
// for network and broadcast addresses. Addresses are taken in order, first 198.18.0.1, and never taken back.
class Pool {
 public:
  // `most_names` is for tests of a full pool; it may not exceed the addresses there are.
  explicit Pool(size_t most_names = kMaxPoolNames);

  // The address of `name`, taking the next free one for a new name; nothing when the pool is full. What was taken is
  // not known to name_of() before it has been given out.
  std::optional<IpAddress> take(std::string_view name);

  // The answer with this address is committed: from now on the address leads back to its name.
  void give_out(const IpAddress& address);

  // The name behind an address, or null when it was never given out.
  const std::string* name_of(const IpAddress& address) const;

  // Takes and gives out what an earlier run of this session did. Saying the same twice is fine; an address outside the
  // pool, a second address for a name or a second name for an address is an error and changes nothing.
  Result<void> restore(std::string_view name, const IpAddress& address);

  static bool contains(const IpAddress& address);  // 198.18.0.0/15 as a whole
  size_t names() const { return by_name_.size(); }

 private:
  struct Slot {
    std::string name;  // empty: free
    bool given_out = false;
  };
  std::optional<size_t> slot_of(const IpAddress& address) const;  // nothing: not an address we would give out
  void occupy(size_t slot, std::string_view name);

  size_t most_names_;
  size_t next_ = 0;  // the lowest slot that may be free
  std::vector<Slot> slots_;
  std::unordered_map<std::string, size_t, KeyedHash, std::equal_to<>> by_name_;
};

}  // namespace gatehouse::dns
