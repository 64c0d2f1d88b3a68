#include "proxy/telemetry/json_reader.h"

#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;

// Looks into every container and takes every scalar; or takes whole what lies at one path.
struct Recorder : JsonListener {
  Interest begin(std::string_view path, JsonKind kind) override {
    const bool container = kind == JsonKind::object || kind == JsonKind::array;
    if (path == skipped) return {};
    if (container && path != taken) return {Wish::look, 0};
    current = std::string(path) + "=";
    return {Wish::whole, 1};
  }
  void bytes(int, std::string_view piece) override { current += piece; }
  void end(int) override { values.push_back(current); }

  std::string taken = "no path";
  std::string skipped = "no path";
  std::string current;
  std::vector<std::string> values;
};

struct Read {
  std::vector<std::string> values;
  bool whole = false;
};

Read read(std::string_view text, size_t piece = SIZE_MAX, Recorder recorder = {}) {
  JsonReader reader(recorder);
  for (size_t at = 0; at < text.size(); at += std::min(piece, text.size() - at)) reader.feed(text.substr(at, piece));
  const bool whole = reader.finish();
  return {recorder.values, whole};
}

TEST(JsonReader, TellsPathsAndValuesHoweverTheInputIsCut) {
  const std::string text =
      R"( {"a": {"b\u0063": ["x", 1.5e3, {"d": null}], "": true}, "e" : "q\"\n\u00e9\ud83d\ude00z", "f":[[2]]} )";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    const auto got = read(text, piece);
    EXPECT_TRUE(got.whole) << piece;
    EXPECT_THAT(got.values, ElementsAre("a.bc[]=x", "a.bc[]=1.5e3", "a.bc[].d=null", "a.=true",
                                        "e=q\"\n\u00e9\U0001F600z", "f[][]=2"))
        << piece;
  }
}

TEST(JsonReader, HandsAContainerOnAsItStands) {
  const std::string text = R"({"a": {"b": [1, "}\"]", {}], "c":"\u0041"} , "d": 2})";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    Recorder recorder;
    recorder.taken = "a";
    const auto got = read(text, piece, recorder);
    EXPECT_TRUE(got.whole) << piece;
    EXPECT_THAT(got.values, ElementsAre(R"(a={"b": [1, "}\"]", {}], "c":"\u0041"})", "d=2")) << piece;
  }
}

TEST(JsonReader, PassesOverWhatIsNotWanted) {
  Recorder recorder;
  recorder.skipped = "a";
  EXPECT_THAT(read(R"({"a":{"x":[{"y":"1"}]},"b":1})", 3, recorder).values, ElementsAre("b=1"));
}

TEST(JsonReader, PutsTheReplacementCharacterForHalfASurrogatePair) {
  EXPECT_THAT(read(R"(["\ud83d","\ud83dx","\ude00","\ud83d\ud83d\ude00"])").values,
              ElementsAre("[]=\ufffd", "[]=\ufffdx", "[]=\ufffd", "[]=\ufffd\U0001F600"));
}

TEST(JsonReader, RefusesWhatIsNoJson) {
  for (const char* text : {"",    " ",    "{",        "[1,]",    "{\"a\":1,}",  "{a:1}",     "[1 2]",
                           "tru", "trux", "\"a\nb\"", "\"\\x\"", "\"\\u12g4\"", "{\"a\" 1}", "[}",
                           "{]",  "1 2",  "}",        "\"a",     "{\"a\":}",    "[\"a\":1]"}) {
    EXPECT_FALSE(read(text).whole) << text;
    EXPECT_FALSE(read(text, 1).whole) << text;
  }
}

TEST(JsonReader, RefusesToNestDeeperThanItsLimit) {
  EXPECT_TRUE(read(std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']')).whole);
  EXPECT_FALSE(read(std::string(kMaxJsonDepth + 1, '[') + std::string(kMaxJsonDepth + 1, ']')).whole);
}

TEST(JsonReader, TellsNothingOfWhatLiesBehindALongName) {
  const auto got = read("{\"" + std::string(kMaxJsonPathBytes + 1, 'a') + "\":{\"b\":1},\"c\":2}");
  EXPECT_TRUE(got.whole);
  EXPECT_THAT(got.values, ElementsAre("c=2"));
}

TEST(JsonReader, ReadsAnotherDocumentAfterAReset) {
  Recorder recorder;
  JsonReader reader(recorder);
  EXPECT_TRUE(reader.empty());
  EXPECT_FALSE(reader.feed("{\"a\":[x"));
  EXPECT_FALSE(reader.empty());
  reader.reset();
  EXPECT_TRUE(reader.feed("{\"b\":1}"));
  EXPECT_TRUE(reader.finish());
  EXPECT_THAT(recorder.values, ElementsAre("b=1"));
}

}  // namespace
}  // namespace gatehouse::proxy
