#include "launcher/bridge/device.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <cstring>

namespace gatehouse::bridge {

namespace {

constexpr uint64_t bit(unsigned number) { return uint64_t{1} << number; }

constexpr uint64_t kIndirectDescriptors = bit(28);      // VIRTIO_F_INDIRECT_DESC
constexpr uint64_t kEventIndex = bit(29);               // VIRTIO_F_EVENT_IDX
constexpr uint64_t kProtocolFeaturesFeature = bit(30);  // VHOST_USER_F_PROTOCOL_FEATURES
constexpr uint64_t kVersion1 = bit(32);                 // VIRTIO_F_VERSION_1
constexpr uint64_t kFeatures = kIndirectDescriptors | kEventIndex | kProtocolFeaturesFeature | kVersion1;
constexpr uint64_t kReplyAck = bit(3);                      // VHOST_USER_PROTOCOL_F_REPLY_ACK
constexpr uint64_t kProtocolFeatures = kReplyAck | bit(9);  // and VHOST_USER_PROTOCOL_F_CONFIG

constexpr uint64_t kRingIndexMask = 0xff;  // in SET_VRING_KICK, CALL and ERR
constexpr uint64_t kNoFd = bit(8);

constexpr size_t kChainsBetweenPublishing = 16;
constexpr size_t kChainsPerTurn = 512;  // then other sockets and signals get their turn

// A message whose payload is exactly one T.
template <class T>
Result<T> payload_as(const VhostMessage& message) {
  if (message.payload.size() != sizeof(T)) return fail("a payload of {} bytes", message.payload.size());
  T value;
  std::memcpy(&value, message.payload.data(), sizeof value);
  return value;
}

template <class T>
std::string bytes_of(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

struct RingState {  // struct vhost_vring_state
  uint32_t index;
  uint32_t number;
};

struct RingAddress {  // struct vhost_vring_addr
  uint32_t index;
  uint32_t flags;
  uint64_t descriptors;
  uint64_t used;
  uint64_t available;
  uint64_t log;
};

struct ConfigHeader {  // struct vhost_user_config without its bytes
  uint32_t offset;
  uint32_t size;
  uint32_t flags;
};

Result<size_t> ring_index(uint64_t index) {
  if (index >= Device::kQueues) return fail("queue {} does not exist", index);
  return static_cast<size_t>(index);
}

Result<RingState> ring_state(const VhostMessage& message) {
  const auto state = payload_as<RingState>(message);
  if (!state) return state;
  if (const auto index = ring_index(state->index); !index) return failed(index);
  return state;
}

// An eventfd has no file type; anything else could block us or not be watched.
Result<void> check_event_fd(const Fd& fd) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || (status.st_mode & S_IFMT) != 0) return fail("its descriptor is no eventfd");
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("eventfd");
  return {};
}

// A full counter (EAGAIN) has been signalled already; there is nothing else that can go wrong with an eventfd.
void signal(const Fd& event) {
  if (event) ::eventfd_write(event.get(), 1);
}

}  // namespace

Device::Device(DeviceHost& host, Muxer& muxer, uint64_t guest_cid)
    : host_(host),
      muxer_(muxer),
      guest_cid_(guest_cid),
      rings_{Ring(Buffers::to_guest), Ring(Buffers::from_guest)},
      chains_(kMaxChainsAtOnce) {}

Result<std::string> Device::handle(VhostMessage message, Time now) {
  now_ = now;
  auto reply = carry_out(message);
  if (!reply) return failed(reply, to_string(message.request));
  if (*reply) return vhost_reply(message.request, **reply);
  if (!message.needs_ack || (protocol_features_ & kReplyAck) == 0) return std::string();
  // SET_CONFIG is understood and refused: the guest's CID is not the driver's to change.
  return vhost_reply(message.request, bytes_of(uint64_t{message.request == VhostRequest::set_config ? 1u : 0u}));
}

Device::Reply Device::carry_out(VhostMessage& message) {
  const auto done = [](const Result<void>& result) -> Reply {
    if (!result) return failed(result);
    return std::nullopt;
  };
  switch (message.request) {
    case VhostRequest::get_features:
      return bytes_of(kFeatures);
    case VhostRequest::get_protocol_features:
      return bytes_of(kProtocolFeatures);
    case VhostRequest::set_features: {
      const auto features = payload_as<uint64_t>(message);
      if (!features) return failed(features);
      return done(set_features(*features));
    }
    case VhostRequest::set_protocol_features: {
      const auto features = payload_as<uint64_t>(message);
      if (!features) return failed(features);
      if ((*features & ~kProtocolFeatures) != 0) return fail("features {:#x} were not offered", *features);
      protocol_features_ = *features;
      return std::nullopt;
    }
    case VhostRequest::set_owner:
      return std::nullopt;
    case VhostRequest::reset_owner:
      reset();
      return std::nullopt;
    case VhostRequest::set_mem_table:
      return done(set_memory(message));
    case VhostRequest::set_vring_num:
      return done(set_ring_size(message));
    case VhostRequest::set_vring_base:
      return done(set_ring_base(message));
    case VhostRequest::set_vring_addr:
      return done(set_ring_addresses(message));
    case VhostRequest::set_vring_kick:
    case VhostRequest::set_vring_call:
    case VhostRequest::set_vring_err:
      return done(set_ring_fd(message));
    case VhostRequest::set_vring_enable:
      return done(enable_ring(message));
    case VhostRequest::get_vring_base:
      return stop_ring(message);
    case VhostRequest::get_config:
      return get_config(message);
    case VhostRequest::set_config:
      return std::nullopt;
  }
  return fail("not a message of this device");
}

Result<void> Device::set_features(uint64_t features) {
  if ((features & ~kFeatures) != 0) return fail("features {:#x} were not offered", features);
  for (auto& each : rings_) {
    each.queue.set_features((features & kIndirectDescriptors) != 0, (features & kEventIndex) != 0);
    // Without the protocol features there is no SET_VRING_ENABLE: rings begin enabled.
    if ((features & kProtocolFeaturesFeature) == 0) each.enabled = true;
  }
  return {};
}

Result<void> Device::set_memory(VhostMessage& message) {
  struct TableHeader {
    uint32_t regions;
    uint32_t padding;
  } header;
  struct TableEntry {
    uint64_t guest_address;
    uint64_t size;
    uint64_t user_address;
    uint64_t file_offset;
  };
  const std::string& payload = message.payload;
  if (payload.size() < sizeof header) return fail("a table of {} bytes", payload.size());
  std::memcpy(&header, payload.data(), sizeof header);
  // QEMU sends room for all regions whatever their number.
  if (header.regions > kMaxMemoryRegions || payload.size() < sizeof header + header.regions * sizeof(TableEntry)) {
    return fail("{} regions in {} bytes", header.regions, payload.size());
  }
  std::vector<MemoryRegion> regions;
  for (uint32_t i = 0; i < header.regions; ++i) {
    TableEntry entry;
    std::memcpy(&entry, payload.data() + sizeof header + i * sizeof entry, sizeof entry);
    regions.push_back({entry.guest_address, entry.size, entry.user_address, entry.file_offset});
  }
  auto memory = GuestMemory::map(regions, message.fds);
  if (!memory) return failed(memory);
  // Rings that run are found again in the new table before the old one goes.
  for (auto& each : rings_) {
    if (each.queue.running()) static_cast<void>(each.queue.set_base(each.queue.stop()));
  }
  memory_ = std::move(*memory);
  start_rings();
  return {};
}

Result<void> Device::set_ring_size(const VhostMessage& message) {
  const auto state = ring_state(message);
  if (!state) return failed(state);
  auto& target = ring(state->index);
  if (target.queue.running()) return fail("queue {} is running", state->index);
  // The number comes from the guest's own queue registers.
  const auto set = target.queue.set_size(state->number);
  target.sized = set.has_value();
  if (!set) break_down(set.error().message());
  return {};
}

Result<void> Device::set_ring_base(const VhostMessage& message) {
  const auto state = ring_state(message);
  if (!state) return failed(state);
  auto& target = ring(state->index);
  if (target.queue.running()) return fail("queue {} is running", state->index);
  return target.queue.set_base(state->number);
}

Result<void> Device::set_ring_addresses(const VhostMessage& message) {
  const auto address = payload_as<RingAddress>(message);
  if (!address) return failed(address);
  const auto index = ring_index(address->index);
  if (!index) return failed(index);
  auto& target = ring(*index);
  if (target.queue.running()) return fail("queue {} is running", *index);
  target.queue.set_addresses({address->descriptors, address->available, address->used});
  target.addressed = true;
  start_rings();
  return {};
}

Result<void> Device::set_ring_fd(VhostMessage& message) {
  const auto value = payload_as<uint64_t>(message);
  if (!value) return failed(value);
  const auto index = ring_index(*value & kRingIndexMask);
  if (!index) return failed(index);
  const bool none = (*value & kNoFd) != 0;
  if (message.fds.size() != (none ? 0 : 1)) return fail("{} descriptors", message.fds.size());
  Fd fd = none ? Fd() : std::move(message.fds[0]);
  if (fd) {
    if (auto ok = check_event_fd(fd); !ok) return ok;
  }
  auto& target = ring(*index);
  if (message.request == VhostRequest::set_vring_call) {
    target.call = std::move(fd);
    if (target.queue.running()) signal(target.call);  // whatever was missed meanwhile
    return {};
  }
  if (message.request == VhostRequest::set_vring_err) {
    target.error = std::move(fd);
    return {};
  }
  if (!fd) return fail("polling without a kick descriptor is not offered");
  host_.watch_kick(*index, fd.get());
  target.kick = std::move(fd);
  start_rings();
  return {};
}

Result<void> Device::enable_ring(const VhostMessage& message) {
  const auto state = ring_state(message);
  if (!state) return failed(state);
  auto& target = ring(state->index);
  target.enabled = state->number != 0;
  if (!target.enabled && target.queue.running()) static_cast<void>(target.queue.set_base(target.queue.stop()));
  start_rings();
  return {};
}

// The guest has reset the device, or QEMU pauses it: either way nothing the connections knew holds any more.
Device::Reply Device::stop_ring(const VhostMessage& message) {
  const auto state = ring_state(message);
  if (!state) return failed(state);
  auto& target = ring(state->index);
  const uint32_t base = target.queue.stop();
  halt(state->index);
  target.sized = target.addressed = false;
  broken_ = false;
  muxer_.close_all(now_);
  return bytes_of(RingState{state->index, base});
}

// The configuration space is one field, the guest's CID (virtio 1.2 section 5.10.4).
Device::Reply Device::get_config(const VhostMessage& message) const {
  ConfigHeader header;
  if (message.payload.size() < sizeof header) return fail("a payload of {} bytes", message.payload.size());
  std::memcpy(&header, message.payload.data(), sizeof header);
  const std::string config = bytes_of(guest_cid_);
  if (message.payload.size() != sizeof header + header.size || header.offset > config.size() ||
      header.size > config.size() - header.offset) {
    return fail("bytes {} to {} of a configuration of {}", header.offset, uint64_t{header.offset} + header.size,
                config.size());
  }
  return bytes_of(header) + config.substr(header.offset, header.size);
}

void Device::start_rings() {
  if (broken_ || memory_.empty()) return;
  for (auto& each : rings_) {
    if (each.queue.running() || !each.sized || !each.addressed || !each.enabled || !each.kick) continue;
    // Where the rings are was the guest's choice.
    if (auto ok = each.queue.start(memory_); !ok) {
      break_down(ok.error().message());
      return;
    }
    // A driver that added buffers before we looked is not going to kick for them again.
    signal(each.kick);
  }
}

void Device::halt(size_t index) {
  host_.watch_kick(index, -1);
  ring(index).queue.stop();
  ring(index).kick.reset();
}

void Device::reset() {
  for (size_t i = 0; i < kQueues; ++i) {
    halt(i);
    rings_[i].sized = rings_[i].addressed = rings_[i].enabled = false;
    rings_[i].call.reset();
    rings_[i].error.reset();
  }
  broken_ = false;
  muxer_.close_all(now_);
}

void Device::disconnect(Time now) {
  now_ = now;
  reset();
  memory_ = GuestMemory();
  protocol_features_ = 0;
}

void Device::break_down(const std::string& why) {
  broken_ = true;
  for (auto& each : rings_) {
    if (each.queue.running()) static_cast<void>(each.queue.set_base(each.queue.stop()));
    signal(each.error);
  }
  muxer_.close_all(now_);
  host_.ring_broken(why);
}

void Device::take_kick(size_t queue) {
  eventfd_t count = 0;
  if (ring(queue).kick) ::eventfd_read(ring(queue).kick.get(), &count);
}

bool Device::work(Time now) {
  if (working_) return false;  // a socket became ready within our own turn
  working_ = true;
  now_ = now;
  const bool more_sent = transmit();
  const bool more_received = receive();
  working_ = false;
  return more_sent || more_received;
}

bool Device::transmit() {
  auto& queue = ring(kTransmit).queue;
  if (!queue.running()) return false;
  size_t taken = 0;
  bool call = false;
  bool more = false;
  queue.decline_kicks();
  while (true) {
    if (taken == kChainsPerTurn) {
      more = true;
      break;
    }
    if (!muxer_.can_receive()) break;  // receive() makes room, or the next buffer of the guest does
    const auto got = queue.pop(chain_);
    if (!got) return break_down(got.error().message()), false;
    if (!*got) {
      if (queue.ask_for_kick()) continue;
      break;
    }
    muxer_.receive(chain_, now_);
    queue.push(chain_.head, 0);
    if (++taken % kChainsBetweenPublishing == 0) call = queue.publish() || call;
  }
  call = queue.publish() || call;
  if (call) signal(ring(kTransmit).call);
  return more;
}

bool Device::receive() {
  auto& queue = ring(kReceive).queue;
  if (!queue.running()) return false;
  const bool transmit_waited = !muxer_.can_receive();
  size_t filled = 0;
  bool call = false;
  bool more = false;
  queue.decline_kicks();
  while (const auto due = muxer_.due()) {
    if (filled >= kChainsPerTurn) {
      more = true;
      break;
    }
    size_t popped = 0;
    for (size_t room = 0; popped < kMaxChainsAtOnce && (popped == 0 || room < *due); ++popped) {
      const auto got = queue.pop(chains_[popped]);
      if (!got) return break_down(got.error().message()), false;
      if (!*got) break;
      if (chains_[popped].bytes <= kPacketHeaderBytes) {
        return break_down(fmt::format("a receive buffer of {} bytes", chains_[popped].bytes)), false;
      }
      room += chains_[popped].bytes - kPacketHeaderBytes;
    }
    if (popped == 0) {
      if (queue.ask_for_kick()) continue;
      break;
    }
    written_.clear();
    muxer_.fill({chains_.data(), popped}, written_, now_);
    queue.unpop(static_cast<uint16_t>(popped - written_.size()));
    for (size_t i = 0; i < written_.size(); ++i) queue.push(chains_[i].head, written_[i]);
    filled += written_.size();
    if (filled % kChainsBetweenPublishing < written_.size()) call = queue.publish() || call;
  }
  call = queue.publish() || call;
  if (call) signal(ring(kReceive).call);
  return more || (transmit_waited && muxer_.can_receive());
}

}  // namespace gatehouse::bridge
