#include "launcher/bridge/virtqueue.h"

#include <atomic>
#include <bit>
#include <cstring>

namespace gatehouse::bridge {

namespace {

constexpr uint16_t kNextFlag = 1;      // VIRTQ_DESC_F_NEXT
constexpr uint16_t kWriteFlag = 2;     // VIRTQ_DESC_F_WRITE
constexpr uint16_t kIndirectFlag = 4;  // VIRTQ_DESC_F_INDIRECT
constexpr uint16_t kNoInterrupt = 1;   // VIRTQ_AVAIL_F_NO_INTERRUPT
constexpr uint16_t kNoNotify = 1;      // VIRTQ_USED_F_NO_NOTIFY

// Alignments of the three parts (2.7).
constexpr size_t kDescriptorsAlignment = 16;
constexpr size_t kAvailableAlignment = 2;
constexpr size_t kUsedAlignment = 4;

// Within the available and the used ring: u16 flags, u16 index, then the entries, then the other side's event index.
constexpr size_t kIndexOffset = 2;
constexpr size_t kEntriesOffset = 4;
constexpr size_t kAvailableEntryBytes = 2;
constexpr size_t kUsedEntryBytes = 8;
constexpr size_t kEventBytes = 2;

struct UsedEntry {
  uint32_t head;
  uint32_t written;
};
static_assert(sizeof(UsedEntry) == kUsedEntryBytes);

uint16_t load(const char* guest, std::memory_order order) {
  return std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(const_cast<char*>(guest))).load(order);
}

void store(char* guest, uint16_t value, std::memory_order order) {
  std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(guest)).store(value, order);
}

char* find(const GuestMemory& memory, uint64_t address, size_t length, size_t alignment) {
  char* found = memory.at_user_address(address, length);
  if (reinterpret_cast<uintptr_t>(found) % alignment != 0) return nullptr;
  return found;
}

}  // namespace

struct Virtqueue::Descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

Result<void> Virtqueue::set_size(uint32_t size) {
  if (size == 0 || size > kMaxQueueSize || !std::has_single_bit(size)) {
    return fail("queue size {}, expected a power of two up to {}", size, kMaxQueueSize);
  }
  size_ = size;
  return {};
}

Result<void> Virtqueue::set_base(uint32_t base) {
  if (base > UINT16_MAX) return fail("ring base {} does not fit 16 bits", base);
  next_available_ = static_cast<uint16_t>(base);
  return {};
}

void Virtqueue::set_features(bool indirect, bool event_index) {
  indirect_ = indirect;
  event_index_ = event_index;
}

Result<void> Virtqueue::start(const GuestMemory& memory) {
  static_assert(sizeof(Descriptor) == 16);
  if (size_ == 0) return fail("the ring has no size yet");
  char* descriptors = find(memory, addresses_.descriptors, size_ * sizeof(Descriptor), kDescriptorsAlignment);
  char* available = find(memory, addresses_.available, kEntriesOffset + size_ * kAvailableEntryBytes + kEventBytes,
                         kAvailableAlignment);
  char* used = find(memory, addresses_.used, kEntriesOffset + size_ * kUsedEntryBytes + kEventBytes, kUsedAlignment);
  if (descriptors == nullptr || available == nullptr || used == nullptr) {
    return fail("the ring is misaligned or not in guest memory");
  }
  memory_ = &memory;
  descriptors_ = descriptors;
  available_ = available;
  used_ = used;
  // The base tells what was taken; every chain taken has been returned, so the used index stands where it does.
  available_index_ = next_available_;
  next_used_ = published_ = load(used_ + kIndexOffset, std::memory_order_relaxed);
  return {};
}

uint16_t Virtqueue::stop() {
  memory_ = nullptr;
  descriptors_ = available_ = used_ = nullptr;
  return next_available_;
}

// How many chains the driver has added that were not taken yet. It cannot have added more than the ring holds.
Result<uint16_t> Virtqueue::waiting() {
  if (available_index_ == next_available_)
    available_index_ = load(available_ + kIndexOffset, std::memory_order_acquire);
  const auto count = static_cast<uint16_t>(available_index_ - next_available_);
  if (count > size_) return fail("available index {} is {} ahead in a ring of {}", available_index_, count, size_);
  return count;
}

Result<bool> Virtqueue::pop(Chain& chain) {
  chain.buffers.clear();
  chain.bytes = 0;
  const auto count = waiting();
  if (!count) return failed(count);
  if (*count == 0) return false;
  const size_t slot = next_available_ & (size_ - 1);
  chain.head = load(available_ + kEntriesOffset + slot * kAvailableEntryBytes, std::memory_order_relaxed);
  if (auto ok = follow(descriptors_, size_, chain.head, false, chain); !ok) return failed(ok);
  ++next_available_;
  return true;
}

Result<void> Virtqueue::follow(const char* table, uint32_t size, uint16_t first, bool inside_indirect, Chain& chain) {
  uint32_t index = first;
  for (uint32_t visited = 0;; ++visited) {
    if (index >= size) return fail("descriptor {} of {} does not exist", index, size);
    if (visited == size) return fail("a chain of descriptors loops");
    Descriptor descriptor;
    copy_from_guest(&descriptor, table + index * sizeof descriptor, sizeof descriptor);
    if ((descriptor.flags & kIndirectFlag) != 0) {
      if (!indirect_) return fail("an indirect descriptor was not negotiated");
      if (inside_indirect) return fail("an indirect table within an indirect table");
      if ((descriptor.flags & kNextFlag) != 0) return fail("an indirect descriptor with a next one");
      const uint32_t entries = descriptor.length / sizeof descriptor;
      if (descriptor.length % sizeof descriptor != 0 || entries == 0 || entries > kMaxChainDescriptors) {
        return fail("an indirect table of {} bytes", descriptor.length);
      }
      const char* inner = memory_->at_guest_address(descriptor.address, descriptor.length);
      if (inner == nullptr) return fail("an indirect table at {:#x} is not in guest memory", descriptor.address);
      return follow(inner, entries, 0, true, chain);
    }
    if (auto ok = add_buffer(descriptor, chain); !ok) return ok;
    if ((descriptor.flags & kNextFlag) == 0) return {};
    index = descriptor.next;
  }
}

Result<void> Virtqueue::add_buffer(const Descriptor& descriptor, Chain& chain) {
  const bool to_guest = (descriptor.flags & kWriteFlag) != 0;
  if (to_guest != (direction_ == Buffers::to_guest)) {
    return fail("a buffer {} in the {} queue", to_guest ? "to be written" : "to be read",
                direction_ == Buffers::to_guest ? "receive" : "transmit");
  }
  char* bytes = memory_->at_guest_address(descriptor.address, descriptor.length);
  if (bytes == nullptr) {
    return fail("a buffer of {} bytes at {:#x} is not in guest memory", descriptor.length, descriptor.address);
  }
  if (descriptor.length == 0) return {};
  if (chain.buffers.size() == kMaxChainDescriptors)
    return fail("a chain of more than {} buffers", kMaxChainDescriptors);
  chain.buffers.push_back({bytes, descriptor.length});
  chain.bytes += descriptor.length;
  return {};
}

void Virtqueue::push(uint16_t head, uint32_t written) {
  const UsedEntry entry{head, written};
  std::memcpy(used_ + kEntriesOffset + (next_used_ & (size_ - 1)) * kUsedEntryBytes, &entry, sizeof entry);
  ++next_used_;
}

bool Virtqueue::publish() {
  if (next_used_ == published_) return false;
  const uint16_t before = published_;
  published_ = next_used_;
  store(used_ + kIndexOffset, next_used_, std::memory_order_release);
  // The driver writes its wish, then looks at the index; we write the index, then look at its wish (2.7.10).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!event_index_) return (load(available_, std::memory_order_relaxed) & kNoInterrupt) == 0;
  const uint16_t event = load(available_ + kEntriesOffset + size_ * kAvailableEntryBytes, std::memory_order_relaxed);
  // Was the entry it waits for among those published just now? In 16-bit arithmetic, as all ring indices.
  return static_cast<uint16_t>(next_used_ - event - 1) < static_cast<uint16_t>(next_used_ - before);
}

bool Virtqueue::ask_for_kick() {
  if (event_index_) {
    store(used_ + kEntriesOffset + size_ * kUsedEntryBytes, next_available_, std::memory_order_relaxed);
  } else {
    store(used_, 0, std::memory_order_relaxed);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return load(available_ + kIndexOffset, std::memory_order_acquire) != next_available_;
}

void Virtqueue::decline_kicks() {
  // With event indices the last one asked for has passed, which says the same.
  if (!event_index_) store(used_, kNoNotify, std::memory_order_relaxed);
}

}  // namespace gatehouse::bridge
