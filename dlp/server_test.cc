// The client library against several threads.
#include "dlp/server.h"

#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "common/dlp/client.h"
#include "dlp/test_scan.h"
#include "dlp/test_scanner.h"
#include "dlp/test_socket.h"

namespace gatehouse::dlp {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kLong{60'000};
constexpr size_t kStreams = 100;
const OpenScan kLetters = [](const StreamInfo& stream) { return std::make_unique<LetterScan>(stream); };

// A server on two threads, and a hundred streams that a client opens on it at once.
class ServerTest : public testing::Test {
 protected:
  // What each stream is told in the end. `write` says what is written to it, in four pieces.
  std::vector<std::string> ask(std::vector<OpenScan> scans, const std::function<std::string(size_t stream)>& write) {
    Server server(loops_, std::move(scans), kJudgeBySeverity);
    std::vector<InheritedSocket> sockets;
    sockets.push_back({path_.listen(), "", false});
    EXPECT_TRUE(server.listen(std::move(sockets)));
    std::thread first([&] { loops_.front().run(); });
    std::thread second([&] { loops_.back().run(); });
    const auto answers = ask(write);
    for (Loop& loop : loops_) loop.post([&loop] { loop.stop(); });
    first.join();
    second.join();
    return answers;
  }

 private:
  std::vector<std::string> ask(const std::function<std::string(size_t)>& write) {
    Loop loop;
    const auto client = ScanClient::create(loop, path_.endpoint(), kLong);
    std::vector<std::unique_ptr<Scan>> scans;
    for (size_t i = 0; i < kStreams; ++i) {
      scans.push_back(client->open({"https", Direction::out, fmt::format("h{}.example.com", i), "trace"}));
      scans[i]->part({"body", "", ""});
    }
    for (int piece = 0; piece < 4; ++piece) {
      for (size_t i = 0; i < kStreams; ++i) scans[i]->write(write(i));
      loop.turn();
    }
    std::vector<std::string> answers(kStreams);
    size_t answered = 0;
    for (size_t i = 0; i < kStreams; ++i) {
      scans[i]->finish([&, i](const Result<ScanVerdict>& said) {
        answers[i] = words(said);
        ++answered;
      });
    }
    EXPECT_TRUE(turn_until(loop, [&] { return answered == kStreams; }));
    return answers;
  }

  SocketPath path_;
  std::list<Loop> loops_{2};
};

TEST_F(ServerTest, ServesAHundredStreamsAtOnceOnTwoThreads) {
  const auto answers = ask({kLetters, kLetters}, [](size_t i) { return std::string(1000 * i, 'x') + "S"; });
  for (size_t i = 1; i < kStreams; ++i) {
    EXPECT_EQ(answers[i],
              fmt::format("redact 0:{}+1 0:{}+1 0:{}+1 0:{}+1", 1000 * i, 2000 * i + 1, 3000 * i + 2, 4000 * i + 3));
  }
}

TEST_F(ServerTest, SharesRulesSecretsAndLedgerBetweenItsThreads) {
  const Loaded loaded(2);
  const auto answers = ask(loaded.scans, [](size_t i) {
    const std::string kinds[] = {"nothing much ", "a token " + kToken + " ", std::string(kKnown) + " ",
                                 std::string(kKnown).substr(0, 10) + " "};
    return kinds[i % 4] + std::string(i * 100, 'x') + " ";
  });
  for (size_t i = 0; i < kStreams; ++i) {
    // Of the pieces of the known secret, those that come after it has been seen whole are denied.
    if (i % 4 == 3) continue;
    EXPECT_EQ(answers[i], i % 4 == 0 ? "allow" : "deny") << i;
  }
}

TEST(ServerSocket, MustBeAUnixStreamSocket) {
  for (const char* endpoint : {"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}) {
    std::list<Loop> loops(1);
    Server server(loops, {kLetters}, kJudgeBySeverity);
    const auto parsed = *parse_endpoint(endpoint);
    std::vector<InheritedSocket> sockets;
    sockets.push_back({std::move(*open_socket(parsed)), "", parsed.kind == Endpoint::Kind::udp});
    const auto listening = server.listen(std::move(sockets));
    ASSERT_FALSE(listening);
    EXPECT_THAT(listening.error().message(), HasSubstr("Unix stream sockets only"));
  }
}

}  // namespace
}  // namespace gatehouse::dlp
