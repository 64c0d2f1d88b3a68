#include "dns/pool.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace gatehouse::dns {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(Pool, GivesANameOneAddressForEver) {
  Pool pool;
  EXPECT_EQ(pool.take("a.example").value(), ip("198.18.0.1"));
  EXPECT_EQ(pool.take("b.example").value(), ip("198.18.0.2"));
  EXPECT_EQ(pool.take("a.example").value(), ip("198.18.0.1"));
  EXPECT_EQ(pool.names(), 2U);
}

TEST(Pool, LeadsBackOnlyToNamesThatWereGivenOut) {
  Pool pool;
  const auto address = pool.take("a.example").value();
  EXPECT_EQ(pool.name_of(address), nullptr);
  pool.give_out(address);
  ASSERT_NE(pool.name_of(address), nullptr);
  EXPECT_EQ(*pool.name_of(address), "a.example");
  for (const auto* other :
       {"198.18.0.0", "198.18.0.2", "198.18.0.255", "198.19.255.254", "198.20.0.1", "8.8.8.8", "::1"}) {
    EXPECT_EQ(pool.name_of(ip(other)), nullptr) << other;
  }
}

TEST(Pool, SkipsAddressesThatLookLikeNetworksAndBroadcasts) {
  Pool pool;
  std::set<IpAddress> seen;
  for (size_t i = 0; i < kMaxPoolNames; ++i) {
    const auto address = pool.take("name" + std::to_string(i)).value();
    ASSERT_TRUE(Pool::contains(address));
    ASSERT_TRUE(seen.insert(address).second);
    const auto last = static_cast<uint8_t>(address.octets()[3]);
    ASSERT_NE(last, 0);
    ASSERT_NE(last, 255);
  }
}

TEST(Pool, IsFullAtItsLimitAndKeepsWhatItHolds) {
  Pool pool(2);
  pool.take("a");
  pool.take("b");
  EXPECT_EQ(pool.take("c"), std::nullopt);
  EXPECT_EQ(pool.take("a").value(), ip("198.18.0.1"));
  EXPECT_EQ(pool.names(), 2U);
}

TEST(Pool, CoversNothingButItsNetwork) {
  EXPECT_TRUE(Pool::contains(ip("198.18.0.0")));
  EXPECT_TRUE(Pool::contains(ip("198.19.255.255")));
  for (const auto* other : {"198.17.255.255", "198.20.0.0", "8.8.8.8", "::", "2001:db8::1"}) {
    EXPECT_FALSE(Pool::contains(ip(other))) << other;
  }
}

TEST(Pool, TakesUpWhereAnEarlierRunLeftOff) {
  Pool pool;
  ASSERT_TRUE(pool.restore("b.example", ip("198.18.0.2")));
  ASSERT_TRUE(pool.restore("far.example", ip("198.19.255.254")));
  ASSERT_TRUE(pool.restore("b.example", ip("198.18.0.2")));
  EXPECT_EQ(*pool.name_of(ip("198.18.0.2")), "b.example");
  EXPECT_EQ(*pool.name_of(ip("198.19.255.254")), "far.example");
  EXPECT_EQ(pool.take("a.example").value(), ip("198.18.0.1"));
  EXPECT_EQ(pool.take("c.example").value(), ip("198.18.0.3"));
  EXPECT_EQ(pool.take("b.example").value(), ip("198.18.0.2"));
}

TEST(Pool, RefusesALogThatContradictsItself) {
  Pool pool(3);
  ASSERT_TRUE(pool.restore("a", ip("198.18.0.1")));
  EXPECT_EQ(pool.restore("b", ip("198.18.0.1")).error().message(), "198.18.0.1 was given to both a and b");
  EXPECT_EQ(pool.restore("a", ip("198.18.0.2")).error().message(), "a was given both 198.18.0.1 and 198.18.0.2");
  EXPECT_EQ(pool.restore("c", ip("192.0.2.1")).error().message(), "192.0.2.1 is not an address of the pool");
  EXPECT_EQ(pool.restore("c", ip("198.18.3.0")).error().message(), "198.18.3.0 is not an address of the pool");
  EXPECT_EQ(pool.names(), 1U);
  EXPECT_EQ(pool.name_of(ip("198.18.0.2")), nullptr);
}

TEST(Pool, GivesTheSameAddressesAfterAnyCrash) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    Pool before;
    std::vector<std::pair<std::string, IpAddress>> log;
    for (int i = 0; i < 400; ++i) {
      const auto name = "n" + std::to_string(random() % 200);
      const auto address = before.take(name).value();
      if (random() % 3 == 0) continue;  // the crash came before the row
      before.give_out(address);
      log.emplace_back(name, address);
    }
    Pool after;
    for (const auto& [name, address] : log) ASSERT_TRUE(after.restore(name, address));
    std::set<IpAddress> seen;
    for (const auto& [name, address] : log) ASSERT_EQ(after.take(name).value(), address);
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(seen.insert(after.take("n" + std::to_string(i)).value()).second);
  }
}

}  // namespace
}  // namespace gatehouse::dns
