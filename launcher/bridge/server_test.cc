// The whole bridge on real sockets, with a driver that runs real rings in place of QEMU and a guest.
#include "launcher/bridge/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/un.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "common/audit/reader.h"
#include "common/net/endpoint.h"
#include "launcher/bridge/test_guest.h"

namespace gatehouse::bridge {
namespace {

using test::GuestSocket;
using test::message;
using test::Packet;
using test::raw;
using test::TestGuest;

constexpr uint32_t kPort = 2000;      // a service that the test plays
constexpr uint32_t kDeadPort = 2001;  // a service whose socket nobody listens on

Fd connect_to(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

size_t open_descriptors() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(fds), end(fds)));
}

// Pseudo-random bytes that are the same at both ends, different for every connection.
std::string pattern(uint32_t seed, size_t bytes) {
  std::string text(bytes, '\0');
  for (auto& c : text) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return text;
}

struct ServerTest : testing::Test {
  void SetUp() override {
    audit = std::move(audit::AuditLog::open({path("audit.db"), "test", "bridge"}).value());
    service = listen_at("service");
    server = std::make_unique<Server>(loop, audit.get(), PortTable{{kPort, path("service")}, {kDeadPort, path("dead")}},
                                      kDefaultGuestCid);
    server->start(listen_at("vhost"), listen_at("host"));
  }
  void TearDown() override {
    server.reset();
    audit.reset();
    std::filesystem::remove_all(directory);
  }
  std::string path(const std::string& name) const { return directory + "/" + name; }
  Fd listen_at(const std::string& name) const {
    return open_socket(parse_endpoint("unix:" + path(name)).value()).value();
  }

  // Runs the loop and the guest's driver until `condition` holds.
  template <class Condition>
  ::testing::AssertionResult until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return ::testing::AssertionFailure() << "not within 20 s";
      loop.turn();
      while (auto packet = guest.receive()) packets.push_back(std::move(*packet));
    }
    return ::testing::AssertionSuccess();
  }

  // QEMU connects and sets the device up.
  void boot() {
    qemu = connect_to(path("vhost"));
    set_up();
  }
  void set_up() {
    for (auto& each : guest.setup()) ASSERT_TRUE(test::send_message(qemu.get(), each));
    guest.post_buffers();
    exchange(message(VhostRequest::get_features));
  }
  // The payload of the reply.
  std::string exchange(const VhostMessage& sent) {
    EXPECT_TRUE(test::send_message(qemu.get(), sent));
    std::string reply;
    EXPECT_TRUE(until([&] {
      std::array<char, 256> bytes;
      const auto got = ::recv(qemu.get(), bytes.data(), bytes.size(), 0);
      if (got > 0) reply.append(bytes.data(), static_cast<size_t>(got));
      return reply.size() > kVhostHeaderBytes;
    }));
    return reply.substr(std::min(reply.size(), kVhostHeaderBytes));
  }
  bool qemu_was_dropped() {
    char byte = 0;
    return ::recv(qemu.get(), &byte, 1, 0) == 0;
  }

  Packet next_packet() {
    EXPECT_TRUE(until([this] { return !packets.empty(); }));
    if (packets.empty()) return {};
    auto packet = std::move(packets.front());
    packets.pop_front();
    return packet;
  }
  void send(const PacketHeader& header, std::string_view payload = {}) {
    ASSERT_TRUE(until([this] { return guest.can_send(); }));
    guest.send(header, payload);
  }
  Fd accept() {
    Fd accepted;
    EXPECT_TRUE(until([&] {
      accepted = Fd(::accept4(service.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      return static_cast<bool>(accepted);
    }));
    return accepted;
  }
  // The service's end of a fresh connection of `socket`.
  Fd open(GuestSocket& socket) {
    send(socket.header(Op::request));
    Fd far = accept();
    const auto response = next_packet();
    EXPECT_EQ(response.header.op, Op::response);
    socket.note(response);
    return far;
  }
  // What arrives at a socket, until `bytes` are there or it ends.
  std::string read(const Fd& fd, size_t bytes) {
    std::string text;
    EXPECT_TRUE(until([&] {
      std::array<char, 65536> buffer;
      const auto got = ::recv(fd.get(), buffer.data(), std::min(buffer.size(), bytes - text.size()), 0);
      if (got > 0) text.append(buffer.data(), static_cast<size_t>(got));
      return got == 0 || text.size() == bytes;
    }));
    return text;
  }
  std::vector<std::string> denials() {
    server.reset();
    audit.reset();
    std::vector<std::string> rows;
    const auto reader = audit::AuditReader::open(path("audit.db")).value();
    const auto entries = reader->next_entries({.blocked_only = true}).value();
    for (const auto& entry : entries) {
      rows.push_back(entry.channel + " " + entry.rule_id + " " + entry.reason);
    }
    return rows;
  }

  std::string directory = [] {
    std::string made = "/tmp/bridge-test-XXXXXX";
    return std::string(::mkdtemp(made.data()));
  }();
  Loop loop;
  std::unique_ptr<audit::AuditLog> audit;
  Fd service;
  std::unique_ptr<Server> server;
  TestGuest guest;
  Fd qemu;
  std::deque<Packet> packets;
};

TEST_F(ServerTest, ConnectsTheGuestToAServiceAndCarriesBytesBothWays) {
  boot();
  GuestSocket socket{.host_port = kPort};
  const Fd far = open(socket);
  send(socket.header(Op::data), "question");
  EXPECT_EQ(read(far, 8), "question");
  ASSERT_EQ(::write(far.get(), "answer", 6), 6);
  EXPECT_EQ(next_packet().payload, "answer");
}

TEST_F(ServerTest, HalfClosesFromTheGuestsSide) {
  boot();
  GuestSocket socket{.host_port = kPort};
  const Fd far = open(socket);
  send(socket.header(Op::data), "all");
  auto shutdown = socket.header(Op::shutdown);
  shutdown.flags = kShutdownSend;
  send(shutdown);
  EXPECT_EQ(read(far, 100), "all");
  ASSERT_EQ(::write(far.get(), "reply", 5), 5);
  EXPECT_EQ(next_packet().payload, "reply");
}

TEST_F(ServerTest, HalfClosesFromTheHostsSide) {
  boot();
  GuestSocket socket{.host_port = kPort};
  const Fd far = open(socket);
  ASSERT_EQ(::write(far.get(), "all", 3), 3);
  ::shutdown(far.get(), SHUT_WR);
  EXPECT_EQ(next_packet().payload, "all");
  const auto shutdown = next_packet();
  EXPECT_EQ(shutdown.header.op, Op::shutdown);
  EXPECT_EQ(shutdown.header.flags, kShutdownSend);
  send(socket.header(Op::data), "reply");
  EXPECT_EQ(read(far, 5), "reply");
}

TEST_F(ServerTest, EndsTheServicesSocketWhenTheGuestResets) {
  boot();
  GuestSocket socket{.host_port = kPort};
  const Fd far = open(socket);
  send(socket.header(Op::reset));
  EXPECT_EQ(read(far, 1), "");
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(ServerTest, ResetsAndAuditsAPortThatNobodyServes) {
  boot();
  for (int i = 0; i < 50; ++i) {
    send(GuestSocket{.host_port = 7777}.header(Op::request));
    EXPECT_EQ(next_packet().header.op, Op::reset);
  }
  const auto rows = denials();
  EXPECT_GE(rows.size(), 2u) << "the first at once, the others in sum";
  EXPECT_LE(rows.size(), 4u);
  EXPECT_EQ(rows[0], "vsock vsock.port no service listens on vsock port 7777");
}

TEST_F(ServerTest, ResetsAConnectionWhoseServiceIsDead) {
  boot();
  send(GuestSocket{.host_port = kDeadPort}.header(Op::request));
  EXPECT_EQ(next_packet().header.op, Op::reset);
  EXPECT_THAT(denials(), testing::ElementsAre("vsock vsock.service the service of vsock port 2001 does not answer: "
                                              "No such file or directory"));
}

TEST_F(ServerTest, WaitsForAServiceWhoseBacklogIsFull) {
  ASSERT_EQ(::listen(service.get(), 0), 0);
  boot();
  constexpr uint32_t kClients = 20;
  for (uint32_t i = 0; i < kClients; ++i)
    send(GuestSocket{.guest_port = 1000 + i, .host_port = kPort}.header(Op::request));
  std::vector<Fd> accepted;
  for (uint32_t i = 0; i < kClients; ++i) accepted.push_back(accept());
  ASSERT_TRUE(until([this] { return packets.size() == kClients; }));
  for (const auto& packet : packets) EXPECT_EQ(packet.header.op, Op::response);
}

TEST_F(ServerTest, ConnectsAHostClientToTheGuest) {
  boot();
  const Fd client = connect_to(path("host"));
  const std::string hello = "CONNECT 1024\nearly";
  for (const char byte : hello) {
    ASSERT_EQ(::write(client.get(), &byte, 1), 1);
    loop.turn();
  }
  const auto request = next_packet();
  EXPECT_EQ(request.header.op, Op::request);
  EXPECT_EQ(request.header.destination_port, 1024u);
  GuestSocket socket{.guest_port = 1024, .host_port = request.header.source_port};
  send(socket.header(Op::response));
  EXPECT_EQ(read(client, 14), "OK 1073741824\n");
  EXPECT_EQ(next_packet().payload, "early");
}

TEST_F(ServerTest, ClosesAHostClientThatTheGuestRefuses) {
  boot();
  const Fd client = connect_to(path("host"));
  ASSERT_EQ(::write(client.get(), "CONNECT 1024\n", 13), 13);
  GuestSocket socket{.guest_port = 1024, .host_port = next_packet().header.source_port};
  send(socket.header(Op::reset));
  EXPECT_EQ(read(client, 1), "");
}

TEST_F(ServerTest, ClosesAHostClientWhileThereIsNoGuest) {
  const Fd client = connect_to(path("host"));
  ASSERT_EQ(::write(client.get(), "CONNECT 1024\n", 13), 13);
  EXPECT_EQ(read(client, 1), "");
}

TEST_F(ServerTest, ClosesAHostClientThatSpeaksNonsense) {
  boot();
  for (const std::string line : {"CONNECT\n", "CONNECT -1\n", "CONNECT 4294967296\n", "connect 5\n", "CONNECT 5 \n",
                                 "CONNECT 5\r\n", "GET / HTTP/1.1 and much more of that\n"}) {
    const Fd client = connect_to(path("host"));
    ASSERT_EQ(::write(client.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
    ASSERT_TRUE(until([&] {
      pollfd poll{client.get(), POLLIN, 0};
      return ::poll(&poll, 1, 0) == 1 && (poll.revents & POLLHUP) != 0;
    })) << line;
  }
}

// 2,000 connections open at once, each with its own bytes in both directions at the same time.
TEST_F(ServerTest, CarriesTwoThousandConnectionsAtOnce) {
  constexpr uint32_t kConnections = 2000;
  constexpr size_t kBytes = 20000;
  const size_t descriptors_before = open_descriptors();
  boot();
  struct Pair {
    GuestSocket guest;
    Fd far;
    std::string to_guest, to_host;
    std::string at_guest, at_host;
    size_t guest_sent = 0, host_sent = 0;
  };
  std::map<uint32_t, Pair> pairs;
  for (uint32_t port = 1; port <= kConnections; ++port) {
    auto& pair = pairs[port];
    pair.guest = {.guest_port = port, .host_port = kPort};
    pair.to_guest = pattern(port, kBytes);
    pair.to_host = pattern(port + 100000, kBytes);
    pair.far = open(pair.guest);
  }
  EXPECT_EQ(server->connections(), kConnections);
  bool done = false;
  ASSERT_TRUE(until([&] {
    for (auto& packet : packets) {
      auto& pair = pairs.at(packet.header.destination_port);
      pair.guest.note(packet);
      pair.at_guest += packet.payload;
      if (packet.header.op == Op::reset)
        ADD_FAILURE() << "connection " << packet.header.destination_port << " was reset";
    }
    packets.clear();
    done = true;
    for (auto& [port, pair] : pairs) {
      const size_t chunk = std::min<size_t>({kBytes - pair.guest_sent, 7000, pair.guest.credit()});
      if (chunk > 0 && guest.can_send()) {
        guest.send(pair.guest.header(Op::data), std::string_view(pair.to_host).substr(pair.guest_sent, chunk));
        pair.guest.sent += static_cast<uint32_t>(chunk);
        pair.guest_sent += chunk;
      }
      const auto put =
          ::send(pair.far.get(), pair.to_guest.data() + pair.host_sent, kBytes - pair.host_sent, MSG_NOSIGNAL);
      if (put > 0) pair.host_sent += static_cast<size_t>(put);
      std::array<char, 8192> bytes;
      const auto got = ::recv(pair.far.get(), bytes.data(), bytes.size(), 0);
      if (got > 0) pair.at_host.append(bytes.data(), static_cast<size_t>(got));
      done = done && pair.at_host.size() == kBytes && pair.at_guest.size() == kBytes;
      if (port % 50 == 0) loop.turn();
    }
    return done;
  }));
  for (const auto& [port, pair] : pairs) {
    EXPECT_TRUE(pair.at_host == pair.to_host) << port;
    EXPECT_TRUE(pair.at_guest == pair.to_guest) << port;
  }
  pairs.clear();
  ASSERT_TRUE(until([&] {
    for (auto& packet : packets) {
      if (packet.header.op == Op::shutdown && guest.can_send()) {
        guest.send(GuestSocket{.guest_port = packet.header.destination_port, .host_port = kPort}.header(Op::reset));
        packet.header.op = Op::invalid;
      }
    }
    std::erase_if(packets, [](const Packet& packet) { return packet.header.op != Op::shutdown; });
    return server->connections() == 0;
  }));
  qemu.reset();
  ASSERT_TRUE(until([&] { return open_descriptors() <= descriptors_before; })) << open_descriptors();
}

TEST_F(ServerTest, WorksAgainAfterTheGuestReboots) {
  boot();
  const size_t descriptors = open_descriptors();
  for (int round = 0; round < 3; ++round) {
    GuestSocket socket{.host_port = kPort};
    const Fd far = open(socket);
    for (uint32_t queue = 0; queue < 2; ++queue) {
      exchange(message(VhostRequest::get_vring_base, raw(queue) + raw(uint32_t{0})));
    }
    EXPECT_EQ(read(far, 1), "") << "the connections of the old guest are closed";
    guest.reboot();
    packets.clear();
    set_up();
  }
  EXPECT_EQ(open_descriptors(), descriptors);
}

TEST_F(ServerTest, WorksAgainWithANewQemu) {
  for (int round = 0; round < 3; ++round) {
    boot();
    GuestSocket socket{.host_port = kPort};
    const Fd far = open(socket);
    qemu.reset();
    guest.reboot();
    packets.clear();
  }
}

TEST_F(ServerTest, RefusesASecondQemu) {
  boot();
  const Fd second = connect_to(path("vhost"));
  EXPECT_EQ(read(second, 1), "");
  GuestSocket socket{.host_port = kPort};
  open(socket);
}

TEST_F(ServerTest, DropsAQemuThatSendsNonsenseAndAcceptsAnother) {
  boot();
  ASSERT_TRUE(test::send_message(qemu.get(), message(VhostRequest{99})));
  ASSERT_TRUE(until([this] { return qemu_was_dropped(); }));
  guest.reboot();
  boot();
  GuestSocket socket{.host_port = kPort};
  open(socket);
}

TEST_F(ServerTest, AuditsAMalformedRingAndKeepsQemu) {
  boot();
  guest.transmit_queue().available_index() += 1000;
  guest.kick(1);
  EXPECT_EQ(exchange(message(VhostRequest::get_features)), raw(test::kAllFeatures));
  const auto rows = denials();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_THAT(rows[0],
              testing::StartsWith("vsock vsock.ring the guest's ring is malformed, the device stops: available index"));
}

}  // namespace
}  // namespace gatehouse::bridge
