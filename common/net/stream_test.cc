#include "common/net/stream.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

namespace gatehouse {
namespace {

using std::chrono::steady_clock;

// Turns the loop until `done`, at most five seconds.
template <class Condition>
bool turn_until(Loop& loop, Condition done) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(5);
  while (!done()) {
    if (steady_clock::now() > deadline) return false;
    loop.turn();
  }
  return true;
}

struct Peer {
  explicit Peer(Loop& loop) {
    auto ends = make_socket_pair();
    far = std::move(ends->second);
    stream = std::move(*Stream::adopt(loop, std::move(ends->first)));
  }
  std::unique_ptr<Stream> stream;
  Fd far;
};

Endpoint loopback(uint16_t port) { return {Endpoint::Kind::tcp, IpAddress::v4({127, 0, 0, 1}), port, ""}; }

TEST(Stream, DeliversBytesThenTheEnd) {
  Loop loop;
  Peer peer(loop);
  std::string got;
  bool ended = false;
  peer.stream->set_callbacks({.data = [&](std::string_view bytes) { got += bytes; },
                              .end = [&] { ended = true; },
                              .error = {},
                              .drained = {}});
  peer.stream->start_reading();
  ASSERT_TRUE(write_all(peer.far.get(), "hello"));
  peer.far.reset();
  ASSERT_TRUE(turn_until(loop, [&] { return ended; }));
  EXPECT_EQ(got, "hello");
}

TEST(Stream, KeepsWhatTheKernelDoesNotTakeAndTellsWhenItIsOut) {
  Loop loop;
  Peer peer(loop);
  bool drained = false;
  peer.stream->set_callbacks({.data = {}, .end = {}, .error = {}, .drained = [&] { drained = true; }});
  const std::string sent(4 << 20, 'x');
  peer.stream->write(sent);
  EXPECT_GT(peer.stream->queued(), 0U);
  peer.stream->shutdown();
  std::string got;
  std::string buffer(1 << 16, '\0');
  ssize_t n = 1;
  while (n != 0) {
    n = ::recv(peer.far.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0) got.append(buffer.data(), static_cast<size_t>(n));
    loop.turn();
  }
  EXPECT_EQ(got, sent);
  EXPECT_TRUE(drained);
  EXPECT_EQ(peer.stream->queued(), 0U);
}

TEST(Stream, ReportsAFailedWriteOnceAndNeverFromWithinWrite) {
  Loop loop;
  Peer peer(loop);
  int errors = 0;
  peer.stream->set_callbacks({.data = {}, .end = {}, .error = [&](const Error&) { ++errors; }, .drained = {}});
  peer.far.reset();
  peer.stream->write("a");
  peer.stream->write("b");
  EXPECT_EQ(errors, 0);
  ASSERT_TRUE(turn_until(loop, [&] { return errors > 0; }));
  for (int i = 0; i < 10; ++i) loop.turn();
  EXPECT_EQ(errors, 1);
}

TEST(Stream, MayBeDestroyedByItsOwnCallback) {
  Loop loop;
  Peer peer(loop);
  peer.stream->set_callbacks(
      {.data = [&](std::string_view) { peer.stream.reset(); }, .end = {}, .error = {}, .drained = {}});
  peer.stream->start_reading();
  ASSERT_TRUE(write_all(peer.far.get(), "x"));
  ASSERT_TRUE(turn_until(loop, [&] { return peer.stream == nullptr; }));
}

TEST(Listener, AcceptsOnAUnixAndOnATcpSocket) {
  Loop loop;
  const std::string path = ::testing::TempDir() + "/listener." + std::to_string(::getpid());
  for (const auto& endpoint : {loopback(0), Endpoint{Endpoint::Kind::unix_stream, {}, 0, path}}) {
    auto socket = open_socket(endpoint);
    ASSERT_TRUE(socket) << socket.error().message();
    const auto there = endpoint.kind == Endpoint::Kind::tcp ? *parse_endpoint(local_address(socket->get())) : endpoint;
    std::unique_ptr<Stream> accepted;
    auto listener =
        Listener::start(loop, std::move(*socket), [&](std::unique_ptr<Stream> s) { accepted = std::move(s); });
    ASSERT_TRUE(listener);
    std::unique_ptr<Stream> dialled;
    auto connecting = connect_stream(loop, there, [&](Result<std::unique_ptr<Stream>> s) { dialled = std::move(*s); });
    ASSERT_TRUE(turn_until(loop, [&] { return accepted && dialled; })) << there.to_string();
  }
  ::unlink(path.c_str());
}

TEST(ConnectStream, SaysWhatRefused) {
  Loop loop;
  std::string message;
  auto connecting = connect_stream(loop, {Endpoint::Kind::unix_stream, {}, 0, "/nonexistent/socket"},
                                   [&](Result<std::unique_ptr<Stream>> s) { message = s.error().message(); });
  EXPECT_EQ(message, "");
  ASSERT_TRUE(turn_until(loop, [&] { return !message.empty(); }));
  EXPECT_EQ(message, "connect unix:/nonexistent/socket: No such file or directory");
}

TEST(ConnectStream, NeverCallsBackOnceAbandoned) {
  Loop loop;
  bool called = false;
  connect_stream(loop, {Endpoint::Kind::unix_stream, {}, 0, "/nonexistent/socket"}, [&](auto&&) {
    called = true;
  }).reset();
  for (int i = 0; i < 10; ++i) loop.turn();
  EXPECT_FALSE(called);
}

TEST(Resolve, GivesEachAddressOnceAndCanBeAbandoned) {
  Loop loop;
  std::vector<IpAddress> found;
  auto abandoned = resolve(loop, "127.0.0.2", [&](auto&&) { FAIL(); });
  abandoned.reset();
  auto resolving = resolve(loop, "127.0.0.1", [&](Result<std::vector<IpAddress>> list) { found = *list; });
  ASSERT_TRUE(turn_until(loop, [&] { return !found.empty(); }));
  EXPECT_THAT(found, testing::ElementsAre(IpAddress::v4({127, 0, 0, 1})));
}

TEST(Timer, StopsWhenDestroyed) {
  Loop loop;
  int fired = 0;
  auto timer = std::make_unique<Timer>(loop, [&] { ++fired; });
  timer->repeat(std::chrono::milliseconds(1));
  ASSERT_TRUE(turn_until(loop, [&] { return fired >= 3; }));
  timer.reset();
  const int before = fired;
  for (int i = 0; i < 10; ++i) loop.turn();
  EXPECT_EQ(fired, before);
}

TEST(Loop, RunsPostedTasksInOrder) {
  Loop loop;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) loop.post([&order, i] { order.push_back(i); });
  ASSERT_TRUE(turn_until(loop, [&] { return order.size() == 3; }));
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace gatehouse
