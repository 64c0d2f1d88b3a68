#include "dlp/session.h"

#include <gmock/gmock.h>

#include "dlp/test_scan.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string hello() {
  std::string out;
  append_hello(out);
  return out;
}
std::string open() {
  std::string out;
  EXPECT_TRUE(append_open(out, {"https", Direction::out, "api.example", "trace"}));
  return out;
}
std::string part(const std::string& location) {
  std::string out;
  EXPECT_TRUE(append_part(out, {location, "", ""}));
  return out;
}
std::string body(std::string_view bytes) {
  std::string out;
  append_data(out, bytes);
  return out;
}
std::string frame(FrameType type, std::string_view payload = {}) {
  return ipc::encode_frame(static_cast<uint8_t>(type), payload);
}
const std::string kCheck = frame(FrameType::check);
const std::string kEnd = frame(FrameType::end);

class SessionTest : public testing::Test {
 protected:
  SessionTest() : session_(std::make_unique<Session>(open_scan_, kJudgeBySeverity)) {}

  // In pieces of this size; what the session took of it in one go, or the error.
  std::string send(std::string_view bytes, size_t piece = 1 << 20) {
    while (!bytes.empty()) {
      std::string_view arrived = bytes.substr(0, piece);
      bytes.remove_prefix(arrived.size());
      while (!arrived.empty()) {
        const auto taken = session_->advance(arrived);
        if (!taken) return taken.error().message();
        arrived.remove_prefix(*taken);
      }
    }
    return "taken";
  }

  // Verdicts that came since, as "allow", "redact 0:3+1", "deny".
  std::vector<std::string> recv() {
    answers_.feed(session_->take_output());
    std::vector<std::string> said;
    for (auto next = answers_.next_view(); next && *next; next = answers_.next_view()) {
      if (static_cast<FrameType>((*next)->type) == FrameType::hello) {
        said.emplace_back("hello");
        continue;
      }
      const auto verdict = decode_verdict((*next)->payload);
      if (!verdict) {
        said.push_back(verdict.error().message());
        continue;
      }
      std::string words = verdict->outcome == ScanVerdict::Outcome::allow    ? "allow"
                          : verdict->outcome == ScanVerdict::Outcome::redact ? "redact"
                                                                             : "deny";
      for (const auto& [in, offset, length] : verdict->redactions)
        words += fmt::format(" {}:{}+{}", in, offset, length);
      said.push_back(words);
    }
    return said;
  }

  std::string notes_;
  const OpenScan open_scan_ = [this](const StreamInfo& stream) {
    return std::make_unique<LetterScan>(stream, &notes_);
  };
  std::unique_ptr<Session> session_;
  ipc::FrameReader answers_{kMaxFrameBytes};
};

TEST_F(SessionTest, AnswersOneStreamAfterTheOther) {
  EXPECT_EQ(send(hello()), "taken");
  EXPECT_THAT(recv(), ElementsAre("hello"));
  EXPECT_EQ(send(open() + part("path") + body("/x") + part("body") + body("one S") + kEnd), "taken");
  EXPECT_THAT(recv(), ElementsAre("redact 1:4+1"));
  EXPECT_FALSE(session_->in_stream());
  EXPECT_EQ(send(open() + part("body") + body("nothing") + kEnd), "taken");
  EXPECT_THAT(recv(), ElementsAre("allow"));
  EXPECT_EQ(notes_,
            "open https out api.example\npart path\ndata /x\npart body\ndata one S\nfinish\ngone\n"
            "open https out api.example\npart body\ndata nothing\nfinish\ngone\n");
}

TEST_F(SessionTest, ChecksAStreamThatGoesOnAndReportsWhatIsNew) {
  EXPECT_EQ(send(hello() + open() + part("body") + body("S") + kCheck + body("--") + kCheck + body("S") + kEnd),
            "taken");
  EXPECT_THAT(recv(), ElementsAre("hello", "redact 0:0+1", "allow", "redact 0:3+1"));
  EXPECT_EQ(notes_, "open https out api.example\npart body\ndata S\ndata --\ndata S\nfinish\ngone\n");
}

TEST_F(SessionTest, ReadsTheSameWhateverThePieces) {
  const std::string all = hello() + open() + part("header:x") + body("aSa") + part("body") +
                          body(std::string(99, 'S')) + kCheck + part("body") + kEnd + open() + kEnd;
  EXPECT_EQ(send(all), "taken");
  const auto whole = recv();
  for (size_t piece = 1; piece < 40; ++piece) {
    session_ = std::make_unique<Session>(open_scan_, kJudgeBySeverity);
    EXPECT_EQ(send(all, piece), "taken");
    EXPECT_EQ(recv(), whole) << piece;
  }
}

TEST_F(SessionTest, TakesALargeFrameStepByStep) {
  EXPECT_EQ(send(hello() + open() + part("body")), "taken");
  const std::string large = body(std::string(kMaxFrameBytes, 'x'));
  const auto taken = session_->advance(large);
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, ipc::kFrameHeaderBytes + kStepBytes);
}

TEST_F(SessionTest, RefusesWhatIsOutOfOrderOrOutOfBounds) {
  const std::string greeted = hello();
  const std::string opened = greeted + open();
  const auto header = [](uint32_t length, uint8_t type) {
    std::string bytes;
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(length >> (8 * i) & 0xff);
    return bytes + static_cast<char>(type);
  };
  std::string many_parts;
  for (size_t i = 0; i <= kMaxParts; ++i) many_parts += part("header:x");
  const struct {
    std::string sent;
    std::string told;
  } cases[] = {
      {open(), "unexpected frame of type 2"},
      {hello() + hello(), "unexpected frame of type 1"},
      {frame(FrameType::hello, R"({"version":2})"), "speaks version 2"},
      {frame(FrameType::hello, "x"), "hello: not a JSON object"},
      {greeted + part("body"), "part of no stream"},
      {greeted + body("x"), "data of no part"},
      {greeted + kCheck, "question about no stream"},
      {greeted + kEnd, "question about no stream"},
      {opened + open(), "stream within a stream"},
      {opened + body("x"), "data of no part"},
      {opened + kEnd + body("x"), "data of no part"},
      {opened + part("body") + kEnd + body("x"), "data of no part"},
      {opened + kEnd + kEnd, "question about no stream"},
      {opened + frame(FrameType::end, "now"), "question of 3 bytes"},
      {opened + frame(FrameType::verdict), "unexpected frame of type 7"},
      {opened + frame(static_cast<FrameType>(0)), "unexpected frame of type 0"},
      {opened + frame(static_cast<FrameType>(200)), "unexpected frame of type 200"},
      {greeted + frame(FrameType::open, "\1"), "open: cut short"},
      {opened + frame(FrameType::part, "\1"), "part: cut short"},
      {opened + many_parts, "more than 4096 parts"},
      {std::string(5, '\0'), "frame without a type"},
      {header(0xffffffff, 1), "frame of 4294967294 bytes is over the limit of 65536"},
      {opened + header(kMaxControlFrameBytes + 2, 3), "frame of 65537 bytes is over the limit of 65536"},
      {opened + part("body") + header(kMaxFrameBytes + 2, 4), "frame of 262145 bytes is over the limit of 262144"},
      {"GET / HTTP/1.1\r\n\r\n", "is over the limit"},
  };
  for (const auto& c : cases) {
    for (const size_t piece : {size_t{1} << 20, size_t{1}}) {
      session_ = std::make_unique<Session>(open_scan_, kJudgeBySeverity);
      EXPECT_THAT(send(c.sent, piece), HasSubstr(c.told));
    }
  }
}

TEST_F(SessionTest, LetsGoOfAStreamThatIsLeft) {
  EXPECT_EQ(send(hello() + open() + part("body") + body("half")), "taken");
  EXPECT_TRUE(session_->in_stream());
  session_.reset();
  EXPECT_THAT(notes_, testing::EndsWith("data half\ngone\n"));
}

}  // namespace
}  // namespace gatehouse::dlp
