// The packets of a virtio socket device: virtio 1.2 section 5.10.6.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gatehouse::bridge {

inline constexpr uint64_t kHostCid = 2;            // VMADDR_CID_HOST
inline constexpr uint64_t kDefaultGuestCid = 3;    // the first CID that is not reserved
inline constexpr size_t kPacketHeaderBytes = 44;   // struct virtio_vsock_hdr
inline constexpr size_t kMaxPayloadBytes = 65536;  // of one packet towards the guest; what Linux sends as well
inline constexpr uint16_t kTypeStream = 1;         // VIRTIO_VSOCK_TYPE_STREAM, the only type offered

// Flags of a shutdown packet: what its sender will not do any more.
inline constexpr uint32_t kShutdownReceive = 1;
inline constexpr uint32_t kShutdownSend = 2;
inline constexpr uint32_t kShutdownBoth = kShutdownReceive | kShutdownSend;

enum class Op : uint16_t {
  invalid = 0,
  request = 1,
  response = 2,
  reset = 3,
  shutdown = 4,
  data = 5,  // VIRTIO_VSOCK_OP_RW
  credit_update = 6,
  credit_request = 7,
};

struct PacketHeader {
  uint64_t source_cid = 0;
  uint64_t destination_cid = 0;
  uint32_t source_port = 0;
  uint32_t destination_port = 0;
  uint32_t length = 0;  // of the payload
  uint16_t type = kTypeStream;
  Op op = Op::invalid;  // any 16-bit value may stand here when it comes from the guest
  uint32_t flags = 0;
  uint32_t buffer_size = 0;  // buf_alloc: what the sender can hold for this connection
  uint32_t forwarded = 0;    // fwd_cnt: bytes the sender has passed on, modulo 2^32

  bool operator==(const PacketHeader&) const = default;
};

// Reads and writes the little-endian form; exactly kPacketHeaderBytes each. Reading judges no field.
PacketHeader read_packet_header(const char* bytes);
void write_packet_header(const PacketHeader& header, char* bytes);

// The header at the start of a chain of buffers, wherever they are cut; nullopt when they are too short. Each byte is
// read once.
std::optional<PacketHeader> gather_packet_header(std::span<const iovec> buffers);
// Writes the header to the start of `buffers`, which hold kPacketHeaderBytes at least.
void scatter_packet_header(const PacketHeader& header, std::span<const iovec> buffers);

// Appends to `slices` what is left of `buffers` after `skip` bytes, `most` bytes at most; returns how many bytes.
size_t slice_buffers(std::span<const iovec> buffers, size_t skip, size_t most, std::vector<iovec>& slices);

std::string_view to_string(Op op);

}  // namespace gatehouse::bridge
