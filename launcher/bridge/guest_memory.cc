#include "launcher/bridge/guest_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <utility>

namespace gatehouse::bridge {

namespace {

bool wraps(uint64_t first, uint64_t size) { return size > std::numeric_limits<uint64_t>::max() - first; }

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) { return a < b + b_size && b < a + a_size; }

Result<void> check_region(const MemoryRegion& region, const struct stat& file) {
  if (region.size == 0) return fail("empty");
  if (wraps(region.guest_address, region.size) || wraps(region.user_address, region.size) ||
      wraps(region.file_offset, region.size)) {
    return fail("wraps round the end of the address space");
  }
  if (!S_ISREG(file.st_mode)) return fail("its descriptor is not a memory file");
  if (region.file_offset + region.size > static_cast<uint64_t>(file.st_size)) {
    return fail("ends at byte {} of a file of {}", region.file_offset + region.size, file.st_size);
  }
  return {};
}

}  // namespace

GuestMemory::Mapping::Mapping(Mapping&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), length_(other.length_) {}

GuestMemory::Mapping& GuestMemory::Mapping::operator=(Mapping&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(length_, other.length_);
  return *this;
}

GuestMemory::Mapping::~Mapping() {
  if (base_ != nullptr) ::munmap(base_, length_);
}

Result<GuestMemory> GuestMemory::map(const std::vector<MemoryRegion>& regions, const std::vector<Fd>& files) {
  if (regions.empty() || regions.size() > kMaxMemoryRegions) {
    return fail("{} regions, expected 1 to {}", regions.size(), kMaxMemoryRegions);
  }
  if (files.size() != regions.size()) return fail("{} regions with {} descriptors", regions.size(), files.size());
  GuestMemory memory;
  for (size_t i = 0; i < regions.size(); ++i) {
    const auto& region = regions[i];
    const auto context = fmt::format("region {}", i);
    struct stat file {};
    if (::fstat(files[i].get(), &file) != 0) return fail_errno("{}", context);
    if (auto ok = check_region(region, file); !ok) return failed(ok, context);
    for (const auto& other : memory.mapped_) {
      if (overlap(region.guest_address, region.size, other.region.guest_address, other.region.size) ||
          overlap(region.user_address, region.size, other.region.user_address, other.region.size)) {
        return fail("{}: overlaps another region", context);
      }
    }
    // A mapping begins at a page of the file's own size, which is larger than ours on hugetlbfs.
    const auto page = static_cast<uint64_t>(file.st_blksize);
    const uint64_t skipped = region.file_offset % page;
    const size_t length = (skipped + region.size + page - 1) / page * page;
    void* base = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, files[i].get(),
                        static_cast<off_t>(region.file_offset - skipped));
    if (base == MAP_FAILED) return fail_errno("{}: cannot map {} bytes", context, length);
    ::madvise(base, length, MADV_DONTDUMP);  // the guest's secrets are not ours to put in a core file
    Mapping mapping(static_cast<char*>(base), length);
    char* first = mapping.base() + skipped;
    memory.mapped_.push_back({region, std::move(mapping), first});
  }
  return memory;
}

char* GuestMemory::at_guest_address(uint64_t address, uint64_t length) const {
  for (const auto& [region, mapping, first] : mapped_) {
    const uint64_t offset = address - region.guest_address;
    if (address >= region.guest_address && offset <= region.size && length <= region.size - offset)
      return first + offset;
  }
  return nullptr;
}

char* GuestMemory::at_user_address(uint64_t address, uint64_t length) const {
  for (const auto& [region, mapping, first] : mapped_) {
    const uint64_t offset = address - region.user_address;
    if (address >= region.user_address && offset <= region.size && length <= region.size - offset)
      return first + offset;
  }
  return nullptr;
}

void copy_from_guest(void* to, const void* guest, size_t length) {
  std::memcpy(to, guest, length);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace gatehouse::bridge
