#include "guest/tcp_relay.h"

#include <sys/socket.h>

#include "guest/loop_fixture.h"
#include "guest/proxy_header.h"

namespace gatehouse::guest {
namespace {

constexpr size_t kHeaderBytes = 28;  // PROXY v2 over IPv4

class TcpRelayTest : public LoopTest {
 protected:
  void start_relay(TcpRelay::Front front = TcpRelay::Front::destination) {
    Fd listening = std::move(*open_socket({Endpoint::Kind::tcp, IpAddress::v4({127, 0, 0, 1}), 0, ""}));
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    ASSERT_EQ(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&name), &length), 0);
    port_ = tcp_address(name)->port;
    relay_ = std::move(*TcpRelay::start(loop_, std::move(listening), connect_to_host(), front));
  }

  Recorder& connect_client() {
    bool connected = false;
    const auto connecting =
        connect_stream(loop_, {Endpoint::Kind::tcp, IpAddress::v4({127, 0, 0, 1}), port_, ""}, [&](auto stream) {
          clients_.emplace_back(std::move(*stream));
          connected = true;
        });
    EXPECT_TRUE(turn_until(loop_, [&] { return connected; }));
    return clients_.back();
  }

  Recorder& connected_host(size_t count = 1) {
    EXPECT_TRUE(turn_until(loop_, [&] { return hosts_.size() >= count; }));
    return hosts_.back();
  }

  uint16_t port_ = 0;
  std::unique_ptr<TcpRelay> relay_;
  std::list<Recorder> clients_;
};

TEST_F(TcpRelayTest, PutsTheOriginalDestinationInFrontAndCopiesBothWays) {
  open_host();
  start_relay();
  Recorder& client = connect_client();
  client.stream->write("GET /");
  Recorder& host = connected_host();
  ASSERT_TRUE(turn_until(loop_, [&] { return host.received.size() == kHeaderBytes + 5; }));
  EXPECT_EQ(host.received.substr(0, 16), std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16));
  EXPECT_EQ(host.received.substr(20, 4), std::string("\x7f\0\0\x01", 4));
  EXPECT_EQ(static_cast<unsigned char>(host.received[26]) << 8 | static_cast<unsigned char>(host.received[27]), port_);
  EXPECT_EQ(host.received.substr(kHeaderBytes), "GET /");
  host.stream->write("200 OK");
  EXPECT_TRUE(turn_until(loop_, [&] { return client.received == "200 OK"; }));
}

TEST_F(TcpRelayTest, PutsNothingInFrontForAServiceThatHasOneDestination) {
  open_host();
  start_relay(TcpRelay::Front::nothing);
  Recorder& client = connect_client();
  client.stream->write("POST /mcp");
  Recorder& host = connected_host();
  ASSERT_TRUE(turn_until(loop_, [&] { return host.received.size() >= 9; }));
  EXPECT_EQ(host.received, "POST /mcp");
}

TEST_F(TcpRelayTest, LetsEachSideEndAlone) {
  open_host();
  start_relay();
  Recorder& client = connect_client();
  Recorder& host = connected_host();
  client.stream->write("question");
  client.stream->shutdown();
  ASSERT_TRUE(turn_until(loop_, [&] { return host.ended; }));
  EXPECT_EQ(host.received.substr(kHeaderBytes), "question");
  EXPECT_EQ(relay_->connections(), 1U);
  host.stream->write("answer");
  host.stream->shutdown();
  ASSERT_TRUE(turn_until(loop_, [&] { return client.ended; }));
  EXPECT_EQ(client.received, "answer");
  EXPECT_TRUE(turn_until(loop_, [&] { return relay_->connections() == 0; }));
}

TEST_F(TcpRelayTest, ResetsTheClientWhenTheHostDoesNotTakeTheConnection) {
  start_relay();
  Recorder& client = connect_client();
  ASSERT_TRUE(turn_until(loop_, [&] { return client.over(); }));
  EXPECT_EQ(client.failure, "read: connection reset by peer");
  EXPECT_EQ(relay_->connections(), 0U);
}

TEST_F(TcpRelayTest, HoldsTheClientBackWhileTheHostDoesNotRead) {
  open_host(/*read=*/false);
  start_relay();
  Recorder& client = connect_client();
  Recorder& host = connected_host();
  const std::string sent(64 << 20, 'x');
  client.stream->write(sent);
  size_t settled = 0;
  ASSERT_TRUE(turn_until(loop_, [&] { return std::exchange(settled, client.stream->queued()) != 0; }));
  for (int i = 0; i < 2000; ++i) loop_.turn();
  EXPECT_GT(client.stream->queued(), sent.size() / 2);
  host.stream->start_reading();
  ASSERT_TRUE(turn_until(loop_, [&] { return host.received.size() == kHeaderBytes + sent.size(); }));
}

TEST_F(TcpRelayTest, CarriesAThousandConnectionsAtOnce) {
  constexpr size_t kCount = 1000;
  open_host();
  start_relay();
  for (size_t i = 0; i < kCount; ++i) connect_client().stream->write(std::to_string(i));
  ASSERT_TRUE(turn_until(loop_, [&] { return hosts_.size() == kCount; }));
  EXPECT_EQ(relay_->connections(), kCount);
  clients_.clear();
  ASSERT_TRUE(turn_until(loop_, [&] {
    return std::all_of(hosts_.begin(), hosts_.end(), [](const Recorder& host) { return host.over(); });
  }));
  hosts_.clear();
  EXPECT_TRUE(turn_until(loop_, [&] { return relay_->connections() == 0; }));
}

}  // namespace
}  // namespace gatehouse::guest
