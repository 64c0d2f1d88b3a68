// The client library against real workers, on sockets.
#include "dlp/worker.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "common/base/uuid.h"
#include "common/dlp/client.h"
#include "dlp/test_scan.h"
#include "dlp/test_socket.h"

namespace gatehouse::dlp {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr milliseconds kLong{60'000};
const StreamInfo kStream{"https", Direction::out, "api.example.com", "trace"};
const OpenScan kLetters = [](const StreamInfo& stream) { return std::make_unique<LetterScan>(stream); };

class WorkerTest : public testing::Test {
 protected:
  void serve(milliseconds max_silence = kMaxSilence, const OpenScan& open_scan = kLetters) {
    worker_ = std::make_unique<Worker>(loop_, open_scan, kJudgeBySeverity, max_silence);
    ASSERT_TRUE(worker_->listen(path_.listen()));
    client_ = ScanClient::create(loop_, path_.endpoint(), kLong);
  }
  Scan::OnVerdict keep() {
    return [this](const Result<ScanVerdict>& said) { told_.push_back(words(said)); };
  }
  bool told(size_t verdicts) {
    return turn_until(loop_, [&] { return told_.size() >= verdicts; });
  }

  Loop loop_;
  SocketPath path_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<ScanClient> client_;
  std::vector<std::string> told_;
};

TEST_F(WorkerTest, JudgesWhatItIsShown) {
  serve();
  const struct {
    std::string header, body, told;
  } cases[] = {
      {"", "", "allow"},
      {"fine", "fine", "allow"},
      {"aS", "bbS SS", "redact 0:1+1 1:2+1 1:4+2"},
      {"", "D", "deny"},
      {"S", std::string(1'000'000, 'x') + "S", "redact 0:0+1 1:1000000+1"},
  };
  for (const auto& c : cases) {
    auto scan = client_->open(kStream);
    scan->part({"header:x", "", ""});
    scan->write(c.header);
    scan->part({"body", "", ""});
    scan->write(c.body);
    scan->finish(keep());
    ASSERT_TRUE(told(told_.size() + 1));
    EXPECT_EQ(told_.back(), c.told);
  }
  EXPECT_EQ(worker_->connections(), 1U);
}

TEST_F(WorkerTest, ChecksAStreamPieceByPiece) {
  serve();
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  for (const char* piece : {"S", "-", "S"}) {
    scan->write(piece);
    scan->check(keep());
    ASSERT_TRUE(told(told_.size() + 1));
  }
  scan->finish(keep());
  ASSERT_TRUE(told(4));
  EXPECT_THAT(told_, ElementsAre("redact 0:0+1", "allow", "redact 0:2+1", "allow"));
}

TEST_F(WorkerTest, ForgetsAStreamThatIsAbandoned) {
  std::string notes;
  serve(kMaxSilence, [&](const StreamInfo& stream) { return std::make_unique<LetterScan>(stream, &notes); });
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  scan->write("x");
  scan->check(keep());
  ASSERT_TRUE(told(1));
  EXPECT_EQ(worker_->connections(), 1U);
  scan.reset();
  ASSERT_TRUE(turn_until(loop_, [&] { return worker_->connections() == 0; }));
  EXPECT_THAT(notes, testing::EndsWith("gone\n"));
}

TEST_F(WorkerTest, GivesUpAStreamThatFallsSilent) {
  serve(milliseconds(20));
  auto kept = client_->open(kStream);
  kept->finish(keep());
  ASSERT_TRUE(told(1));
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  scan->check(keep());
  ASSERT_TRUE(told(2));
  auto other = client_->open(kStream);
  other->finish(keep());
  ASSERT_TRUE(told(3));
  EXPECT_EQ(worker_->connections(), 2U);
  ASSERT_TRUE(turn_until(loop_, [&] { return worker_->silenced() == 1; }));
  // The one between streams is not silent but idle.
  EXPECT_EQ(worker_->connections(), 1U);
  scan->finish(keep());
  ASSERT_TRUE(told(4));
  EXPECT_THAT(told_.back(), HasSubstr("closed the connection"));
}

TEST_F(WorkerTest, ClosesAConnectionThatBreaksTheProtocol) {
  serve();
  std::unique_ptr<gatehouse::Stream> stream;
  bool ended = false;
  auto connecting = connect_stream(loop_, path_.endpoint(), [&](auto connected) {
    stream = std::move(*connected);
    stream->set_callbacks({.data = [](auto) {},
                           .end = [&] { ended = true; },
                           .error = [&](const Error&) { ended = true; },
                           .drained = {}});
    stream->start_reading();
    stream->write("GET / HTTP/1.1\r\nHost: scanner\r\n\r\n");
  });
  ASSERT_TRUE(turn_until(loop_, [&] { return ended; }));
  EXPECT_EQ(worker_->connections(), 0U);
}

TEST_F(WorkerTest, FailsWhateverIsUnderWayWhenItDies) {
  serve();
  auto scan = client_->open(kStream);
  scan->part({"body", "", ""});
  scan->check(keep());
  ASSERT_TRUE(told(1));
  scan->write("more");
  scan->finish(keep());
  worker_.reset();
  ASSERT_TRUE(told(2));
  EXPECT_THAT(told_.back(), HasSubstr("scanner unix:"));
}

// A scan that takes its time over every byte.
class SlowScan final : public StreamScan {
 public:
  void part(const PartInfo&) override {}
  void write(std::string_view) override {
    const auto until = steady_clock::now() + kTurn;
    while (steady_clock::now() < until) {
    }
  }
  void finish() override {}
  std::vector<Finding> take_findings() override { return {}; }
  uint64_t dropped() const override { return 0; }
};

TEST_F(WorkerTest, LetsASmallStreamPassAHugeOne) {
  serve(kMaxSilence, [](const StreamInfo& stream) -> std::unique_ptr<StreamScan> {
    if (stream.host == "huge.example") return std::make_unique<SlowScan>();
    return std::make_unique<LetterScan>(stream);
  });
  auto huge = client_->open({"https", Direction::out, "huge.example", "trace"});
  bool huge_done = false;
  huge->part({"body", "", ""});
  huge->write(std::string(2 << 20, 'x'));
  huge->finish([&](auto&&) { huge_done = true; });
  for (int i = 0; i < 10; ++i) {
    auto scan = client_->open(kStream);
    scan->part({"body", "", ""});
    scan->write("S");
    scan->finish(keep());
    ASSERT_TRUE(told(told_.size() + 1));
  }
  EXPECT_FALSE(huge_done);
  ASSERT_TRUE(turn_until(loop_, [&] { return huge_done; }));
}

}  // namespace
}  // namespace gatehouse::dlp
