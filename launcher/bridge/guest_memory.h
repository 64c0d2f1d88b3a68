// The guest's memory as QEMU shares it with us: vhost-user's memory table, mapped.
//
// The guest can change any byte of it at any time. Whoever reads a value from it copies the value out once
// (copy_from_guest) and judges the copy; whoever takes a view of it only hands it to the kernel as a buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace gatehouse::bridge {

inline constexpr size_t kMaxMemoryRegions = 8;  // VHOST_MEMORY_BASELINE_NREGIONS

// One entry of VHOST_USER_SET_MEM_TABLE.
struct MemoryRegion {
  uint64_t guest_address = 0;  // physical, as in descriptors
  uint64_t size = 0;           // bytes
  uint64_t user_address = 0;   // in QEMU's address space, as in SET_VRING_ADDR
  uint64_t file_offset = 0;    // of the region's first byte in its descriptor
};

class GuestMemory {
 public:
  GuestMemory() = default;
  GuestMemory(GuestMemory&&) noexcept = default;
  GuestMemory& operator=(GuestMemory&&) noexcept = default;

  // Maps every region, one descriptor each. Refuses an empty table, too many regions, an empty region, a range that
  // wraps round, regions that overlap (by guest or by user address), a descriptor that is no regular file (memfd,
  // hugetlbfs) or is shorter than its region.
  static Result<GuestMemory> map(const std::vector<MemoryRegion>& regions, const std::vector<Fd>& files);

  // `length` bytes at a guest physical address or at an address of QEMU's; nullptr unless they lie within one region.
  char* at_guest_address(uint64_t address, uint64_t length) const;
  char* at_user_address(uint64_t address, uint64_t length) const;

  bool empty() const { return mapped_.empty(); }

 private:
  class Mapping {
   public:
    Mapping(char* base, size_t length) : base_(base), length_(length) {}
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    ~Mapping();
    char* base() const { return base_; }

   private:
    char* base_;
    size_t length_;
  };
  struct Mapped {
    MemoryRegion region;
    Mapping mapping;
    char* first;  // the byte at region.guest_address
  };
  std::vector<Mapped> mapped_;
};

// Copies `length` bytes out of guest memory. The compiler may not read them a second time afterwards.
void copy_from_guest(void* to, const void* guest, size_t length);

}  // namespace gatehouse::bridge
