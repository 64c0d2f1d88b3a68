#include "dns/pool.h"

#include <cassert>

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

IpAddress address_of(size_t slot) {
  const auto value = kFirst + static_cast<uint32_t>(slot / kPerBlock * 256 + slot % kPerBlock + 1);
  return IpAddress::v4({static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
                        static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)});
}

}  // namespace

Pool::Pool(size_t most_names) : most_names_(most_names) { assert(most_names <= kAddresses); }

bool Pool::contains(const IpAddress& address) {
  return address.is_v4() && (number(address) >> kHostBits) == (kFirst >> kHostBits);
}

std::optional<size_t> Pool::slot_of(const IpAddress& address) const {
  if (!contains(address)) return std::nullopt;
  const uint32_t offset = number(address) - kFirst;
  const uint32_t host = offset % 256;
  if (host == 0 || host == 255) return std::nullopt;
  return offset / 256 * kPerBlock + host - 1;
}

void Pool::occupy(size_t slot, std::string_view name) {
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  slots_[slot].name = name;
  by_name_.emplace(name, slot);
}

std::optional<IpAddress> Pool::take(std::string_view name) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) return address_of(found->second);
  if (by_name_.size() >= most_names_) return std::nullopt;
  while (next_ < slots_.size() && !slots_[next_].name.empty()) ++next_;
  occupy(next_, name);
  return address_of(next_);
}

void Pool::give_out(const IpAddress& address) {
  const auto slot = slot_of(address);
  assert(slot && *slot < slots_.size() && !slots_[*slot].name.empty());
  slots_[*slot].given_out = true;
}

const std::string* Pool::name_of(const IpAddress& address) const {
  const auto slot = slot_of(address);
  if (!slot || *slot >= slots_.size() || !slots_[*slot].given_out) return nullptr;
  return &slots_[*slot].name;
}

Result<void> Pool::restore(std::string_view name, const IpAddress& address) {
  const auto slot = slot_of(address);
  if (!slot) return fail("{} is not an address of the pool", address.to_string());
  const bool taken = *slot < slots_.size() && !slots_[*slot].name.empty();
  if (taken && slots_[*slot].name != name) {
    return fail("{} was given to both {} and {}", address.to_string(), slots_[*slot].name, name);
  }
  if (const auto found = by_name_.find(name); found != by_name_.end() && found->second != *slot) {
    return fail("{} was given both {} and {}", name, address_of(found->second).to_string(), address.to_string());
  }
  if (!taken && by_name_.size() >= most_names_) return fail("more than {} names", most_names_);
  if (!taken) occupy(*slot, name);
  slots_[*slot].given_out = true;
  return {};
}

}  // namespace gatehouse::dns
