#include "guest/dns_framing.h"

#include <gtest/gtest.h>

namespace gatehouse::guest {
namespace {

using namespace std::string_literals;

TEST(DnsFraming, PutsTheLengthInNetworkOrderInFront) {
  EXPECT_EQ(frame_dns("abc"),
            "\0\x03"
            "abc"s);
  EXPECT_EQ(frame_dns(std::string(0x1234, 'x')).substr(0, 2), "\x12\x34");
}

TEST(DnsFraming, PutsMessagesTogetherWhateverThePieces) {
  const std::string stream = frame_dns("one") + frame_dns("") + frame_dns(std::string(65535, 'x'));
  for (const size_t piece : {size_t{1}, size_t{7}, stream.size()}) {
    DnsFrameReader reader;
    std::vector<size_t> sizes;
    for (size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(std::string_view(stream).substr(at, piece));
      while (auto message = reader.next()) sizes.push_back(message->size());
    }
    EXPECT_EQ(sizes, (std::vector<size_t>{3, 0, 65535})) << piece;
  }
}

}  // namespace
}  // namespace gatehouse::guest
