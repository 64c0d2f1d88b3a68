#include "guest/dns_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "guest/dns_message.h"
#include "guest/loop_fixture.h"
#include "guest/network.h"

namespace gatehouse::guest {
namespace {

using namespace std::string_literals;

std::string query_of(uint16_t id) {
  std::string query = "\0\0\x01\0\0\x01\0\0\0\0\0\0\x01"s + "a\0\0\x01\0\x01"s;
  set_message_id(query, id);
  return query;
}

uint16_t port_of(int fd) {
  sockaddr_in6 name{};
  socklen_t length = sizeof name;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin6_port);
}

class DnsRelayTest : public LoopTest {
 protected:
  void SetUp() override {
    Fd udp = std::move(*bind_udp(0));
    Fd tcp = std::move(*listen_tcp(0));
    udp_port_ = port_of(udp.get());
    tcp_port_ = port_of(tcp.get());
    relay_ = std::move(*DnsRelay::start(loop_, std::move(udp), std::move(tcp), connect_to_host()));
  }

  // A UDP client that takes answers from the address it asked only.
  Fd client_of(const char* address) const {
    Fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(udp_port_);
    ::inet_pton(AF_INET, address, &to.sin_addr);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return client;
  }

  std::string ask(const Fd& client, const std::string& query) {
    EXPECT_GT(::send(client.get(), query.data(), query.size(), 0), 0);
    return receive(client);
  }

  std::string receive(const Fd& client) {
    std::string answer(65536, '\0');
    ssize_t got = -1;
    EXPECT_TRUE(turn_until(loop_, [&] { return (got = ::recv(client.get(), answer.data(), answer.size(), 0)) >= 0; }));
    answer.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return answer;
  }

  // The next query the host receives.
  std::string query_at(Recorder& host) {
    EXPECT_TRUE(turn_until(loop_, [&] { return host.received.size() >= 2; }));
    const auto length = static_cast<size_t>(static_cast<unsigned char>(host.received[1]));
    EXPECT_TRUE(turn_until(loop_, [&] { return host.received.size() >= 2 + length; }));
    std::string query = host.received.substr(2, length);
    host.received.erase(0, 2 + length);
    return query;
  }

  Recorder& connected_host(size_t count = 1) {
    EXPECT_TRUE(turn_until(loop_, [&] { return hosts_.size() >= count; }));
    return hosts_.back();
  }

  uint16_t udp_port_ = 0;
  uint16_t tcp_port_ = 0;
  std::unique_ptr<DnsRelay> relay_;
};

TEST_F(DnsRelayTest, AnswersServerFailureAtOnceWhenTheHostIsNotThere) {
  EXPECT_EQ(ask(client_of("127.0.0.1"), query_of(7)), server_failure(query_of(7)));
}

TEST_F(DnsRelayTest, AnswersFromTheAddressThatWasAsked) {
  open_host();
  const Fd client = client_of("127.8.8.8");
  const std::string query = query_of(0x1234);
  ASSERT_GT(::send(client.get(), query.data(), query.size(), 0), 0);
  Recorder& host = connected_host();
  std::string response = query_at(host);
  response[2] = '\x81';
  host.stream->write(frame_dns(response));
  const std::string answer = receive(client);
  EXPECT_EQ(message_id(answer), 0x1234);
  EXPECT_TRUE(is_response(answer));
}

TEST_F(DnsRelayTest, TruncatesForAUdpClientAndNotForATcpClient) {
  open_host();
  const Fd udp = client_of("127.0.0.1");
  const std::string query = query_of(3);
  ASSERT_GT(::send(udp.get(), query.data(), query.size(), 0), 0);
  std::unique_ptr<Recorder> tcp;
  const auto connecting = connect_stream(loop_, {Endpoint::Kind::tcp, IpAddress::v4({127, 0, 0, 1}), tcp_port_, ""},
                                         [&](auto stream) { tcp = std::make_unique<Recorder>(std::move(*stream)); });
  ASSERT_TRUE(turn_until(loop_, [&] { return tcp != nullptr; }));
  tcp->stream->write(frame_dns(query));
  Recorder& host = connected_host();
  for (int i = 0; i < 2; ++i) {
    std::string response = query_at(host);
    response[2] = '\x81';
    host.stream->write(frame_dns(response + std::string(1000, 'r')));
  }
  EXPECT_EQ(receive(udp).size(), query.size());
  EXPECT_TRUE(turn_until(loop_, [&] { return tcp->received.size() == 2 + query.size() + 1000; }));
}

TEST_F(DnsRelayTest, AnswersEverybodyAndConnectsAgainWhenTheHostGoes) {
  open_host();
  const Fd client = client_of("127.0.0.1");
  const std::string query = query_of(5);
  ASSERT_GT(::send(client.get(), query.data(), query.size(), 0), 0);
  query_at(connected_host());
  hosts_.clear();
  EXPECT_EQ(receive(client), server_failure(query));
  ASSERT_GT(::send(client.get(), query.data(), query.size(), 0), 0);
  Recorder& again = connected_host();
  std::string response = query_at(again);
  response[2] = '\x81';
  again.stream->write(frame_dns(response));
  EXPECT_EQ(message_id(receive(client)), 5);
}

TEST_F(DnsRelayTest, ForgetsAnAnswerThatNobodyAskedFor) {
  open_host();
  const Fd client = client_of("127.0.0.1");
  const std::string query = query_of(5);
  ASSERT_GT(::send(client.get(), query.data(), query.size(), 0), 0);
  Recorder& host = connected_host();
  std::string response = query_at(host);
  response[2] = '\x81';
  std::string stray = response;
  set_message_id(stray, static_cast<uint16_t>(message_id(response) + 1));
  host.stream->write(frame_dns(stray) + frame_dns("short") + frame_dns(query) + frame_dns(response));
  EXPECT_EQ(message_id(receive(client)), 5);
}

TEST_F(DnsRelayTest, ClosesATcpClientThatSendsNoQuery) {
  std::unique_ptr<Recorder> tcp;
  const auto connecting = connect_stream(loop_, {Endpoint::Kind::tcp, IpAddress::v4({127, 0, 0, 1}), tcp_port_, ""},
                                         [&](auto stream) { tcp = std::make_unique<Recorder>(std::move(*stream)); });
  ASSERT_TRUE(turn_until(loop_, [&] { return tcp != nullptr; }));
  tcp->stream->write(frame_dns("not DNS"));
  EXPECT_TRUE(turn_until(loop_, [&] { return tcp->over(); }));
}

}  // namespace
}  // namespace gatehouse::guest
