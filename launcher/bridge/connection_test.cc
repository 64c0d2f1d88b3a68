#include "launcher/bridge/connection.h"

#include <gtest/gtest.h>

#include "launcher/bridge/test_stream.h"

namespace gatehouse::bridge {
namespace {

using Fate = Connection::Fate;
using test::FarEnd;
using test::ScriptedStream;
using namespace std::chrono_literals;

constexpr ConnectionKey kKey{1000, 53};
constexpr uint32_t kOurBuffer = 1000;
constexpr uint32_t kGuestBuffer = 300;

// One connection, its far end on the host, and buffers to write packets for the guest into.
struct ConnectionTest : testing::Test {
  void SetUp() override {
    connection = Connection::from_guest(3, kKey, packet(Op::request), kOurBuffer, now);
    connection->attach(std::make_unique<ScriptedStream>(far));
    EXPECT_EQ(next().op, Op::response);
  }

  PacketHeader packet(Op op, uint32_t flags = 0) {
    PacketHeader header;
    header.op = op;
    header.flags = flags;
    header.buffer_size = kGuestBuffer;
    header.forwarded = guest_forwarded;
    return header;
  }
  Fate receive(Op op, uint32_t flags = 0) { return connection->receive(packet(op, flags), {}, now); }
  Fate receive_data(std::string bytes) {
    auto header = packet(Op::data);
    header.length = static_cast<uint32_t>(bytes.size());
    const iovec part{bytes.data(), bytes.size()};
    return connection->receive(header, {&part, 1}, now);
  }

  // The next packet for the guest; its payload is in `payload`. Op::invalid when none is due.
  PacketHeader next() {
    payload.clear();
    if (!connection->due()) return {};
    std::string bytes(kPacketHeaderBytes + buffer_bytes, '\0');
    Chain chain{0, {{bytes.data(), bytes.size()}}, bytes.size()};
    std::vector<uint32_t> written;
    fate = connection->fill({&chain, 1}, written, now);
    if (written.empty()) return {};
    payload = bytes.substr(kPacketHeaderBytes, written[0] - kPacketHeaderBytes);
    return read_packet_header(bytes.data());
  }
  void host_sends(std::string_view bytes) {
    far.to_read += bytes;
    connection->host_ready(true, false, now);
  }

  Time now = Time() + 1000s;
  FarEnd far;
  std::unique_ptr<Connection> connection;
  uint32_t guest_forwarded = 0;
  size_t buffer_bytes = 4096;
  std::string payload;
  Fate fate = Fate::lives;
};

TEST_F(ConnectionTest, AnswersARequestWithItsBufferOnceTheHostIsThere) {
  auto waiting = Connection::from_guest(3, kKey, packet(Op::request), kOurBuffer, now);
  EXPECT_FALSE(waiting->due());
  waiting->attach(std::make_unique<ScriptedStream>(far));
  connection = std::move(waiting);
  const auto response = next();
  EXPECT_EQ(response.op, Op::response);
  EXPECT_EQ(response.source_cid, 2u);
  EXPECT_EQ(response.destination_cid, 3u);
  EXPECT_EQ(response.source_port, 53u);
  EXPECT_EQ(response.destination_port, 1000u);
  EXPECT_EQ(response.buffer_size, kOurBuffer);
}

TEST_F(ConnectionTest, PassesTheGuestsBytesStraightOn) {
  EXPECT_EQ(receive_data("hello"), Fate::lives);
  EXPECT_EQ(far.written, "hello");
  EXPECT_FALSE(far.watches_writable);
}

TEST_F(ConnectionTest, KeepsWhatTheHostDoesNotTakeAndPassesItOnInOrder) {
  far.room = 3;
  receive_data("hello ");
  receive_data("world");
  EXPECT_EQ(far.written, "hel");
  EXPECT_TRUE(far.watches_writable);
  far.room = 100;
  connection->host_ready(false, true, now);
  EXPECT_EQ(far.written, "hello world");
  EXPECT_FALSE(far.watches_writable);
}

TEST_F(ConnectionTest, TellsTheGuestOfFreedCreditAtHalfItsBuffer) {
  receive_data(std::string(kOurBuffer / 2 - 1, 'x'));
  EXPECT_EQ(next().op, Op::invalid);
  receive_data("x");
  const auto update = next();
  EXPECT_EQ(update.op, Op::credit_update);
  EXPECT_EQ(update.forwarded, kOurBuffer / 2);
  EXPECT_EQ(next().op, Op::invalid) << "once is enough";
}

TEST_F(ConnectionTest, TellsTheGuestItsCreditWhenAsked) {
  receive_data("abc");
  EXPECT_EQ(receive(Op::credit_request), Fate::lives);
  const auto update = next();
  EXPECT_EQ(update.op, Op::credit_update);
  EXPECT_EQ(update.forwarded, 3u);
}

TEST_F(ConnectionTest, ResetsAGuestThatSendsBeyondItsCredit) {
  far.room = 0;
  EXPECT_EQ(receive_data(std::string(kOurBuffer, 'x')), Fate::lives);
  EXPECT_EQ(receive_data("x"), Fate::over_credit);
}

TEST_F(ConnectionTest, NeverSendsTheGuestMoreThanItsCredit) {
  host_sends(std::string(kGuestBuffer + 50, 'x'));
  EXPECT_EQ(next().op, Op::data);
  EXPECT_EQ(payload.size(), kGuestBuffer);
  EXPECT_EQ(next().op, Op::invalid);
  guest_forwarded = 20;
  EXPECT_EQ(receive(Op::credit_update), Fate::lives);
  EXPECT_EQ(next().op, Op::data);
  EXPECT_EQ(payload.size(), 20u);
  EXPECT_EQ(far.to_read.size(), 30u) << "what the guest cannot take stays in the socket";
}

TEST_F(ConnectionTest, StopsListeningToAHostThatHasToWaitForCredit) {
  host_sends(std::string(kGuestBuffer, 'x'));
  next();
  host_sends("y");
  connection->host_ready(true, false, now);
  EXPECT_FALSE(far.watches_readable);
  guest_forwarded = kGuestBuffer;
  receive(Op::credit_update);
  EXPECT_EQ(next().op, Op::data);
  EXPECT_TRUE(far.watches_readable) << "it is listened to again once it has been read dry";
}

TEST_F(ConnectionTest, AsksAGuestForCreditThatStaysSilent) {
  host_sends(std::string(kGuestBuffer + 1, 'x'));
  next();
  EXPECT_EQ(connection->tick(now), Fate::lives);
  EXPECT_EQ(next().op, Op::credit_request);
  EXPECT_EQ(next().op, Op::invalid);
}

TEST_F(ConnectionTest, TakesACountOfMoreThanWasSentForNoCredit) {
  host_sends("x");
  guest_forwarded = 5;
  receive(Op::credit_update);
  EXPECT_EQ(next().op, Op::invalid);
}

TEST_F(ConnectionTest, FillsSmallBuffersWithOneRead) {
  host_sends("abcdefgh");
  std::vector<std::string> bytes(4, std::string(kPacketHeaderBytes + 3, '\0'));
  std::vector<Chain> chains;
  for (auto& each : bytes)
    chains.push_back({0, {{each.data(), 10}, {each.data() + 10, each.size() - 10}}, each.size()});
  std::vector<uint32_t> written;
  connection->fill(chains, written, now);
  ASSERT_EQ(written, (std::vector<uint32_t>{47, 47, 46}));
  EXPECT_EQ(bytes[1].substr(kPacketHeaderBytes), "def");
  EXPECT_EQ(read_packet_header(bytes[2].data()).length, 2u);
}

TEST_F(ConnectionTest, ShutsTheSocketAfterTheGuestsLastByte) {
  far.room = 0;
  receive_data("bye");
  EXPECT_EQ(receive(Op::shutdown, kShutdownSend), Fate::lives);
  EXPECT_FALSE(far.sending_shut);
  far.room = 100;
  connection->host_ready(false, true, now);
  EXPECT_EQ(far.written, "bye");
  EXPECT_TRUE(far.sending_shut);
  host_sends("answer");
  EXPECT_EQ(next().op, Op::data) << "the other direction goes on";
}

TEST_F(ConnectionTest, TellsTheGuestOfTheHostsEndAfterItsLastByte) {
  far.ended = true;
  host_sends("bye");
  EXPECT_EQ(next().op, Op::data);
  connection->host_ready(true, false, now);
  next();
  const auto shutdown = next();
  EXPECT_EQ(shutdown.op, Op::shutdown);
  EXPECT_EQ(shutdown.flags, kShutdownSend);
  EXPECT_EQ(receive_data("still heard"), Fate::lives);
  EXPECT_EQ(far.written, "still heard");
}

TEST_F(ConnectionTest, AnswersAShutdownOfBothDirectionsWithReset) {
  EXPECT_EQ(receive(Op::shutdown, kShutdownSend), Fate::lives);
  EXPECT_EQ(receive(Op::shutdown, kShutdownReceive), Fate::reset);
}

TEST_F(ConnectionTest, ShutsBothDirectionsOnceBothEndsAreDoneAndWaitsForTheReset) {
  receive(Op::shutdown, kShutdownSend);
  far.ended = true;
  connection->host_ready(true, false, now);
  next();
  EXPECT_EQ(next().flags, kShutdownBoth);
  EXPECT_EQ(connection->tick(now + kCloseTimeout - 1ms), Fate::lives);
  EXPECT_EQ(connection->tick(now + kCloseTimeout), Fate::reset);
}

TEST_F(ConnectionTest, DropsBytesForAHostThatReadsNoMoreAndTellsTheGuest) {
  far.deaf = true;
  EXPECT_EQ(receive_data("lost"), Fate::lives);
  const auto shutdown = next();
  EXPECT_EQ(shutdown.op, Op::shutdown);
  EXPECT_EQ(shutdown.flags, kShutdownReceive);
  EXPECT_EQ(shutdown.forwarded, 4u) << "dropped bytes hold no credit";
  host_sends("the response");
  EXPECT_EQ(next().op, Op::data) << "what the host still has to say is heard";
}

TEST_F(ConnectionTest, NoticesAHostThatCloses) {
  far.ended = far.gone = true;
  connection->host_ready(true, false, now);
  next();
  EXPECT_EQ(next().flags, kShutdownBoth);
}

TEST_F(ConnectionTest, NoticesAHostThatClosesAfterItsEnd) {
  far.ended = true;
  connection->host_ready(true, false, now);
  next();
  EXPECT_EQ(next().flags, kShutdownSend);
  far.gone = true;
  connection->tick(now);
  EXPECT_EQ(next().flags, kShutdownBoth);
}

TEST_F(ConnectionTest, ResetsWhenTheHostDoes) {
  host_sends("x");
  far.reset = true;
  next();
  EXPECT_EQ(fate, Fate::reset);
}

TEST_F(ConnectionTest, DrainsWhatTheGuestSentBeforeItLetGo) {
  far.room = 0;
  receive_data("last words");
  EXPECT_EQ(receive(Op::reset), Fate::ends);
  ASSERT_TRUE(connection->drain(now));
  far.room = 4;
  EXPECT_EQ(connection->host_ready(false, true, now + 20s), Fate::lives);
  EXPECT_EQ(connection->tick(now + kDrainTimeout), Fate::lives) << "there was progress";
  far.room = 100;
  EXPECT_EQ(connection->host_ready(false, true, now), Fate::ends);
  EXPECT_EQ(far.written, "last words");
}

TEST_F(ConnectionTest, DrainsForALimitedTimeOnly) {
  far.room = 0;
  receive_data("last words");
  ASSERT_TRUE(connection->drain(now));
  EXPECT_EQ(connection->tick(now + kDrainTimeout), Fate::reset);
}

TEST_F(ConnectionTest, HasNothingToDrainWhenAllIsOut) { EXPECT_FALSE(connection->drain(now)); }

TEST_F(ConnectionTest, ResetsAtAPacketThatDoesNotBelongHere) {
  EXPECT_EQ(receive(Op::request), Fate::reset);
  EXPECT_EQ(receive(Op::response), Fate::reset);
  EXPECT_EQ(receive(Op::invalid), Fate::reset);
  EXPECT_EQ(receive(static_cast<Op>(77)), Fate::reset);
}

TEST_F(ConnectionTest, ResetsAtDataAfterTheGuestsEnd) {
  receive(Op::shutdown, kShutdownSend);
  EXPECT_EQ(receive_data("x"), Fate::reset);
}

TEST_F(ConnectionTest, GivesUpAHostThatDoesNotAnswer) {
  auto waiting = Connection::from_guest(3, kKey, packet(Op::request), kOurBuffer, now);
  EXPECT_EQ(waiting->tick(now + kConnectTimeout - 1ms), Fate::lives);
  EXPECT_EQ(waiting->tick(now + kConnectTimeout), Fate::reset);
}

struct HostConnectionTest : ConnectionTest {
  void SetUp() override {
    connection = Connection::from_host(3, kKey, std::make_unique<ScriptedStream>(far), "OK 53\n", kOurBuffer, now);
  }
};

TEST_F(HostConnectionTest, GreetsTheClientOnceTheGuestAccepts) {
  EXPECT_EQ(next().op, Op::request);
  EXPECT_EQ(far.written, "");
  EXPECT_FALSE(far.watches_readable) << "the client's bytes wait until the guest has accepted";
  EXPECT_EQ(receive(Op::response), Fate::lives);
  EXPECT_EQ(far.written, "OK 53\n");
  receive_data("hi");
  EXPECT_EQ(far.written, "OK 53\nhi");
  receive(Op::credit_request);
  EXPECT_EQ(next().forwarded, 2u) << "the greeting is not the guest's";
}

TEST_F(HostConnectionTest, EndsWhenTheGuestRefuses) {
  next();
  EXPECT_EQ(receive(Op::reset), Fate::ends);
  EXPECT_FALSE(connection->drain(now));
  EXPECT_EQ(far.written, "");
}

TEST_F(HostConnectionTest, ResetsAtAnAnswerBeforeTheQuestion) { EXPECT_EQ(receive(Op::response), Fate::reset); }

TEST_F(HostConnectionTest, ResetsAtDataBeforeTheAnswer) {
  next();
  EXPECT_EQ(receive_data("x"), Fate::reset);
}

}  // namespace
}  // namespace gatehouse::bridge
