#include "launcher/bridge/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/bridge/test_guest.h"
#include "launcher/bridge/test_stream.h"

namespace gatehouse::bridge {
namespace {

using test::FarEnd;
using test::GuestSocket;
using test::message;
using test::raw;
using test::ScriptedStream;
using test::TestGuest;
using testing::ElementsAre;
using testing::IsEmpty;

struct DeviceTest : testing::Test, HostSide, DeviceHost {
  bool serves(uint32_t port) override { return port == 53; }
  void connect(const Ticket& ticket) override { tickets.push_back(ticket); }
  void refused(const Refusal& refusal) override { refusals.push_back(refusal.rule); }
  void output_ready() override { device.work(now); }
  void watch_kick(size_t queue, int fd) override { watched.at(queue) = fd; }
  void ring_broken(const std::string& why) override { broken.push_back(why); }

  // The reply's payload.
  std::string handle(VhostMessage sent) {
    const auto reply = device.handle(std::move(sent), now);
    EXPECT_TRUE(reply) << reply.error().message();
    return reply && !reply->empty() ? reply->substr(kVhostHeaderBytes) : std::string();
  }
  std::string error(VhostMessage sent) {
    const auto reply = device.handle(std::move(sent), now);
    return reply ? "none" : reply.error().message();
  }
  void set_up() {
    for (auto& each : guest.setup()) handle(std::move(each));
  }
  FarEnd& accept() {
    guest.send(socket.header(Op::request));
    device.work(now);
    auto& far = ends.emplace_back();
    auto stream = std::make_unique<ScriptedStream>(far);
    last = stream.get();
    muxer.connected(tickets.back(), std::move(stream));
    device.work(now);
    const auto response = guest.receive();
    EXPECT_TRUE(response && response->header.op == Op::response);
    if (response) socket.note(*response);
    return far;
  }

  Time now = Time() + std::chrono::seconds(1000);
  std::deque<FarEnd> ends;
  ScriptedStream* last = nullptr;
  std::vector<Ticket> tickets;
  std::vector<std::string> refusals;
  std::vector<std::string> broken;
  std::array<int, 2> watched{-1, -1};
  TestGuest guest;
  GuestSocket socket{.host_port = 53};
  Muxer muxer{*this, kDefaultGuestCid};
  Device device{*this, muxer, kDefaultGuestCid};
};

TEST_F(DeviceTest, OffersItsFeaturesAndTheGuestsCid) {
  EXPECT_EQ(handle(message(VhostRequest::get_features)), raw(test::kAllFeatures));
  EXPECT_EQ(handle(message(VhostRequest::get_protocol_features)), raw(uint64_t{1} << 3 | uint64_t{1} << 9));
  const std::string request = raw(uint32_t{0}) + raw(uint32_t{8}) + raw(uint32_t{0});
  EXPECT_EQ(handle(message(VhostRequest::get_config, request + std::string(8, '\0'))), request + raw(uint64_t{3}));
}

TEST_F(DeviceTest, AcknowledgesWhatItIsAskedToAndRefusesToChangeTheCid) {
  EXPECT_EQ(handle(message(VhostRequest::set_owner, "", -1, true)), "") << "not agreed on yet";
  handle(message(VhostRequest::set_protocol_features, raw(uint64_t{1} << 3)));
  EXPECT_EQ(handle(message(VhostRequest::set_owner, "", -1, true)), raw(uint64_t{0}));
  EXPECT_EQ(handle(message(VhostRequest::set_config, std::string(20, 'x'), -1, true)), raw(uint64_t{1}));
}

TEST_F(DeviceTest, RefusesMalformedMessagesNamingTheCause) {
  struct Case {
    VhostMessage sent;
    std::string error;
  };
  std::vector<Case> cases;
  const auto add = [&cases](VhostMessage sent, std::string text) {
    cases.push_back({std::move(sent), std::move(text)});
  };
  const int stdin_like = guest.ram().file().release();
  add(message(VhostRequest{77}), "request 77: not a message of this device");
  add(message(VhostRequest::set_features, "1234"), "SET_FEATURES: a payload of 4 bytes");
  add(message(VhostRequest::set_features, raw(uint64_t{1})), "SET_FEATURES: features 0x1 were not offered");
  add(message(VhostRequest::set_protocol_features, raw(uint64_t{1})),
      "SET_PROTOCOL_FEATURES: features 0x1 were not offered");
  add(message(VhostRequest::set_mem_table, "1234"), "SET_MEM_TABLE: a table of 4 bytes");
  add(message(VhostRequest::set_mem_table, raw(uint64_t{2}) + std::string(32, '\0')),
      "SET_MEM_TABLE: 2 regions in 40 bytes");
  add(message(VhostRequest::set_mem_table, raw(uint64_t{UINT32_MAX})), "SET_MEM_TABLE: 4294967295 regions in 8 bytes");
  add(message(VhostRequest::set_mem_table, raw(uint64_t{1}) + std::string(32, '\0')),
      "SET_MEM_TABLE: 1 regions with 0 descriptors");
  add(message(VhostRequest::set_vring_num, raw(uint32_t{2}) + raw(uint32_t{8})),
      "SET_VRING_NUM: queue 2 does not exist");
  add(message(VhostRequest::set_vring_base, raw(uint32_t{0}) + raw(uint32_t{65536})),
      "SET_VRING_BASE: ring base 65536 does not fit 16 bits");
  add(message(VhostRequest::set_vring_addr, std::string(39, '\0')), "SET_VRING_ADDR: a payload of 39 bytes");
  add(message(VhostRequest::set_vring_addr, raw(uint32_t{9}) + std::string(36, '\0')),
      "SET_VRING_ADDR: queue 9 does not exist");
  add(message(VhostRequest::set_vring_kick, raw(uint64_t{0})), "SET_VRING_KICK: 0 descriptors");
  add(message(VhostRequest::set_vring_kick, raw(uint64_t{0x100})),
      "SET_VRING_KICK: polling without a kick descriptor is not offered");
  add(message(VhostRequest::set_vring_call, raw(uint64_t{0x100}), stdin_like), "SET_VRING_CALL: 1 descriptors");
  add(message(VhostRequest::set_vring_kick, raw(uint64_t{0}), stdin_like),
      "SET_VRING_KICK: its descriptor is no eventfd");
  add(message(VhostRequest::set_vring_call, raw(uint64_t{3}), guest.call_fd(0)),
      "SET_VRING_CALL: queue 3 does not exist");
  add(message(VhostRequest::set_vring_enable, raw(uint32_t{2}) + raw(uint32_t{1})),
      "SET_VRING_ENABLE: queue 2 does not exist");
  add(message(VhostRequest::get_vring_base, raw(uint32_t{2}) + raw(uint32_t{0})),
      "GET_VRING_BASE: queue 2 does not exist");
  add(message(VhostRequest::get_config, "short"), "GET_CONFIG: a payload of 5 bytes");
  add(message(VhostRequest::get_config, raw(uint32_t{4}) + raw(uint32_t{8}) + raw(uint32_t{0}) + std::string(8, '\0')),
      "GET_CONFIG: bytes 4 to 12 of a configuration of 8");
  for (auto& [sent, text] : cases) EXPECT_EQ(error(std::move(sent)), text);
  ::close(stdin_like);
}

TEST_F(DeviceTest, StartsOnlyWhenEverythingIsThere) {
  auto messages = guest.setup();
  for (auto& each : messages) {
    EXPECT_FALSE(device.ready());
    handle(std::move(each));
  }
  EXPECT_TRUE(device.ready());
  EXPECT_GE(watched[0], 0);
  EXPECT_GE(watched[1], 0);
}

TEST_F(DeviceTest, CarriesBytesBothWays) {
  set_up();
  guest.post_buffers();
  auto& far = accept();
  guest.send(socket.header(Op::data), "question");
  device.work(now);
  EXPECT_EQ(far.written, "question");
  far.to_read = std::string(10000, 'a');
  last->on_ready(true, false, now);
  std::string answer;
  while (const auto packet = guest.receive()) answer += packet->payload;
  EXPECT_EQ(answer, std::string(10000, 'a'));
}

TEST_F(DeviceTest, HoldsPacketsUntilTheGuestGivesBuffers) {
  set_up();
  guest.send(socket.header(Op::data), "nobody's");
  device.work(now);
  EXPECT_FALSE(guest.receive());
  guest.post_buffers(1);
  device.work(now);
  const auto reset = guest.receive();
  ASSERT_TRUE(reset);
  EXPECT_EQ(reset->header.op, Op::reset);
}

TEST_F(DeviceTest, LeavesPacketsInTheRingWhileResetsCannotGoOut) {
  set_up();
  size_t sent = 0;
  for (; sent < kMaxResetsWaiting + 200 && guest.can_send(); ++sent) {
    guest.send(socket.header(Op::data), "nobody's");
    device.work(now);
  }
  EXPECT_EQ(sent, kMaxResetsWaiting + 64) << "what the ring holds, beyond what the muxer does";
  guest.post_buffers();
  size_t resets = 0;
  for (bool more = true; more;) {
    more = device.work(now);
    while (guest.receive()) more = true, ++resets;
  }
  EXPECT_EQ(resets, sent) << "none is lost";
}

TEST_F(DeviceTest, StopsAtAMalformedRingAndWorksAgainAfterAReset) {
  set_up();
  guest.post_buffers();
  auto& far = accept();
  guest.transmit_queue().available_index() += 1000;
  device.work(now);
  ASSERT_EQ(broken.size(), 1u);
  EXPECT_THAT(broken[0], testing::HasSubstr("ahead in a ring of 128"));
  EXPECT_FALSE(device.ready());
  EXPECT_FALSE(far.open);
  handle(message(VhostRequest::set_vring_enable, raw(uint32_t{1}) + raw(uint32_t{1})));
  EXPECT_FALSE(device.ready()) << "not before a reset";

  for (uint32_t queue = 0; queue < 2; ++queue)
    handle(message(VhostRequest::get_vring_base, raw(queue) + raw(uint32_t{0})));
  guest.reboot();
  socket = {.host_port = 53};
  set_up();
  guest.post_buffers();
  EXPECT_TRUE(accept().open);
  EXPECT_EQ(broken.size(), 1u);
}

TEST_F(DeviceTest, StopsWhenTheGuestsQueueRegistersMakeNoSense) {
  EXPECT_EQ(handle(message(VhostRequest::set_vring_num, raw(uint32_t{0}) + raw(uint32_t{100}))), "");
  EXPECT_THAT(broken, ElementsAre("queue size 100, expected a power of two up to 1024"));
}

TEST_F(DeviceTest, StopsAtAReceiveBufferWithoutRoomForData) {
  set_up();
  auto& queue = guest.receive_queue();
  queue.descriptor(0) = {guest.ram().allocate(64), kPacketHeaderBytes, test::kWrite, 0};
  queue.offer(0);
  guest.send(socket.header(Op::data), "x");
  device.work(now);
  EXPECT_THAT(broken, ElementsAre("a receive buffer of 44 bytes"));
}

TEST_F(DeviceTest, ReturnsWhereARingStoodAndEndsAllConnections) {
  set_up();
  guest.post_buffers();
  auto& far = accept();
  EXPECT_EQ(handle(message(VhostRequest::get_vring_base, raw(uint32_t{1}) + raw(uint32_t{0}))),
            raw(uint32_t{1}) + raw(uint32_t{1}));
  EXPECT_EQ(watched[1], -1);
  EXPECT_FALSE(far.open);
  EXPECT_EQ(muxer.size(), 0u);
}

TEST_F(DeviceTest, FindsRunningRingsAgainInANewMemoryTable) {
  set_up();
  guest.post_buffers();
  auto& far = accept();
  handle(guest.memory_table());
  guest.send(socket.header(Op::data), "still here");
  device.work(now);
  EXPECT_EQ(far.written, "still here");
  EXPECT_TRUE(device.ready());
}

TEST_F(DeviceTest, RefusesToMoveARingThatRuns) {
  set_up();
  EXPECT_EQ(error(message(VhostRequest::set_vring_num, raw(uint32_t{0}) + raw(uint32_t{8}))),
            "SET_VRING_NUM: queue 0 is running");
  EXPECT_EQ(error(message(VhostRequest::set_vring_base, raw(uint32_t{0}) + raw(uint32_t{8}))),
            "SET_VRING_BASE: queue 0 is running");
  EXPECT_EQ(error(message(VhostRequest::set_vring_addr, std::string(40, '\0'))), "SET_VRING_ADDR: queue 0 is running");
}

TEST_F(DeviceTest, ForgetsEverythingWhenQemuGoes) {
  set_up();
  guest.post_buffers();
  auto& far = accept();
  device.disconnect(now);
  EXPECT_FALSE(far.open);
  EXPECT_FALSE(device.ready());
  EXPECT_THAT(watched, ElementsAre(-1, -1));
  handle(message(VhostRequest::set_vring_enable, raw(uint32_t{1}) + raw(uint32_t{1})));
  EXPECT_FALSE(device.ready()) << "the memory is gone";
}

}  // namespace
}  // namespace gatehouse::bridge
