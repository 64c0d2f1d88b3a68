// The private addresses that stand for names. A name keeps its address for as long as anybody uses it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/result.h"
#include "dns/keyed_hash.h"
#include "dns/time.h"

namespace gatehouse::dns {

// Names a session may hold at once. An agent at work asks for some hundreds; what asks for more is making them up.
inline constexpr size_t kMaxPoolNames = 16384;

// How long a name keeps its address after the address was last told to somebody or asked back for. Twice the TTL of
// what was told. The proxy asks back for every connection that begins, and then every 30 s for as long as it lives
// (proxy/name_lookup.h), so that an address with a live connection is never another name's.
inline constexpr std::chrono::seconds kLease{120};

// 198.18.0.0/15 (RFC 2544: never routed on the Internet) without the .0 and .255 of each /24, which some stacks take
// for network and broadcast addresses. Addresses are taken in order, first 198.18.0.1; once there are as many names as
// there may be, a new name gets the address of the one that has been used the longest ago, if its lease is over.
class Pool {
 public:
  // `most_names` is for tests of a full pool; it may not exceed the addresses there are.
  explicit Pool(size_t most_names = kMaxPoolNames);

  // The address of `name`, and one for a new name; nothing when every address is held by a name with a lease. The
  // caller says give_out() or withdraw() for each address it took; until then it is nobody else's, and a new one is not
  // known to name_of(). `now` never goes back.
  std::optional<IpAddress> take(std::string_view name, Time now);

  // The answer with this address is committed: from now on the address leads back to its name.
  void give_out(const IpAddress& address);
  // The answer was not given.
  void withdraw(const IpAddress& address);

  // The address was told again, or asked back for: its lease begins anew. Nothing happens to one that is nobody's.
  void renew(const IpAddress& address, Time now);

  // The name behind an address, or null when it was never given out.
  const std::string* name_of(const IpAddress& address) const;

  // Takes and gives out what an earlier run of this session did, in the order in which it did: what came later is what
  // holds, since an address may have gone from one name to the next. An address outside the pool is an error.
  Result<void> restore(std::string_view name, const IpAddress& address, Time now);

  static bool contains(const IpAddress& address);  // 198.18.0.0/15 as a whole
  size_t names() const { return by_name_.size(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Slot {
    std::string name;  // empty: free
    bool given_out = false;
    uint32_t under_way = 0;                 // taken, and neither given out nor withdrawn as yet
    Time used{};                            // when its lease began
    uint32_t older = kNone, newer = kNone;  // neighbours in order of use
  };
  std::optional<uint32_t> slot_of(const IpAddress& address) const;  // nothing: not an address we would give out
  Slot* occupied(const IpAddress& address);                         // null: nobody's
  std::optional<uint32_t> room(Time now);
  void occupy(uint32_t slot, std::string_view name, Time now);
  void vacate(uint32_t slot);
  void touch(uint32_t slot, Time now);
  void link_newest(uint32_t slot);
  void unlink(uint32_t slot);

  size_t most_names_;
  uint32_t next_ = 0;  // the lowest slot that may be free
  std::vector<Slot> slots_;
  uint32_t oldest_ = kNone, newest_ = kNone;
  std::unordered_map<std::string, uint32_t, KeyedHash, std::equal_to<>> by_name_;
};

}  // namespace gatehouse::dns
