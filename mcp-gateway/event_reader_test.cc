#include "mcp-gateway/event_reader.h"

#include <gmock/gmock.h>

#include <vector>

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;

struct Case {
  std::string_view stream;
  std::vector<std::string> messages;
  std::string last_id;
};

TEST(EventReader, ReadsWhatTheStandardSaysHoweverItIsCut) {
  const Case table[] = {
      {"data: one\n\ndata:two\n\n", {"one", "two"}, ""},
      {"data: a\r\ndata: b\r\n\r\n", {"a\nb"}, ""},
      {"data: a\rdata: b\r\r", {"a\nb"}, ""},
      {"\xef\xbb\xbf"
       "data: marked\n\n",
       {"marked"},
       ""},
      {": comment\n\n:\n\ndata\n\n", {}, ""},
      {"id: 7\ndata:\n\n", {}, "7"},
      {"id: 7\ndata: x\n\nid\ndata: y\n\n", {"x", "y"}, ""},
      {"id: 7\ndata: x\n\nid: a\x01"
       "b\ndata: y\n\n",
       {"x", "y"},
       "7"},
      {"id: 8\ndata: cut", {}, ""},
      {"event: endpoint\ndata: /x\n\nevent: message\ndata: m\n\n", {"m"}, ""},
      {"data:  two spaces\nother: x\nnothing\n\n", {" two spaces"}, ""},
      {"data: {\ndata: }\n\n", {"{\n}"}, ""},
  };
  for (const auto& [stream, messages, last_id] : table) {
    for (size_t piece = 1; piece <= stream.size(); ++piece) {
      EventReader reader(100);
      std::vector<std::string> got;
      for (size_t at = 0; at < stream.size(); at += piece) {
        ASSERT_TRUE(reader.feed(stream.substr(at, piece), [&](std::string_view data) { got.emplace_back(data); }));
      }
      EXPECT_EQ(got, messages) << stream << " by " << piece;
      EXPECT_EQ(reader.last_id(), last_id) << stream << " by " << piece;
    }
  }
}

TEST(EventReader, KeepsToItsLimits) {
  const auto nobody = [](std::string_view) {};
  EXPECT_FALSE(EventReader(10).feed("data: 12345", nobody));
  EXPECT_TRUE(EventReader(10).feed("data: 1234\n", nobody));
  EventReader reader(10);
  EXPECT_TRUE(reader.feed("data:12345\n", nobody));
  EXPECT_FALSE(reader.feed("data:123456\n", nobody));
}

TEST(EventReader, HeedsHowLongToWait) {
  EventReader reader(100);
  const auto nobody = [](std::string_view) {};
  EXPECT_TRUE(reader.feed("retry: x\nretry: -5\n", nobody));
  EXPECT_FALSE(reader.retry());
  EXPECT_TRUE(reader.feed("retry: 1500\n", nobody));
  EXPECT_EQ(reader.retry(), std::chrono::milliseconds(1500));
  EXPECT_TRUE(reader.feed("retry: 4000000000\n", nobody));
  EXPECT_EQ(reader.retry(), kLongestRetry);
}

}  // namespace
}  // namespace gatehouse::mcp
