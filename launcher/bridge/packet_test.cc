#include "launcher/bridge/packet.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace gatehouse::bridge {
namespace {

const PacketHeader kHeader{.source_cid = 3,
                           .destination_cid = 2,
                           .source_port = 0x01020304,
                           .destination_port = 53,
                           .length = 7,
                           .type = kTypeStream,
                           .op = Op::data,
                           .flags = 3,
                           .buffer_size = 65536,
                           .forwarded = 9};

TEST(Packet, LaysTheHeaderOutAsTheSpecificationDoes) {
  std::string bytes(kPacketHeaderBytes, '\xff');
  write_packet_header(kHeader, bytes.data());
  EXPECT_EQ(bytes, std::string("\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x04\x03\x02\x01\x35\0\0\0\x07\0\0\0\x01\0\x05\0"
                               "\x03\0\0\0\0\0\x01\0\x09\0\0\0",
                               kPacketHeaderBytes));
}

TEST(Packet, ReadsBackAHeaderCutIntoAnyPieces) {
  for (size_t cut = 0; cut <= kPacketHeaderBytes; ++cut) {
    std::string bytes(kPacketHeaderBytes + 3, '\0');
    std::array<iovec, 2> parts{iovec{bytes.data(), cut}, iovec{bytes.data() + cut, bytes.size() - cut}};
    scatter_packet_header(kHeader, parts);
    EXPECT_EQ(gather_packet_header(parts), kHeader) << cut;
  }
}

TEST(Packet, HasNoHeaderWhenAByteIsMissing) {
  std::string bytes(kPacketHeaderBytes - 1, '\0');
  const iovec part{bytes.data(), bytes.size()};
  EXPECT_EQ(gather_packet_header({&part, 1}), std::nullopt);
}

TEST(Packet, SlicesBuffersAcrossTheirBorders) {
  std::string bytes = "abcdefgh";
  const std::array<iovec, 3> parts{iovec{bytes.data(), 3}, iovec{bytes.data() + 3, 2}, iovec{bytes.data() + 5, 3}};
  std::vector<iovec> slices;
  EXPECT_EQ(slice_buffers(parts, 2, 4, slices), 4u);
  std::string text;
  for (const auto& slice : slices) text.append(static_cast<const char*>(slice.iov_base), slice.iov_len);
  EXPECT_EQ(text, "cdef");
}

}  // namespace
}  // namespace gatehouse::bridge
