#include "launcher/bridge/muxer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "launcher/bridge/test_stream.h"

namespace gatehouse::bridge {
namespace {

using test::FarEnd;
using test::ScriptedStream;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kLimit = 8;

struct MuxerTest : testing::Test, HostSide {
  bool serves(uint32_t port) override { return port == 53; }
  void connect(const Ticket& ticket) override { tickets.push_back(ticket); }
  void refused(const Refusal& refusal) override { refusals.push_back(refusal.rule + ": " + refusal.reason); }
  void output_ready() override { ++output; }

  void send(Op op, uint32_t guest_port, uint32_t host_port, std::string payload = {}, uint32_t flags = 0) {
    PacketHeader header{
        .source_cid = 3, .destination_cid = 2, .source_port = guest_port, .destination_port = host_port};
    header.length = static_cast<uint32_t>(payload.size());
    header.op = op;
    header.flags = flags;
    header.buffer_size = 100000;
    send(header, payload);
  }
  void send(const PacketHeader& header, const std::string& payload) {
    std::string bytes(kPacketHeaderBytes, '\0');
    write_packet_header(header, bytes.data());
    send_bytes(bytes + payload);
  }
  void send_bytes(std::string bytes) {
    const Chain chain{0, {{bytes.data(), bytes.size()}}, bytes.size()};
    muxer.receive(chain, now);
  }

  // All packets due, as "op guest-port".
  std::vector<std::string> output_packets(size_t most = SIZE_MAX) {
    std::vector<std::string> seen;
    while (seen.size() < most && muxer.due()) {
      std::string bytes(kPacketHeaderBytes + 10, '\0');
      const Chain chain{0, {{bytes.data(), bytes.size()}}, bytes.size()};
      std::vector<uint32_t> written;
      muxer.fill({&chain, 1}, written, now);
      if (written.empty()) continue;
      const auto header = read_packet_header(bytes.data());
      seen.push_back(fmt::format("{} {}", to_string(header.op), header.destination_port));
    }
    return seen;
  }
  FarEnd& accept(uint32_t guest_port) {
    send(Op::request, guest_port, 53);
    auto& far = ends.emplace_back();
    auto stream = std::make_unique<ScriptedStream>(far);
    streams.push_back(stream.get());
    muxer.connected(tickets.back(), std::move(stream));
    EXPECT_THAT(output_packets(), ElementsAre(fmt::format("response {}", guest_port)));
    return far;
  }

  Time now = Time() + std::chrono::seconds(1000);
  std::deque<FarEnd> ends;
  std::vector<ScriptedStream*> streams;
  std::vector<Ticket> tickets;
  std::vector<std::string> refusals;
  int output = 0;
  Muxer muxer{*this, 3, kLimit};
};

TEST_F(MuxerTest, ResetsAndReportsARequestForAPortNobodyServes) {
  send(Op::request, 1000, 7777);
  EXPECT_THAT(tickets, IsEmpty());
  EXPECT_THAT(output_packets(), ElementsAre("reset 1000"));
  EXPECT_THAT(refusals, ElementsAre("vsock.port: no service listens on vsock port 7777"));
  EXPECT_EQ(muxer.size(), 0u);
}

TEST_F(MuxerTest, BringsPacketsToTheRightConnection) {
  auto& one = accept(1);
  auto& two = accept(2);
  send(Op::data, 2, 53, "two");
  send(Op::data, 1, 53, "one");
  EXPECT_EQ(one.written, "one");
  EXPECT_EQ(two.written, "two");
}

TEST_F(MuxerTest, ResetsPacketsOfNoConnectionButNeverAReset) {
  send(Op::data, 9, 53, "x");
  send(Op::credit_update, 10, 53);
  send(Op::reset, 11, 53);
  EXPECT_THAT(output_packets(), ElementsAre("reset 9", "reset 10"));
  EXPECT_THAT(refusals, IsEmpty());
}

TEST_F(MuxerTest, CostsAWrongPacketItsOwnConnectionOnly) {
  struct Case {
    PacketHeader header;
    std::string payload, reason;
  };
  const PacketHeader good{
      .source_cid = 3, .destination_cid = 2, .source_port = 1, .destination_port = 53, .op = Op::data};
  auto too_short = good, too_long = good, other_type = good;
  too_short.length = 2;
  too_long.length = UINT32_MAX;
  other_type.type = 2;
  auto& bystander = accept(2);
  for (const auto& [header, payload, reason] :
       {Case{too_short, "x", "a data packet of type 1 says 2 bytes and carries 1"},
        Case{too_long, "x", "a data packet of type 1 says 4294967295 bytes and carries 1"},
        Case{other_type, "", "a data packet of type 2 says 0 bytes and carries 0"}}) {
    auto& far = accept(1);
    refusals.clear();
    send(header, payload);
    EXPECT_THAT(refusals, ElementsAre("vsock.packet: " + reason));
    EXPECT_THAT(output_packets(), ElementsAre("reset 1"));
    EXPECT_FALSE(far.open);
  }
  send(Op::data, 2, 53, "fine");
  EXPECT_EQ(bystander.written, "fine");
}

TEST_F(MuxerTest, AnswersNobodyWhoseAddressIsWrong) {
  send(PacketHeader{.source_cid = 4, .destination_cid = 2, .destination_port = 53, .op = Op::request}, "");
  send(PacketHeader{.source_cid = 3, .destination_cid = 1, .destination_port = 53, .op = Op::request}, "");
  send_bytes(std::string(kPacketHeaderBytes - 1, '\0'));
  EXPECT_THAT(refusals, ElementsAre("vsock.packet: a packet from CID 4 to CID 2, expected 3 to 2",
                                    "vsock.packet: a packet from CID 3 to CID 1, expected 3 to 2",
                                    "vsock.packet: a packet of 43 bytes is shorter than its header"));
  EXPECT_THAT(output_packets(), IsEmpty());
}

TEST_F(MuxerTest, ResetsConnectionsBeyondItsLimit) {
  for (uint32_t port = 1; port <= kLimit; ++port) accept(port);
  send(Op::request, 99, 53);
  EXPECT_THAT(output_packets(), ElementsAre("reset 99"));
  EXPECT_THAT(refusals, ElementsAre("vsock.limit: more than 8 vsock connections at once"));
  EXPECT_FALSE(muxer.open(1024, std::make_unique<ScriptedStream>(ends.emplace_back()), now));
}

TEST_F(MuxerTest, CountsWhatIsStillDrainingAgainstItsLimit) {
  for (uint32_t port = 1; port <= kLimit; ++port) {
    accept(port).room = 0;
    send(Op::data, port, 53, "kept");
    send(Op::reset, port, 53);
  }
  EXPECT_EQ(muxer.size(), kLimit);
  send(Op::request, 99, 53);
  EXPECT_THAT(output_packets(), ElementsAre("reset 99"));
  for (auto& end : ends) end.room = 100;
  for (auto* stream : streams) stream->on_ready(false, true, now);
  EXPECT_EQ(muxer.size(), 0u);
  EXPECT_EQ(ends[0].written, "kept");
}

TEST_F(MuxerTest, LetsConnectionsTakeTurns) {
  for (uint32_t port = 1; port <= 3; ++port) accept(port);
  for (size_t i = 0; i < 3; ++i) {
    ends[i].to_read = std::string(20, 'x');
    streams[i]->on_ready(true, false, now);
  }
  EXPECT_THAT(output_packets(6), ElementsAre("data 1", "data 2", "data 3", "data 1", "data 2", "data 3"));
  EXPECT_EQ(output, 3);
}

TEST_F(MuxerTest, DoesNotLetResetsStarveTheRest) {
  auto& far = accept(1);
  for (uint32_t port = 100; port < 103; ++port) send(Op::data, port, 53, "x");
  far.to_read = std::string(20, 'x');
  streams[0]->on_ready(true, false, now);
  EXPECT_THAT(output_packets(4), ElementsAre("reset 100", "data 1", "reset 101", "data 1"));
}

TEST_F(MuxerTest, StopsTakingPacketsWhileTooManyResetsWait) {
  for (uint32_t port = 0; port < kMaxResetsWaiting; ++port) {
    ASSERT_TRUE(muxer.can_receive());
    send(Op::data, port, 53, "x");
  }
  EXPECT_FALSE(muxer.can_receive());
  output_packets(1);
  EXPECT_TRUE(muxer.can_receive());
}

TEST_F(MuxerTest, DropsTheAnswerToATicketThatTheGuestGaveUp) {
  send(Op::request, 1, 53);
  send(Op::reset, 1, 53);
  EXPECT_FALSE(muxer.wanted(tickets[0]));
  send(Op::request, 1, 53);
  auto& far = ends.emplace_back();
  muxer.connected(tickets[0], std::make_unique<ScriptedStream>(far));
  EXPECT_FALSE(far.open) << "the second request has a ticket of its own";
  EXPECT_TRUE(muxer.wanted(tickets[1]));
}

TEST_F(MuxerTest, ResetsARequestWhoseServiceDoesNotAnswer) {
  send(Op::request, 1, 53);
  muxer.refused(tickets[0], "it is away");
  EXPECT_THAT(output_packets(), ElementsAre("reset 1"));
  EXPECT_THAT(refusals, ElementsAre("vsock.service: it is away"));
  EXPECT_EQ(muxer.size(), 0u);
}

TEST_F(MuxerTest, ConnectsHostClientsFromFreshPorts) {
  for (int i = 0; i < 2; ++i) muxer.open(1024, std::make_unique<ScriptedStream>(ends.emplace_back()), now);
  EXPECT_THAT(output_packets(), ElementsAre("request 1024", "request 1024"));
  send(Op::response, 1024, kFirstEphemeralPort);
  send(Op::reset, 1024, kFirstEphemeralPort + 1);
  EXPECT_EQ(ends[0].written, "OK 1073741824\n");
  EXPECT_FALSE(ends[1].open);
  EXPECT_EQ(ends[1].written, "");
}

TEST_F(MuxerTest, EndsEverythingWhenTheGuestIsReset) {
  auto& idle = accept(1);
  auto& busy = accept(2);
  busy.room = 0;
  send(Op::data, 2, 53, "last words");
  send(Op::request, 3, 53);
  muxer.close_all(now);
  EXPECT_FALSE(idle.open);
  EXPECT_FALSE(muxer.wanted(tickets.back()));
  EXPECT_FALSE(muxer.due());
  EXPECT_EQ(muxer.size(), 1u);
  busy.room = 100;
  streams[1]->on_ready(false, true, now);
  EXPECT_EQ(busy.written, "last words") << "what had been sent still goes out";
  EXPECT_FALSE(busy.open);
}

}  // namespace
}  // namespace gatehouse::bridge
