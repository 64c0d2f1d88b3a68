#include "launcher/bridge/packet.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "launcher/bridge/guest_memory.h"

namespace gatehouse::bridge {

namespace {

static_assert(std::endian::native == std::endian::little, "virtio 1.x and vhost-user are little-endian");

template <class T>
void read_field(const char*& at, T& field) {
  std::memcpy(&field, at, sizeof field);
  at += sizeof field;
}

template <class T>
void write_field(char*& at, const T& field) {
  std::memcpy(at, &field, sizeof field);
  at += sizeof field;
}

// Names the fields once, in the order of struct virtio_vsock_hdr.
template <class Header, class Visit>
void each_field(Header& header, Visit visit) {
  visit(header.source_cid);
  visit(header.destination_cid);
  visit(header.source_port);
  visit(header.destination_port);
  visit(header.length);
  visit(header.type);
  visit(header.op);
  visit(header.flags);
  visit(header.buffer_size);
  visit(header.forwarded);
}

}  // namespace

PacketHeader read_packet_header(const char* bytes) {
  PacketHeader header;
  each_field(header, [&bytes](auto& field) { read_field(bytes, field); });
  return header;
}

void write_packet_header(const PacketHeader& header, char* bytes) {
  each_field(header, [&bytes](const auto& field) { write_field(bytes, field); });
}

std::optional<PacketHeader> gather_packet_header(std::span<const iovec> buffers) {
  std::array<char, kPacketHeaderBytes> bytes;
  size_t filled = 0;
  for (const auto& buffer : buffers) {
    const size_t length = std::min(buffer.iov_len, bytes.size() - filled);
    copy_from_guest(bytes.data() + filled, buffer.iov_base, length);
    filled += length;
    if (filled == bytes.size()) return read_packet_header(bytes.data());
  }
  return std::nullopt;
}

void scatter_packet_header(const PacketHeader& header, std::span<const iovec> buffers) {
  std::array<char, kPacketHeaderBytes> bytes;
  write_packet_header(header, bytes.data());
  size_t done = 0;
  for (const auto& buffer : buffers) {
    const size_t length = std::min(buffer.iov_len, bytes.size() - done);
    std::memcpy(buffer.iov_base, bytes.data() + done, length);
    done += length;
    if (done == bytes.size()) return;
  }
}

size_t slice_buffers(std::span<const iovec> buffers, size_t skip, size_t most, std::vector<iovec>& slices) {
  size_t taken = 0;
  for (const auto& buffer : buffers) {
    if (skip >= buffer.iov_len) {
      skip -= buffer.iov_len;
      continue;
    }
    const size_t length = std::min(buffer.iov_len - skip, most - taken);
    if (length == 0) break;
    slices.push_back({static_cast<char*>(buffer.iov_base) + skip, length});
    taken += length;
    skip = 0;
  }
  return taken;
}

std::string_view to_string(Op op) {
  switch (op) {
    case Op::invalid:
      return "invalid";
    case Op::request:
      return "request";
    case Op::response:
      return "response";
    case Op::reset:
      return "reset";
    case Op::shutdown:
      return "shutdown";
    case Op::data:
      return "data";
    case Op::credit_update:
      return "credit update";
    case Op::credit_request:
      return "credit request";
  }
  return "unknown";
}

}  // namespace gatehouse::bridge
