#include "launcher/bridge/guest_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "launcher/bridge/test_rings.h"

namespace gatehouse::bridge {
namespace {

constexpr uint64_t kPage = 4096;

Fd memory_file(uint64_t bytes) {
  Fd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
  return file;
}

Result<GuestMemory> map(const std::vector<MemoryRegion>& regions, uint64_t file_bytes = 4 * kPage) {
  std::vector<Fd> files;
  for (size_t i = 0; i < regions.size(); ++i) files.push_back(memory_file(file_bytes));
  return GuestMemory::map(regions, files);
}

TEST(GuestMemory, FindsBytesByBothKindsOfAddress) {
  const auto memory = map({{0x1000, 2 * kPage, 0x70000, kPage}, {0x8000, kPage, 0x90000, 100}});
  ASSERT_TRUE(memory) << memory.error().message();
  EXPECT_EQ(memory->at_guest_address(0x1010, 1), memory->at_user_address(0x70010, 1));
  EXPECT_EQ(memory->at_guest_address(0x8000, kPage), memory->at_user_address(0x90000, kPage));
}

TEST(GuestMemory, HasNothingOutsideItsRegionsNorAcrossTheirEdges) {
  const auto memory = map({{0x1000, kPage, 0x70000, 0}, {0x2000, kPage, 0x90000, 0}});
  ASSERT_TRUE(memory);
  struct Case {
    uint64_t address, length;
    bool there;
  };
  for (const auto& [address, length, there] :
       {Case{0x1000, kPage, true}, Case{0x0fff, 1, false}, Case{0x1fff, 2, false}, Case{0x1fff, 1, true},
        Case{0x2fff, 2, false}, Case{0x3000, 1, false}, Case{0x1800, UINT64_MAX, false}, Case{UINT64_MAX, 2, false}}) {
    EXPECT_EQ(memory->at_guest_address(address, length) != nullptr, there) << std::hex << address << " " << length;
  }
}

TEST(GuestMemory, RefusesTablesThatDoNotMakeSense) {
  struct Case {
    std::vector<MemoryRegion> regions;
    std::string error;
  };
  const std::vector<MemoryRegion> nine(9, {0x1000, kPage, 0x1000, 0});
  for (const auto& [regions, error] : {
           Case{{}, "0 regions, expected 1 to 8"},
           Case{nine, "9 regions, expected 1 to 8"},
           Case{{{0x1000, 0, 0x1000, 0}}, "region 0: empty"},
           Case{{{UINT64_MAX - 10, kPage, 0x1000, 0}}, "region 0: wraps round the end of the address space"},
           Case{{{0x1000, kPage, UINT64_MAX - 10, 0}}, "region 0: wraps round the end of the address space"},
           Case{{{0x1000, kPage, 0x1000, UINT64_MAX - 10}}, "region 0: wraps round the end of the address space"},
           Case{{{0x1000, 4 * kPage, 0x1000, 1}}, "region 0: ends at byte 16385 of a file of 16384"},
           Case{{{0x1000, kPage, 0x1000, 0}, {0x1fff, kPage, 0x9000, 0}}, "region 1: overlaps another region"},
           Case{{{0x1000, kPage, 0x1000, 0}, {0x9000, kPage, 0x1fff, 0}}, "region 1: overlaps another region"},
       }) {
    const auto memory = map(regions);
    ASSERT_FALSE(memory) << error;
    EXPECT_EQ(memory.error().message(), error);
  }
}

TEST(GuestMemory, RefusesADescriptorThatIsNoMemoryFile) {
  std::vector<Fd> files;
  files.push_back(std::move(make_pipe()->read));
  const auto memory = GuestMemory::map({{0x1000, kPage, 0x1000, 0}}, files);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().message(), "region 0: its descriptor is not a memory file");
}

TEST(GuestMemory, RefusesAnotherNumberOfDescriptorsThanOfRegions) {
  const auto memory = GuestMemory::map({{0x1000, kPage, 0x1000, 0}}, {});
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().message(), "1 regions with 0 descriptors");
}

}  // namespace
}  // namespace gatehouse::bridge
