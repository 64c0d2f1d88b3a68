#include "launcher/bridge/virtqueue.h"

#include <gtest/gtest.h>

#include <functional>

#include "launcher/bridge/test_rings.h"

namespace gatehouse::bridge {
namespace {

using test::Descriptor;
using test::DriverQueue;
using test::GuestRam;
using test::kIndirect;
using test::kNext;
using test::kWrite;

constexpr uint16_t kSize = 8;

struct VirtqueueTest : testing::Test {
  explicit VirtqueueTest(Buffers direction = Buffers::from_guest, bool event_index = true)
      : driver(ram, kSize, event_index), memory(ram.map()), queue(direction), buffer(ram.allocate(4096)) {
    EXPECT_TRUE(queue.set_size(kSize));
    queue.set_addresses(driver.addresses());
    queue.set_features(true, event_index);
    EXPECT_TRUE(queue.start(memory));
  }

  GuestRam ram{1 << 20};
  DriverQueue driver;
  GuestMemory memory;
  Virtqueue queue;
  uint64_t buffer;
  Chain chain;
};

TEST_F(VirtqueueTest, IsEmptyUntilTheDriverOffersAChain) {
  EXPECT_EQ(queue.pop(chain).value(), false);
  driver.descriptor(3) = {buffer, 10, kNext, 5};
  driver.descriptor(5) = {buffer + 100, 20, 0, 0};
  driver.offer(3);
  ASSERT_EQ(queue.pop(chain).value(), true);
  EXPECT_EQ(chain.head, 3);
  EXPECT_EQ(chain.bytes, 30u);
  ASSERT_EQ(chain.buffers.size(), 2u);
  EXPECT_EQ(chain.buffers[1].iov_base, memory.at_guest_address(buffer + 100, 20));
  EXPECT_EQ(queue.pop(chain).value(), false);
}

TEST_F(VirtqueueTest, FollowsAnIndirectTable) {
  const uint64_t table = ram.allocate(3 * sizeof(Descriptor));
  auto* entries = reinterpret_cast<Descriptor*>(ram.at(table));
  entries[0] = {buffer, 1, kNext, 2};
  entries[2] = {buffer, 2, kNext, 1};
  entries[1] = {buffer, 4, 0, 0};
  driver.descriptor(0) = {table, 3 * sizeof(Descriptor), kIndirect, 0};
  driver.offer(0);
  ASSERT_EQ(queue.pop(chain).value(), true);
  EXPECT_EQ(chain.bytes, 7u);
}

TEST_F(VirtqueueTest, ReturnsChainsInTheUsedRingOnlyWhenPublished) {
  driver.descriptor(1) = {buffer, 10, 0, 0};
  driver.offer(1);
  ASSERT_TRUE(queue.pop(chain).value());
  queue.push(chain.head, 7);
  EXPECT_FALSE(driver.take_used());
  queue.publish();
  const auto used = driver.take_used();
  ASSERT_TRUE(used);
  EXPECT_EQ(used->head, 1u);
  EXPECT_EQ(used->written, 7u);
}

TEST_F(VirtqueueTest, TakesAChainThatWasGivenBackAgain) {
  driver.descriptor(1) = {buffer, 10, 0, 0};
  driver.offer(1);
  ASSERT_TRUE(queue.pop(chain).value());
  queue.unpop(1);
  ASSERT_TRUE(queue.pop(chain).value());
  EXPECT_EQ(chain.head, 1);
}

TEST_F(VirtqueueTest, CallsTheDriverOnlyAtTheEntryItWaitsFor) {
  driver.descriptor(0) = {buffer, 10, 0, 0};
  const auto pass_one = [this] {
    driver.offer(0);
    EXPECT_TRUE(queue.pop(chain).value());
    queue.push(chain.head, 0);
    return queue.publish();
  };
  EXPECT_FALSE(driver.ask_for_call());
  EXPECT_TRUE(pass_one());
  EXPECT_FALSE(pass_one()) << "it has been called for an earlier one and not asked again";
  driver.take_used();
  driver.take_used();
  EXPECT_FALSE(driver.ask_for_call());
  EXPECT_TRUE(pass_one());
  EXPECT_FALSE(queue.publish()) << "nothing new";
}

TEST_F(VirtqueueTest, AsksForAKickAndSeesWhatCameMeanwhile) {
  driver.descriptor(0) = {buffer, 10, 0, 0};
  EXPECT_FALSE(queue.ask_for_kick());
  EXPECT_TRUE(driver.offer(0));
  EXPECT_FALSE(driver.offer(0)) << "one kick is enough";
  EXPECT_TRUE(queue.ask_for_kick());
}

TEST_F(VirtqueueTest, RunsOverTheEndOfTheIndices) {
  driver.descriptor(0) = {buffer, 10, 0, 0};
  for (int i = 0; i < 70000; ++i) {
    driver.offer(0);
    ASSERT_TRUE(queue.pop(chain).value());
    queue.push(chain.head, 0);
    queue.publish();
    ASSERT_TRUE(driver.take_used());
  }
}

struct PlainVirtqueueTest : VirtqueueTest {
  PlainVirtqueueTest() : VirtqueueTest(Buffers::from_guest, false) {}
};

TEST_F(PlainVirtqueueTest, UsesFlagsWithoutEventIndices) {
  driver.descriptor(0) = {buffer, 10, 0, 0};
  queue.decline_kicks();
  EXPECT_FALSE(driver.offer(0));
  EXPECT_TRUE(queue.ask_for_kick());
  EXPECT_TRUE(driver.offer(0));
  ASSERT_TRUE(queue.pop(chain).value());
  queue.push(chain.head, 0);
  EXPECT_TRUE(queue.publish());
}

// A ring that a hostile guest could write, and what the device says to it.
struct Hostile {
  std::string error;
  std::function<void(VirtqueueTest&)> write;
};

Descriptor* table(VirtqueueTest& t, uint16_t entries, uint32_t bytes_claimed) {
  const uint64_t at = t.ram.allocate(entries * sizeof(Descriptor));
  t.driver.descriptor(0) = {at, bytes_claimed, kIndirect, 0};
  return reinterpret_cast<Descriptor*>(t.ram.at(at));
}

const std::vector<Hostile> kHostileRings = {
    {"available index 9 is 9 ahead in a ring of 8", [](auto& t) { t.driver.available_index() = 9; }},
    {"available index 65535 is 65535 ahead in a ring of 8", [](auto& t) { t.driver.available_index() = 65535; }},
    {"descriptor 8 of 8 does not exist", [](auto& t) { t.driver.offer(8); }},
    {"descriptor 65535 of 8 does not exist",
     [](auto& t) {
       t.driver.descriptor(0) = {t.buffer, 1, kNext, 65535};
       t.driver.offer(0);
     }},
    {"a chain of descriptors loops",
     [](auto& t) {
       t.driver.descriptor(0) = {t.buffer, 1, kNext, 1};
       t.driver.descriptor(1) = {t.buffer, 1, kNext, 0};
       t.driver.offer(0);
     }},
    {"a chain of descriptors loops",
     [](auto& t) {
       t.driver.descriptor(0) = {t.buffer, 0, kNext, 0};
       t.driver.offer(0);
     }},
    {"a buffer to be written in the transmit queue",
     [](auto& t) {
       t.driver.descriptor(0) = {t.buffer, 1, kWrite, 0};
       t.driver.offer(0);
     }},
    {"a buffer of 1 bytes at 0x0 is not in guest memory",
     [](auto& t) {
       t.driver.descriptor(0) = {0, 1, 0, 0};
       t.driver.offer(0);
     }},
    {"a buffer of 4294967295 bytes at 0x40000000 is not in guest memory",
     [](auto& t) {
       t.driver.descriptor(0) = {GuestRam::kPhysicalBase, UINT32_MAX, 0, 0};
       t.driver.offer(0);
     }},
    {"a buffer of 2 bytes at 0xffffffffffffffff is not in guest memory",
     [](auto& t) {
       t.driver.descriptor(0) = {UINT64_MAX, 2, 0, 0};
       t.driver.offer(0);
     }},
    {"a buffer of 2 bytes at 0x400fffff is not in guest memory",
     [](auto& t) {
       t.driver.descriptor(0) = {GuestRam::kPhysicalBase + (1 << 20) - 1, 2, 0, 0};
       t.driver.offer(0);
     }},
    {"an indirect table within an indirect table",
     [](auto& t) {
       table(t, 1, 16)[0] = {t.buffer, 16, kIndirect, 0};
       t.driver.offer(0);
     }},
    {"an indirect descriptor with a next one",
     [](auto& t) {
       table(t, 1, 16);
       t.driver.descriptor(0).flags |= kNext;
       t.driver.offer(0);
     }},
    {"an indirect table of 15 bytes",
     [](auto& t) {
       table(t, 1, 15);
       t.driver.offer(0);
     }},
    {"an indirect table of 0 bytes",
     [](auto& t) {
       table(t, 1, 0);
       t.driver.offer(0);
     }},
    {"an indirect table of 4294967280 bytes",
     [](auto& t) {
       table(t, 1, 0xfffffff0);
       t.driver.offer(0);
     }},
    {"an indirect table at 0x400fffff is not in guest memory",
     [](auto& t) {
       t.driver.descriptor(0) = {GuestRam::kPhysicalBase + (1 << 20) - 1, 16, kIndirect, 0};
       t.driver.offer(0);
     }},
    {"descriptor 1 of 1 does not exist",
     [](auto& t) {
       table(t, 1, 16)[0] = {t.buffer, 1, kNext, 1};
       t.driver.offer(0);
     }},
    {"a chain of descriptors loops",
     [](auto& t) {
       table(t, 2, 32)[0] = {t.buffer, 1, kNext, 0};
       t.driver.offer(0);
     }},
};

TEST(HostileRing, IsRefusedWithItsCause) {
  struct Ring : VirtqueueTest {
    void TestBody() override {}
  };
  for (const auto& hostile : kHostileRings) {
    Ring ring;
    hostile.write(ring);
    const auto got = ring.queue.pop(ring.chain);
    ASSERT_FALSE(got) << hostile.error;
    EXPECT_EQ(got.error().message(), hostile.error);
  }
}

TEST_F(PlainVirtqueueTest, RefusesAnIndirectTableThatWasNotNegotiated) {
  queue.set_features(false, false);
  driver.descriptor(0) = {buffer, 16, kIndirect, 0};
  driver.offer(0);
  const auto got = queue.pop(chain);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message(), "an indirect descriptor was not negotiated");
}

struct ReceiveVirtqueueTest : VirtqueueTest {
  ReceiveVirtqueueTest() : VirtqueueTest(Buffers::to_guest) {}
};

TEST_F(ReceiveVirtqueueTest, RefusesABufferItMayNotWrite) {
  driver.descriptor(0) = {buffer, 16, 0, 0};
  driver.offer(0);
  const auto got = queue.pop(chain);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message(), "a buffer to be read in the receive queue");
}

TEST(Virtqueue, RefusesSizesThatAreNoPowerOfTwoUpToItsLimit) {
  for (const uint32_t size : {0u, 3u, 2048u, UINT32_MAX}) {
    Virtqueue queue(Buffers::from_guest);
    EXPECT_FALSE(queue.set_size(size)) << size;
  }
}

TEST_F(VirtqueueTest, RefusesToStartOnRingsThatAreMisalignedOrElsewhere) {
  const auto good = driver.addresses();
  for (const RingAddresses& bad :
       {RingAddresses{good.descriptors + 8, good.available, good.used},
        RingAddresses{good.descriptors, good.available + 1, good.used},
        RingAddresses{good.descriptors, good.available, good.used + 2}, RingAddresses{0, good.available, good.used},
        RingAddresses{good.descriptors, GuestRam::kUserBase + (1 << 20) - 8, good.used}}) {
    Virtqueue other(Buffers::from_guest);
    ASSERT_TRUE(other.set_size(kSize));
    other.set_addresses(bad);
    const auto started = other.start(memory);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().message(), "the ring is misaligned or not in guest memory");
    EXPECT_FALSE(other.running());
  }
}

}  // namespace
}  // namespace gatehouse::bridge
