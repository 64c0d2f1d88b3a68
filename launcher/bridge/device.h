// The vhost-user-vsock device: what QEMU says over the control socket, and the two queues it sets up. Passive:
// messages, kicks and the time come in, replies come out; guest memory and the queues' event descriptors are touched
// directly.
//
// QEMU is believed as far as its messages are well-formed: one that is not ends the connection to it. The guest is not:
// a ring that cannot be followed stops the device until the guest resets it, and the connection to QEMU lives on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/bridge/guest_memory.h"
#include "launcher/bridge/muxer.h"
#include "launcher/bridge/vhost_user.h"
#include "launcher/bridge/virtqueue.h"

namespace gatehouse::bridge {

// What the device needs of its surroundings.
class DeviceHost {
 public:
  virtual ~DeviceHost() = default;
  // Call Device::take_kick(queue) and work() whenever `fd` is readable; -1 ends that. `fd` is open until the next call
  // for the queue.
  virtual void watch_kick(size_t queue, int fd) = 0;
  // The guest's rings made no sense; the device stands still until it is reset.
  virtual void ring_broken(const std::string& why) = 0;
};

class Device {
 public:
  static constexpr size_t kReceive = 0;   // packets to the guest
  static constexpr size_t kTransmit = 1;  // packets from the guest
  static constexpr size_t kQueues = 2;    // the event queue stays in QEMU

  Device(DeviceHost& host, Muxer& muxer, uint64_t guest_cid);

  // Carries out one message and returns the bytes to answer, possibly none. An error means a malformed message: the
  // caller closes the connection and calls disconnect().
  Result<std::string> handle(VhostMessage message, Time now);

  // QEMU is gone: forgets everything, ends all connections.
  void disconnect(Time now);

  // Takes the kick of a queue; work() follows.
  void take_kick(size_t queue);

  // Moves packets both ways until there are none, or for one turn's worth. True when it should be called again soon.
  bool work(Time now);

  // True when both queues run, so that the guest can be connected to.
  bool ready() const { return ring(kReceive).queue.running() && ring(kTransmit).queue.running(); }

 private:
  struct Ring {
    explicit Ring(Buffers direction) : queue(direction) {}
    Virtqueue queue;
    bool sized = false;
    bool addressed = false;
    bool enabled = false;
    Fd kick;
    Fd call;
    Fd error;
  };
  using Reply = Result<std::optional<std::string>>;

  Ring& ring(size_t index) { return rings_[index]; }
  const Ring& ring(size_t index) const { return rings_[index]; }

  Reply carry_out(VhostMessage& message);
  Result<void> set_features(uint64_t features);
  Result<void> set_memory(VhostMessage& message);
  Result<void> set_ring_size(const VhostMessage& message);
  Result<void> set_ring_base(const VhostMessage& message);
  Result<void> set_ring_addresses(const VhostMessage& message);
  Result<void> set_ring_fd(VhostMessage& message);
  Result<void> enable_ring(const VhostMessage& message);
  Reply stop_ring(const VhostMessage& message);
  Reply get_config(const VhostMessage& message) const;

  void start_rings();
  void halt(size_t index);
  void reset();
  void break_down(const std::string& why);
  bool transmit();
  bool receive();

  DeviceHost& host_;
  Muxer& muxer_;
  uint64_t guest_cid_;
  Time now_;  // of the call under way
  uint64_t protocol_features_ = 0;
  GuestMemory memory_;
  std::array<Ring, kQueues> rings_;
  bool broken_ = false;
  bool working_ = false;
  std::vector<Chain> chains_;  // reused by receive()
  std::vector<uint32_t> written_;
  Chain chain_;  // reused by transmit()
};

}  // namespace gatehouse::bridge
