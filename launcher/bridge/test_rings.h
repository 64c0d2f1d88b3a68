// For tests: guest memory and the driver's side of a virtqueue, as an honest driver would run it, with every byte open
// to be made dishonest.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "common/base/fd.h"
#include "launcher/bridge/guest_memory.h"
#include "launcher/bridge/virtqueue.h"

namespace gatehouse::bridge::test {

// A memfd that stands for the guest's memory; addresses are handed out from its start and never taken back.
class GuestRam {
 public:
  static constexpr uint64_t kPhysicalBase = 0x40000000;
  static constexpr uint64_t kUserBase = 0x7f0000000000;

  explicit GuestRam(size_t bytes) : bytes_(bytes), file_(::memfd_create("guest", MFD_CLOEXEC)) {
    if (!file_ || ::ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) std::abort();
    void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (base == MAP_FAILED) std::abort();
    base_ = static_cast<char*>(base);
  }
  ~GuestRam() { ::munmap(base_, bytes_); }
  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;

  // The physical address of `bytes` fresh bytes.
  uint64_t allocate(size_t bytes, size_t alignment = 16) {
    used_ = (used_ + alignment - 1) / alignment * alignment;
    if (used_ + bytes > bytes_) std::abort();
    used_ += bytes;
    return kPhysicalBase + used_ - bytes;
  }
  char* at(uint64_t physical) const { return base_ + (physical - kPhysicalBase); }
  static uint64_t user(uint64_t physical) { return physical - kPhysicalBase + kUserBase; }

  MemoryRegion region() const { return {kPhysicalBase, bytes_, kUserBase, 0}; }
  Fd file() const { return Fd(::dup(file_.get())); }
  GuestMemory map() const {
    std::vector<Fd> files;
    files.push_back(file());
    return std::move(GuestMemory::map({region()}, files).value());
  }

 private:
  size_t bytes_;
  size_t used_ = 0;
  Fd file_;
  char* base_ = nullptr;
};

struct Descriptor {
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t flags = 0;
  uint16_t next = 0;
};
inline constexpr uint16_t kNext = 1;
inline constexpr uint16_t kWrite = 2;
inline constexpr uint16_t kIndirect = 4;

class DriverQueue {
 public:
  DriverQueue(GuestRam& ram, uint16_t size, bool event_index)
      : ram_(ram),
        size_(size),
        event_index_(event_index),
        descriptors_(ram.allocate(size * sizeof(Descriptor), 16)),
        available_(ram.allocate(6 + 2 * size, 2)),
        used_(ram.allocate(6 + 8 * size, 4)) {}

  uint16_t size() const { return size_; }
  RingAddresses addresses() const {
    return {GuestRam::user(descriptors_), GuestRam::user(available_), GuestRam::user(used_)};
  }

  Descriptor& descriptor(uint16_t index) { return reinterpret_cast<Descriptor*>(ram_.at(descriptors_))[index]; }
  uint16_t& available_index() { return word(available_ + 2); }
  uint16_t& available_slot(uint16_t slot) { return word(available_ + 4 + 2 * (slot % size_)); }
  uint16_t& used_index() { return word(used_ + 2); }

  // Makes the chain beginning at `head` available. True when the device wants to be kicked for it.
  bool offer(uint16_t head) {
    const uint16_t index = available_index();
    available_slot(index) = head;
    std::atomic_ref<uint16_t>(available_index()).store(index + 1, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!event_index_) return std::atomic_ref<uint16_t>(word(used_)).load() == 0;
    const uint16_t event = std::atomic_ref<uint16_t>(word(used_ + 4 + 8 * size_)).load();
    return event == index;
  }

  struct Used {
    uint32_t head;
    uint32_t written;
  };
  std::optional<Used> take_used() {
    if (std::atomic_ref<uint16_t>(used_index()).load(std::memory_order_acquire) == seen_) return std::nullopt;
    Used used;
    std::memcpy(&used, ram_.at(used_ + 4 + 8 * (seen_ % size_)), sizeof used);
    ++seen_;
    return used;
  }
  // Asks to be called at the next chain returned. True when there is one already.
  bool ask_for_call() {
    std::atomic_ref<uint16_t>(word(available_ + 4 + 2 * size_)).store(seen_);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return std::atomic_ref<uint16_t>(used_index()).load() != seen_;
  }
  // As after a reset of the device.
  void clear() {
    std::memset(ram_.at(available_), 0, 6 + 2 * size_);
    std::memset(ram_.at(used_), 0, 6 + 8 * size_);
    seen_ = 0;
  }

 private:
  uint16_t& word(uint64_t physical) const { return *reinterpret_cast<uint16_t*>(ram_.at(physical)); }

  GuestRam& ram_;
  uint16_t size_;
  bool event_index_;
  uint64_t descriptors_;
  uint64_t available_;
  uint64_t used_;
  uint16_t seen_ = 0;
};

}  // namespace gatehouse::bridge::test
