// A split virtqueue, the device's side: virtio 1.2 section 2.7, with indirect descriptors and event indices.
//
// The driver is hostile. Every index and descriptor is copied out of the shared ring once and checked before use; an
// error from pop() means that the ring cannot be followed any more and the device has to stop until it is reset.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "launcher/bridge/guest_memory.h"

namespace gatehouse::bridge {

inline constexpr uint32_t kMaxQueueSize = 1024;       // descriptors; QEMU's vsock device asks for 128
inline constexpr size_t kMaxChainDescriptors = 1024;  // in one chain, its indirect table included; also IOV_MAX

// Which way the buffers of a queue go; a chain with a buffer of the other kind is malformed.
enum class Buffers { from_guest, to_guest };

// One chain of descriptors, translated. Its buffers are guest memory.
struct Chain {
  uint16_t head = 0;
  std::vector<iovec> buffers;  // none is empty
  size_t bytes = 0;            // of all buffers
};

// Where the three parts of a ring are, in QEMU's addresses (VHOST_USER_SET_VRING_ADDR).
struct RingAddresses {
  uint64_t descriptors = 0;
  uint64_t available = 0;
  uint64_t used = 0;
};

class Virtqueue {
 public:
  explicit Virtqueue(Buffers direction) : direction_(direction) {}

  // The number of descriptors: a power of two up to kMaxQueueSize.
  Result<void> set_size(uint32_t size);
  // The next entry of the available ring to take.
  Result<void> set_base(uint32_t base);
  void set_addresses(const RingAddresses& addresses) { addresses_ = addresses; }
  // Indirect tables and event indices are honoured only when negotiated.
  void set_features(bool indirect, bool event_index);

  // Finds the rings in `memory`, which must outlive the running queue. Refuses rings out of memory or misaligned.
  Result<void> start(const GuestMemory& memory);
  // Forgets the rings; returns the index that a later set_base() continues from.
  uint16_t stop();
  bool running() const { return descriptors_ != nullptr; }

  // Takes the next chain the driver has made available; false when there is none.
  Result<bool> pop(Chain& chain);
  // Gives the last `count` chains popped back untouched; the next pop() reads them afresh.
  void unpop(uint16_t count) { next_available_ -= count; }

  // Puts a chain in the used ring, `written` bytes of it filled. The driver sees it after publish().
  void push(uint16_t head, uint32_t written);
  // Shows the driver what was pushed. True when it wants to be called.
  bool publish();

  // Asks the driver to kick at the next chain it adds. True when there is one already, so that the caller looks again.
  bool ask_for_kick();
  // Says that kicks are not needed until asked for.
  void decline_kicks();

 private:
  struct Descriptor;
  Result<uint16_t> waiting();
  Result<void> follow(const char* table, uint32_t size, uint16_t first, bool inside_indirect, Chain& chain);
  Result<void> add_buffer(const Descriptor& descriptor, Chain& chain);

  Buffers direction_;
  uint32_t size_ = 0;
  RingAddresses addresses_;
  bool indirect_ = false;
  bool event_index_ = false;
  const GuestMemory* memory_ = nullptr;

  char* descriptors_ = nullptr;
  char* available_ = nullptr;
  char* used_ = nullptr;
  uint16_t next_available_ = 0;   // next entry to take
  uint16_t available_index_ = 0;  // the driver's index as last read
  uint16_t next_used_ = 0;        // next entry to fill
  uint16_t published_ = 0;        // used index the driver has seen
};

}  // namespace gatehouse::bridge
