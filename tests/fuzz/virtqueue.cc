// The fuzzer owns all guest memory, rings included. Whatever stands there, the queue hands out only buffers within
// guest memory, of the right kind, no more chains than the ring holds, and ends with a clear answer.
#include <cstdlib>

#include "launcher/bridge/test_rings.h"
#include "launcher/bridge/virtqueue.h"

using namespace gatehouse;
using namespace gatehouse::bridge;

namespace {

constexpr size_t kRamBytes = 4096;
constexpr uint16_t kSize = 8;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Guest {
  test::GuestRam ram{kRamBytes};
  test::DriverQueue driver{ram, kSize, true};
  GuestMemory memory = ram.map();
};

void check(const Guest& guest, const Chain& chain) {
  const char* first = guest.memory.at_guest_address(test::GuestRam::kPhysicalBase, kRamBytes);
  size_t bytes = 0;
  for (const auto& buffer : chain.buffers) {
    const auto offset = static_cast<size_t>(static_cast<const char*>(buffer.iov_base) - first);
    require(offset < kRamBytes && buffer.iov_len > 0 && buffer.iov_len <= kRamBytes - offset);
    bytes += buffer.iov_len;
  }
  require(bytes == chain.bytes);
  require(chain.buffers.size() <= kMaxChainDescriptors);
  require(chain.head < kSize);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Guest guest;
  if (size < 2) return 0;
  const uint8_t choices = data[0];
  const uint8_t base = data[1];
  char* ram = guest.ram.at(test::GuestRam::kPhysicalBase);
  std::memset(ram, 0, kRamBytes);
  std::memcpy(ram, data + 2, std::min(size - 2, kRamBytes));

  Virtqueue queue((choices & 1) != 0 ? Buffers::to_guest : Buffers::from_guest);
  require(queue.set_size(kSize).has_value());
  require(queue.set_base(base).has_value());
  queue.set_addresses(guest.driver.addresses());
  queue.set_features((choices & 2) != 0, (choices & 4) != 0);
  require(queue.start(guest.memory).has_value());
  Chain chain;
  // A buffer written by the device may be the ring itself, so a fresh driver index can come up again and again.
  for (size_t popped = 0; popped < 4 * size_t{kSize}; ++popped) {
    const auto got = queue.pop(chain);
    if (!got) require(!got.error().message().empty());
    if (!got || !*got) break;
    check(guest, chain);
    if ((choices & 8) != 0 && !chain.buffers.empty()) {
      // The other side changes memory while the chain is held.
      std::memset(chain.buffers[0].iov_base, 0x5a, chain.buffers[0].iov_len);
    }
    queue.push(chain.head, static_cast<uint32_t>(chain.bytes));
    if ((choices & 16) != 0) queue.publish();
  }
  queue.publish();
  queue.ask_for_kick();
  queue.decline_kicks();
  return 0;
}
