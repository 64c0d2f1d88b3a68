#include "dns/framing.h"

#include <gtest/gtest.h>

namespace gatehouse::dns {
namespace {

using namespace std::string_literals;

TEST(DnsFraming, HandsOutMessagesHoweverTheyArrive) {
  std::string stream;
  append_frame("first", stream);
  append_frame("", stream);
  append_frame(std::string(65535, 'x'), stream);
  for (const size_t piece : {1, 2, 3, 7, 1000, 100000}) {
    MessageReader reader;
    std::vector<std::string> messages;
    for (size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(std::string_view(stream).substr(at, piece));
      while (const auto message = reader.next()) messages.emplace_back(*message);
    }
    EXPECT_EQ(messages, (std::vector<std::string>{"first", "", std::string(65535, 'x')})) << piece;
    EXPECT_FALSE(reader.pending());
  }
}

TEST(DnsFraming, KnowsThatAMessageHasBegun) {
  MessageReader reader;
  EXPECT_FALSE(reader.pending());
  reader.feed("\0"s);
  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_TRUE(reader.pending());
  reader.feed("\2ab"s);
  EXPECT_EQ(reader.next(), "ab");
  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_FALSE(reader.pending());
}

TEST(DnsFraming, WritesTheLengthInNetworkOrder) {
  std::string out;
  append_frame(std::string(258, 'a'), out);
  EXPECT_EQ(out.substr(0, 3), "\1\2a");
}

}  // namespace
}  // namespace gatehouse::dns
