// For tests and benchmarks: a guest's vsock driver on real rings, and QEMU's side of the vhost-user handshake.
#pragma once

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "launcher/bridge/packet.h"
#include "launcher/bridge/test_rings.h"
#include "launcher/bridge/vhost_user.h"

namespace gatehouse::bridge::test {

inline constexpr uint64_t kAllFeatures = uint64_t{1} << 32 | uint64_t{1} << 30 | uint64_t{1} << 29 | uint64_t{1} << 28;

struct Packet {
  PacketHeader header;
  std::string payload;
};

template <class T>
std::string raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

// What QEMU sends. Messages are made afresh for each use, since their descriptors are given away.
inline VhostMessage message(VhostRequest request, std::string payload = {}, int fd = -1, bool needs_ack = false) {
  VhostMessage made;
  made.request = request;
  made.payload = std::move(payload);
  made.needs_ack = needs_ack;
  if (fd >= 0) made.fds.emplace_back(::dup(fd));
  return made;
}

// Sends as QEMU does: one message, its descriptors with it.
inline bool send_message(int socket, const VhostMessage& sent) {
  std::string bytes = vhost_reply(sent.request, sent.payload);
  const uint32_t flags = 1 | (sent.needs_ack ? 8 : 0);
  std::memcpy(bytes.data() + 4, &flags, sizeof flags);
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(16 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!sent.fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sent.fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sent.fds.size() * sizeof(int));
    for (size_t i = 0; i < sent.fds.size(); ++i) {
      const int fd = sent.fds[i].get();
      std::memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  return ::sendmsg(socket, &header, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

class TestGuest {
 public:
  struct Shape {
    uint16_t queue_size = 128;
    uint32_t receive_payload = 4096;  // of one buffer, as Linux 6.1 has it
    uint16_t receive_buffers = 64;
    bool event_index = true;
  };
  static constexpr uint16_t kPort = 1000;
  static constexpr size_t kRamBytes = size_t{16} << 20;

  TestGuest() : TestGuest(Shape()) {}
  explicit TestGuest(const Shape& shape)
      : shape_(shape),
        ram_(kRamBytes),
        receive_(ram_, shape.queue_size, shape.event_index),
        transmit_(ram_, shape.queue_size, shape.event_index),
        buffers_(ram_.allocate(shape.queue_size / 2 * (kPacketHeaderBytes + shape.receive_payload))),
        packets_(ram_.allocate(shape.queue_size / 2 * kSlotBytes)),
        kicks_{Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))},
        calls_{Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))} {
    for (uint16_t slot = 0; slot < shape.queue_size / 2; ++slot) free_.push_back(slot);
  }

  GuestRam& ram() { return ram_; }
  DriverQueue& receive_queue() { return receive_; }
  DriverQueue& transmit_queue() { return transmit_; }
  int kick_fd(size_t queue) const { return kicks_[queue].get(); }
  int call_fd(size_t queue) const { return calls_[queue].get(); }

  VhostMessage memory_table() const {
    const auto region = ram_.region();
    auto table = message(VhostRequest::set_mem_table, raw(uint64_t{1}) + raw(region.guest_address) + raw(region.size) +
                                                          raw(region.user_address) + raw(region.file_offset));
    table.fds.push_back(ram_.file());
    return table;
  }

  // Everything from the features to SET_VRING_ENABLE, in QEMU's order.
  std::vector<VhostMessage> setup() {
    std::vector<VhostMessage> messages;
    const uint64_t features = shape_.event_index ? kAllFeatures : kAllFeatures & ~(uint64_t{1} << 29);
    messages.push_back(message(VhostRequest::set_features, raw(features)));
    messages.push_back(memory_table());
    for (uint32_t index = 0; index < 2; ++index) {
      const auto at = (index == 0 ? receive_ : transmit_).addresses();
      const uint32_t size = shape_.queue_size;
      messages.push_back(message(VhostRequest::set_vring_num, raw(index) + raw(size)));
      messages.push_back(message(VhostRequest::set_vring_base, raw(index) + raw(uint32_t{0})));
      messages.push_back(message(
          VhostRequest::set_vring_addr,
          raw(index) + raw(uint32_t{0}) + raw(at.descriptors) + raw(at.used) + raw(at.available) + raw(uint64_t{0})));
      messages.push_back(message(VhostRequest::set_vring_kick, raw(uint64_t{index}), kick_fd(index)));
      messages.push_back(message(VhostRequest::set_vring_call, raw(uint64_t{index}), call_fd(index)));
    }
    for (uint32_t index = 0; index < 2; ++index) {
      messages.push_back(message(VhostRequest::set_vring_enable, raw(index) + raw(uint32_t{1})));
    }
    return messages;
  }

  // Gives the device all receive buffers, or the first `count` of them.
  void post_buffers() { post_buffers(shape_.receive_buffers); }
  void post_buffers(uint16_t count) {
    for (uint16_t slot = 0; slot < count; ++slot) post_buffer(slot);
  }

  bool can_send() {
    reclaim();
    return !free_.empty();
  }
  // Puts one packet in the transmit queue and kicks. Needs can_send().
  void send(PacketHeader header, std::string_view payload = {}) {
    header.length = static_cast<uint32_t>(payload.size());
    send_raw(header, payload);
  }
  // As send(), with header.length left as it is.
  void send_raw(const PacketHeader& header, std::string_view payload) {
    const uint16_t slot = free_.front();
    free_.pop_front();
    const uint64_t at = packets_ + slot * kSlotBytes;
    write_packet_header(header, ram_.at(at));
    payload.copy(ram_.at(at + kPacketHeaderBytes), payload.size());
    const auto head = static_cast<uint16_t>(slot * 2);
    const bool more = !payload.empty();
    transmit_.descriptor(head) = {at, kPacketHeaderBytes, more ? kNext : uint16_t{0}, static_cast<uint16_t>(head + 1)};
    if (more) {
      transmit_.descriptor(head + 1) = {at + kPacketHeaderBytes, static_cast<uint32_t>(payload.size()), 0, 0};
    }
    if (transmit_.offer(head)) kick(1);
  }

  // The next packet for the guest; its buffer goes back to the device, unless `keep`.
  std::optional<Packet> receive(bool keep = false) {
    const auto used = receive_.take_used();
    if (!used) return std::nullopt;
    const auto slot = static_cast<uint16_t>(used->head / 2);
    const uint64_t at = buffer(slot);
    Packet packet{read_packet_header(ram_.at(at)), {}};
    packet.payload.assign(ram_.at(at + kPacketHeaderBytes), used->written - kPacketHeaderBytes);
    if (!keep) post_buffer(slot);
    return packet;
  }

  void kick(size_t queue) const {
    const uint64_t one = 1;
    if (::write(kicks_[queue].get(), &one, sizeof one) != sizeof one) std::abort();
  }

  // As after the guest has booted again.
  void reboot() {
    receive_.clear();
    transmit_.clear();
    free_.clear();
    for (uint16_t slot = 0; slot < shape_.queue_size / 2; ++slot) free_.push_back(slot);
  }

 private:
  static constexpr size_t kSlotBytes = kPacketHeaderBytes + kMaxPayloadBytes;

  uint64_t buffer(uint16_t slot) const { return buffers_ + slot * (kPacketHeaderBytes + shape_.receive_payload); }
  void post_buffer(uint16_t slot) {
    const auto head = static_cast<uint16_t>(slot * 2);
    receive_.descriptor(head) = {buffer(slot), kPacketHeaderBytes, kNext | kWrite, static_cast<uint16_t>(head + 1)};
    receive_.descriptor(head + 1) = {buffer(slot) + kPacketHeaderBytes, shape_.receive_payload, kWrite, 0};
    if (receive_.offer(head)) kick(0);
  }
  void reclaim() {
    while (const auto used = transmit_.take_used()) free_.push_back(static_cast<uint16_t>(used->head / 2));
  }

  Shape shape_;
  GuestRam ram_;
  DriverQueue receive_;
  DriverQueue transmit_;
  uint64_t buffers_;
  uint64_t packets_;
  std::array<Fd, 2> kicks_;
  std::array<Fd, 2> calls_;
  std::deque<uint16_t> free_;
};

// The guest's end of one connection: numbers its packets with credit as a driver does.
struct GuestSocket {
  uint32_t guest_port = TestGuest::kPort;
  uint32_t host_port = 0;
  uint32_t buffer = 256 * 1024;
  uint32_t sent = 0;
  uint32_t received = 0;
  uint32_t host_buffer = 0;
  uint32_t host_forwarded = 0;

  PacketHeader header(Op op) const {
    PacketHeader made;
    made.source_cid = kDefaultGuestCid;
    made.destination_cid = kHostCid;
    made.source_port = guest_port;
    made.destination_port = host_port;
    made.op = op;
    made.buffer_size = buffer;
    made.forwarded = received;
    return made;
  }
  uint32_t credit() const { return host_buffer - (sent - host_forwarded); }
  // Takes note of a packet that arrived for this socket.
  void note(const Packet& packet) {
    host_buffer = packet.header.buffer_size;
    host_forwarded = packet.header.forwarded;
    received += static_cast<uint32_t>(packet.payload.size());
  }
};

}  // namespace gatehouse::bridge::test
