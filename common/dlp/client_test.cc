#include "common/dlp/client.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <list>

#include "common/base/uuid.h"
#include "common/dlp/protocol.h"
#include "common/net/stream.h"

namespace gatehouse::dlp {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr milliseconds kLong{60'000};
const StreamInfo kStream{"https", Direction::out, "api.example.com", "trace"};

std::string hello() {
  std::string out;
  append_hello(out);
  return out;
}

std::string verdict(ScanVerdict::Outcome outcome) {
  std::string out;
  append_verdict(out, {outcome, {}, {}});
  return out;
}

// Answers as a test says; notes what it is sent, one word a frame, on which connection.
class FakeScanner {
 public:
  explicit FakeScanner(Loop& loop)
      : loop_(loop), endpoint_{Endpoint::Kind::unix_stream, {}, 0, ::testing::TempDir() + "/dlp." + make_uuid()} {
    start();
  }
  ~FakeScanner() { ::unlink(endpoint_.path.c_str()); }

  struct Guest {
    std::unique_ptr<Stream> stream;
    ipc::FrameReader frames{kMaxFrameBytes};
    std::string heard;
    std::string data;
    bool gone = false;
    size_t reads = 0;
  };
  // What is answered to a frame of this type, raw bytes.
  std::function<std::string(Guest&, FrameType)> answer = [](Guest&, FrameType type) {
    return type == FrameType::check || type == FrameType::end ? verdict(ScanVerdict::Outcome::allow) : "";
  };
  std::string greeting = hello();
  std::list<Guest> guests;  // in order of their coming
  bool reading = true;

  const Endpoint& endpoint() const { return endpoint_; }
  void stop() {
    listener_.reset();
    ::unlink(endpoint_.path.c_str());
    for (Guest& guest : guests) guest.stream.reset();
  }
  void start() {
    listener_ = std::move(*Listener::start(loop_, std::move(*open_socket(endpoint_)),
                                           [this](std::unique_ptr<Stream> stream) { accept(std::move(stream)); }));
  }

 private:
  void accept(std::unique_ptr<Stream> stream) {
    Guest& guest = guests.emplace_back();
    guest.stream = std::move(stream);
    guest.stream->set_callbacks({.data = [this, &guest](std::string_view bytes) { read(guest, bytes); },
                                 .end = [&guest] { guest.gone = true; },
                                 .error = [&guest](const Error&) { guest.gone = true; },
                                 .drained = {}});
    guest.stream->write(greeting);
    if (reading) guest.stream->start_reading();
  }

  void read(Guest& guest, std::string_view bytes) {
    ++guest.reads;
    guest.frames.feed(bytes);
    for (auto frame = guest.frames.next_view(); frame && *frame; frame = guest.frames.next_view()) {
      static const char* const kNames[] = {"?", "hello", "open", "part", "data", "check", "end", "verdict"};
      const auto type = static_cast<FrameType>((*frame)->type);
      guest.heard += std::string(guest.heard.empty() ? "" : " ") + kNames[(*frame)->type & 7];
      if (type == FrameType::data) guest.data += (*frame)->payload;
      const std::string said = answer(guest, type);
      if (!guest.stream) return;
      guest.stream->write(said);
    }
  }

  Loop& loop_;
  Endpoint endpoint_;
  std::unique_ptr<Listener> listener_;
};

class ClientTest : public testing::Test {
 protected:
  void connect(milliseconds deadline = kLong) { client_ = ScanClient::create(loop_, scanner_.endpoint(), deadline); }

  template <class Condition>
  bool turn_until(Condition done) {
    const auto give_up = steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (steady_clock::now() > give_up) return false;
      loop_.turn();
    }
    return true;
  }

  Scan::OnVerdict keep() {
    return [this](Result<ScanVerdict> said) {
      told_.push_back(!said                                          ? said.error().message()
                      : said->outcome == ScanVerdict::Outcome::allow ? "allow"
                      : said->outcome == ScanVerdict::Outcome::deny  ? "deny"
                                                                     : "redact");
    };
  }

  // One small stream from begin to end.
  std::string scan(std::string_view body) {
    const size_t before = told_.size();
    auto scan = client_->open(kStream);
    scan->part({"body", "", ""});
    scan->write(body);
    scan->finish(keep());
    return turn_until([&] { return told_.size() > before; }) ? told_.back() : "no answer";
  }

  Loop loop_;
  FakeScanner scanner_{loop_};
  std::unique_ptr<ScanClient> client_;
  std::vector<std::string> told_;
};

TEST_F(ClientTest, SaysASmallRequestInOnePiece) {
  connect();
  auto scan = client_->open(kStream);
  for (int i = 0; i < 15; ++i) {
    scan->part({"header:x", "", ""});
    scan->write("value");
  }
  scan->finish(keep());
  EXPECT_THAT(told_, testing::IsEmpty());
  ASSERT_TRUE(turn_until([&] { return !told_.empty(); }));
  EXPECT_THAT(told_, ElementsAre("allow"));
  ASSERT_EQ(scanner_.guests.size(), 1U);
  EXPECT_EQ(scanner_.guests.front().reads, 1U);
  EXPECT_THAT(scanner_.guests.front().heard, testing::StartsWith("hello open part data part data"));
  EXPECT_THAT(scanner_.guests.front().heard, testing::EndsWith("part data end"));
}

TEST_F(ClientTest, KeepsItsConnections) {
  connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(scan("body"), "allow");
  EXPECT_EQ(scanner_.guests.size(), 1U);
  auto one = client_->open(kStream);
  auto two = client_->open(kStream);
  one->finish(keep());
  two->finish(keep());
  ASSERT_TRUE(turn_until([&] { return told_.size() == 12; }));
  EXPECT_EQ(scanner_.guests.size(), 2U);
}

TEST_F(ClientTest, ChecksAStreamThatGoesOn) {
  connect();
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  for (size_t i = 1; i <= 3; ++i) {
    scan->write("piece");
    scan->check(keep());
    scan->write("more");
    ASSERT_TRUE(turn_until([&] { return told_.size() == i; }));
  }
  scan->finish(keep());
  ASSERT_TRUE(turn_until([&] { return told_.size() == 4; }));
  EXPECT_THAT(told_, ElementsAre("allow", "allow", "allow", "allow"));
  EXPECT_EQ(scanner_.guests.front().data, "piecemorepiecemorepiecemore");
}

TEST_F(ClientTest, QueuesALargeBodyUntilTheScannerReads) {
  connect();
  scanner_.reading = false;
  auto scan = client_->open(kStream);
  bool drained = false;
  scan->on_drained([&] { drained = true; });
  scan->part({"body", "", ""});
  const std::string piece(100'000, 'x');
  size_t written = 0;
  while (scan->queued() <= kMaxScanQueuedBytes || scanner_.guests.empty()) {
    if (scan->queued() <= kMaxScanQueuedBytes) {
      scan->write(piece);
      written += piece.size();
    }
    loop_.turn();
  }
  drained = false;
  for (int i = 0; i < 10; ++i) loop_.turn();
  EXPECT_FALSE(drained);
  scanner_.guests.front().stream->start_reading();
  ASSERT_TRUE(turn_until([&] { return drained; }));
  scan->finish(keep());
  ASSERT_TRUE(turn_until([&] { return !told_.empty(); }));
  EXPECT_EQ(scanner_.guests.front().data.size(), written);
}

TEST_F(ClientTest, SaysItAgainWhenAKeptConnectionHadBeenClosed) {
  connect();
  EXPECT_EQ(scan("first"), "allow");
  // Closed after it was taken from those that are kept: as seen when the close crosses the next request.
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  scan->write("second");
  scan->finish(keep());
  scanner_.guests.front().stream.reset();
  ASSERT_TRUE(turn_until([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_.back(), "allow");
  ASSERT_EQ(scanner_.guests.size(), 2U);
  EXPECT_EQ(scanner_.guests.back().heard, "hello open part data end");
  EXPECT_EQ(scanner_.guests.back().data, "second");
}

TEST_F(ClientTest, SaysItAgainOnlyOnce) {
  connect();
  EXPECT_EQ(scan("first"), "allow");
  scanner_.answer = [](FakeScanner::Guest& guest, FrameType) {
    guest.stream.reset();
    return "";
  };
  EXPECT_THAT(scan("second"), HasSubstr("closed the connection"));
  EXPECT_EQ(scanner_.guests.size(), 2U);
}

TEST_F(ClientTest, DoesNotSayAgainWhatIsNoLongerWhollyAtHand) {
  connect();
  EXPECT_EQ(scan("first"), "allow");
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  scan->write(std::string(200'000, 'x'));
  scanner_.guests.front().stream.reset();
  scan->finish(keep());
  ASSERT_TRUE(turn_until([&] { return told_.size() == 2; }));
  EXPECT_THAT(told_.back(), HasSubstr("scanner unix:"));
  EXPECT_EQ(scanner_.guests.size(), 1U);
}

TEST_F(ClientTest, ForgetsAKeptConnectionThatCloses) {
  connect();
  EXPECT_EQ(scan("first"), "allow");
  scanner_.stop();
  for (int i = 0; i < 10; ++i) loop_.turn();
  scanner_.start();
  EXPECT_EQ(scan("second"), "allow");
  EXPECT_EQ(scanner_.guests.size(), 2U);
}

TEST_F(ClientTest, AnswersWithAnErrorWhateverGoesWrong) {
  using Guest = FakeScanner::Guest;
  const auto on_end = [](std::string bytes) {
    return [bytes](Guest&, FrameType type) { return type == FrameType::end ? bytes : ""; };
  };
  const struct {
    std::string greeting;
    std::function<std::string(Guest&, FrameType)> answer;
    std::string told;
  } cases[] = {
      {hello(), [](Guest& guest, FrameType) { return guest.stream.reset(), ""; }, "closed the connection"},
      {"", on_end(verdict(ScanVerdict::Outcome::allow)), "unexpected frame of type 7"},
      {"garbage, all of it", on_end(""), "over the limit"},
      {hello(), on_end("garbage, all of it"), "over the limit"},
      {hello(), on_end(verdict(ScanVerdict::Outcome::allow) + "x"), "says more than was asked"},
      {hello(), on_end(ipc::encode_frame(7, "")), "verdict: cut short"},
      {hello(), on_end(ipc::encode_frame(9, "")), "unexpected frame of type 9"},
      {ipc::encode_frame(1, R"({"version":2})"), on_end(""), "speaks version 2"},
      {hello() + verdict(ScanVerdict::Outcome::allow) + verdict(ScanVerdict::Outcome::allow), on_end(""),
       "unexpected frame of type 7"},
  };
  for (const auto& c : cases) {
    connect();
    scanner_.greeting = c.greeting;
    scanner_.answer = c.answer;
    EXPECT_THAT(scan("body"), HasSubstr(c.told));
  }
}

TEST_F(ClientTest, AnswersWithAnErrorWhenNobodyListens) {
  connect();
  scanner_.stop();
  EXPECT_THAT(scan("body"), HasSubstr("No such file or directory"));
}

TEST_F(ClientTest, AnswersWithAnErrorAfterTheDeadline) {
  connect(milliseconds(30));
  scanner_.answer = [](auto&, FrameType) { return ""; };
  EXPECT_THAT(scan("body"), HasSubstr("no verdict in time"));
}

TEST_F(ClientTest, GivesUpOnAScannerThatReadsNoMore) {
  connect(milliseconds(30));
  scanner_.reading = false;
  auto scan = client_->open(kStream);
  bool drained = false;
  scan->on_drained([&] { drained = true; });
  scan->part({"body", "", ""});
  scan->write(std::string(4 << 20, 'x'));
  EXPECT_GT(scan->queued(), kMaxScanQueuedBytes);
  ASSERT_TRUE(turn_until([&] { return drained; }));
  EXPECT_EQ(scan->queued(), 0U);
  scan->write("dropped");
  scan->finish(keep());
  EXPECT_THAT(told_, testing::IsEmpty());
  ASSERT_TRUE(turn_until([&] { return !told_.empty(); }));
  EXPECT_THAT(told_.back(), HasSubstr("no verdict in time"));
}

TEST_F(ClientTest, RefusesAPartThatTheScannerWouldSeeByHalf) {
  connect();
  auto scan = client_->open(kStream);
  scan->part({"body", std::string(kMaxInfoBytes + 1, 'x'), ""});
  scan->write("body");
  scan->finish(keep());
  ASSERT_TRUE(turn_until([&] { return !told_.empty(); }));
  EXPECT_THAT(told_.back(), HasSubstr("content type of 16385 bytes is over the scanner's limit"));
  EXPECT_TRUE(scanner_.guests.empty());
}

TEST_F(ClientTest, RefusesAPartWhileAVerdictIsAwaited) {
  connect();
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  scan->check(keep());
  scan->part({"body", std::string(kMaxInfoBytes + 1, 'x'), ""});
  EXPECT_THAT(told_, testing::IsEmpty());
  ASSERT_TRUE(turn_until([&] { return !told_.empty(); }));
  EXPECT_THAT(told_.back(), HasSubstr("over the scanner's limit"));
}

TEST_F(ClientTest, ClosesTheConnectionOfAStreamThatIsAbandoned) {
  connect();
  scanner_.answer = [](auto&, FrameType) { return ""; };
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  scan->finish(keep());
  ASSERT_TRUE(turn_until([&] { return !scanner_.guests.empty() && scanner_.guests.front().reads > 0; }));
  scan.reset();
  ASSERT_TRUE(turn_until([&] { return scanner_.guests.front().gone; }));
  EXPECT_THAT(told_, testing::IsEmpty());
}

TEST_F(ClientTest, MayBeAbandonedByItsOwnCallback) {
  connect();
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  bool answered = false;
  scan->check([&](auto&&) {
    scan.reset();
    answered = true;
  });
  ASSERT_TRUE(turn_until([&] { return answered; }));
  ASSERT_TRUE(turn_until([&] { return scanner_.guests.front().gone; }));
}

}  // namespace
}  // namespace gatehouse::dlp
