#include "proxy/telemetry/event_stream_reader.h"

#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

struct Recorder : EventStreamListener {
  void on_data(std::string_view piece) override { current += piece; }
  void on_event_end() override { events.push_back(std::exchange(current, {})); }
  std::string current;
  std::vector<std::string> events;
};

struct Case {
  const char* name;
  std::string text;
  std::vector<std::string> events;
};

const Case kCases[] = {
    {"one event", "data: a\n\n", {"a"}},
    {"two with names, comments, ids", ": hi\nevent: x\ndata: a\n\nid: 7\nevent: y\ndata:b\n\n", {"a", "b"}},
    {"all three ends of line", "data: a\r\n\r\ndata: b\r\rdata: c\n\n", {"a", "b", "c"}},
    {"several lines", "data: a\ndata: b\ndata:  c\n\n", {"a\nb\n c"}},
    {"a line without value", "data\ndata: x\ndata:\n\n", {"\nx\n"}},
    {"no data", "event: ping\n\n: x\n\ndata: a\n\n", {"a"}},
    {"other fields that begin alike", "dat: x\ndatax: y\nDATA: z\ndata: a\n\n", {"a"}},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "data: a\n\n",
     {"a"}},
    {"an end that nothing marks", "data: a\n\ndata: b", {"a", "b"}},
    {"nothing", "", {}},
    {"a colon in the value", "data: {\"a\": 1}\n\n", {"{\"a\": 1}"}},
};

TEST(EventStreamReader, TellsTheDataOfEachEventHoweverTheInputIsCut) {
  for (const auto& one : kCases) {
    for (size_t piece = 1; piece <= one.text.size() + 1; ++piece) {
      Recorder recorder;
      EventStreamReader reader(recorder);
      for (size_t at = 0; at < one.text.size(); at += piece) reader.feed(std::string_view(one.text).substr(at, piece));
      reader.finish();
      EXPECT_EQ(recorder.events, one.events) << one.name << " in pieces of " << piece;
    }
  }
}

TEST(EventStreamReader, EndsAnEventWithItsEmptyLine) {
  Recorder recorder;
  EventStreamReader reader(recorder);
  reader.feed("data: a\n");
  EXPECT_TRUE(recorder.events.empty());
  reader.feed("\n");
  EXPECT_EQ(recorder.events.size(), 1U);
}

}  // namespace
}  // namespace gatehouse::proxy
