#include "dns/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace gatehouse::dns {

namespace {

constexpr uint32_t kFirst = 198U << 24 | 18U << 16;
constexpr int kHostBits = 17;
constexpr size_t kPerBlock = 254;  // of each /24: .1 to .254
constexpr size_t kAddresses = (size_t{1} << (kHostBits - 8)) * kPerBlock;
static_assert(kMaxPoolNames <= kAddresses);

uint32_t number(const IpAddress& address) {
  uint32_t value = 0;
  for (const char octet : address.octets()) value = value << 8 | static_cast<uint8_t>(octet);
  return value;
}

IpAddress address_of(uint32_t slot) {
  const auto value = kFirst + static_cast<uint32_t>(slot / kPerBlock * 256 + slot % kPerBlock + 1);
  return IpAddress::v4({static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
                        static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)});
}

}  // namespace

Pool::Pool(size_t most_names) : most_names_(most_names) { assert(most_names <= kAddresses); }

bool Pool::contains(const IpAddress& address) {
  return address.is_v4() && (number(address) >> kHostBits) == (kFirst >> kHostBits);
}

std::optional<uint32_t> Pool::slot_of(const IpAddress& address) const {
  if (!contains(address)) return std::nullopt;
  const uint32_t offset = number(address) - kFirst;
  const uint32_t host = offset % 256;
  if (host == 0 || host == 255) return std::nullopt;
  return static_cast<uint32_t>(offset / 256 * kPerBlock + host - 1);
}

Pool::Slot* Pool::occupied(const IpAddress& address) {
  const auto slot = slot_of(address);
  if (!slot || *slot >= slots_.size() || slots_[*slot].name.empty()) return nullptr;
  return &slots_[*slot];
}

void Pool::link_newest(uint32_t slot) {
  slots_[slot].older = newest_;
  slots_[slot].newer = kNone;
  (newest_ == kNone ? oldest_ : slots_[newest_].newer) = slot;
  newest_ = slot;
}

void Pool::unlink(uint32_t slot) {
  const auto [older, newer] = std::pair(slots_[slot].older, slots_[slot].newer);
  (older == kNone ? oldest_ : slots_[older].newer) = newer;
  (newer == kNone ? newest_ : slots_[newer].older) = older;
}

void Pool::touch(uint32_t slot, Time now) {
  slots_[slot].used = now;
  if (slot == newest_) return;
  unlink(slot);
  link_newest(slot);
}

void Pool::occupy(uint32_t slot, std::string_view name, Time now) {
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  slots_[slot].name = name;
  slots_[slot].used = now;
  link_newest(slot);
  by_name_.emplace(name, slot);
}

void Pool::vacate(uint32_t slot) {
  unlink(slot);
  by_name_.erase(slots_[slot].name);
  slots_[slot] = {};
  next_ = std::min(next_, slot);
}

// A free slot, if need be that of the name that has been used the longest ago.
std::optional<uint32_t> Pool::room(Time now) {
  if (by_name_.size() >= most_names_) {
    if (oldest_ == kNone) return std::nullopt;
    const auto& oldest = slots_[oldest_];
    if (oldest.under_way > 0 || now - oldest.used < kLease) return std::nullopt;
    vacate(oldest_);
  }
  while (next_ < slots_.size() && !slots_[next_].name.empty()) ++next_;
  return next_;
}

std::optional<IpAddress> Pool::take(std::string_view name, Time now) {
  const auto found = by_name_.find(name);
  uint32_t slot;
  if (found != by_name_.end()) {
    slot = found->second;
    touch(slot, now);
  } else {
    const auto free = room(now);
    if (!free) return std::nullopt;
    slot = *free;
    occupy(slot, name, now);
  }
  ++slots_[slot].under_way;
  return address_of(slot);
}

void Pool::give_out(const IpAddress& address) {
  withdraw(address);
  occupied(address)->given_out = true;
}

void Pool::withdraw(const IpAddress& address) {
  Slot* slot = occupied(address);
  assert(slot != nullptr && slot->under_way > 0);
  --slot->under_way;
}

void Pool::renew(const IpAddress& address, Time now) {
  if (occupied(address) != nullptr) touch(*slot_of(address), now);
}

const std::string* Pool::name_of(const IpAddress& address) const {
  const auto slot = slot_of(address);
  if (!slot || *slot >= slots_.size() || !slots_[*slot].given_out) return nullptr;
  return &slots_[*slot].name;
}

Result<void> Pool::restore(std::string_view name, const IpAddress& address, Time now) {
  const auto slot = slot_of(address);
  if (!slot) return fail("{} is not an address of the pool", address.to_string());
  const Slot* holder = occupied(address);
  if (holder != nullptr && holder->name == name) {
    touch(*slot, now);
    return {};
  }
  if (holder != nullptr) vacate(*slot);
  if (const auto found = by_name_.find(name); found != by_name_.end()) vacate(found->second);
  if (by_name_.size() >= most_names_) return fail("more than {} names", most_names_);
  occupy(*slot, name, now);
  slots_[*slot].given_out = true;
  return {};
}

}  // namespace gatehouse::dns
