#include "dns/pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace gatehouse::dns {
namespace {

using namespace std::chrono_literals;

constexpr Time kStart{1h};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

// Takes an address for a name and gives it out at once.
std::optional<IpAddress> tell(Pool& pool, std::string_view name, Time now = kStart) {
  const auto address = pool.take(name, now);
  if (address) pool.give_out(*address);
  return address;
}

TEST(Pool, KeepsANamesAddressForAsLongAsThereIsRoom) {
  Pool pool;
  EXPECT_EQ(tell(pool, "a.example").value(), ip("198.18.0.1"));
  EXPECT_EQ(tell(pool, "b.example").value(), ip("198.18.0.2"));
  EXPECT_EQ(tell(pool, "a.example", kStart + 1000h).value(), ip("198.18.0.1"));
  EXPECT_EQ(pool.names(), 2U);
}

TEST(Pool, LeadsBackOnlyToNamesThatWereGivenOut) {
  Pool pool;
  const auto address = pool.take("a.example", kStart).value();
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
    const auto address = pool.take("name" + std::to_string(i), kStart).value();
    ASSERT_TRUE(Pool::contains(address));
    ASSERT_TRUE(seen.insert(address).second);
    const auto last = static_cast<uint8_t>(address.octets()[3]);
    ASSERT_NE(last, 0);
    ASSERT_NE(last, 255);
  }
}

TEST(Pool, GivesNoAddressToASecondNameWhileTheFirstHasALease) {
  Pool pool(2);
  tell(pool, "a");
  tell(pool, "b");
  EXPECT_EQ(tell(pool, "c", kStart + kLease - 1ns), std::nullopt);
  EXPECT_EQ(tell(pool, "a", kStart + kLease - 1ns).value(), ip("198.18.0.1"));
  EXPECT_EQ(pool.names(), 2U);
}

TEST(Pool, ReusesTheAddressThatWasUsedTheLongestAgo) {
  Pool pool(3);
  for (const auto* name : {"a", "b", "c"}) tell(pool, name);
  tell(pool, "a", kStart + 1s);               // asked again
  pool.renew(ip("198.18.0.2"), kStart + 2s);  // asked back for
  const auto later = kStart + kLease + 1s;
  EXPECT_EQ(tell(pool, "d", later).value(), ip("198.18.0.3"));
  EXPECT_EQ(*pool.name_of(ip("198.18.0.3")), "d");
  EXPECT_EQ(tell(pool, "e", later).value(), ip("198.18.0.1"));
  EXPECT_EQ(tell(pool, "f", later), std::nullopt) << "b was renewed a second later";
  EXPECT_EQ(tell(pool, "c", later + 1s).value(), ip("198.18.0.2")) << "a name that comes back gets what is free";
  EXPECT_EQ(pool.names(), 3U);
}

TEST(Pool, NeverReusesAnAddressThatIsAskedBackForInTime) {
  Pool pool(1);
  tell(pool, "live");
  auto now = kStart;
  for (int i = 0; i < 1000; ++i) {
    now += kLease - 1ns;
    ASSERT_EQ(tell(pool, "other", now), std::nullopt);
    pool.renew(ip("198.18.0.1"), now);
  }
  EXPECT_EQ(tell(pool, "other", now + kLease).value(), ip("198.18.0.1"));
}

TEST(Pool, ReusesNoAddressWhoseAnswerIsUnderWay) {
  Pool pool(1);
  const auto address = pool.take("slow", kStart).value();
  EXPECT_EQ(tell(pool, "other", kStart + 10 * kLease), std::nullopt);
  pool.withdraw(address);
  EXPECT_EQ(pool.name_of(address), nullptr) << "never given out";
  EXPECT_EQ(tell(pool, "other", kStart + 10 * kLease).value(), address);
}

TEST(Pool, StaysWithinItsBoundOverAMillionNames) {
  Pool pool(64);
  auto now = kStart;
  std::set<IpAddress> seen;
  for (int i = 0; i < 1'000'000; ++i) {
    now += 2s;  // 60 names are within their lease at any time
    const auto address = tell(pool, "n" + std::to_string(i), now);
    ASSERT_TRUE(address) << i;
    seen.insert(*address);
  }
  EXPECT_EQ(pool.names(), 64U);
  EXPECT_EQ(seen.size(), 64U);
}

TEST(Pool, RenewsNothingThatIsNobodys) {
  Pool pool(1);
  for (const auto* address : {"198.18.0.1", "198.18.0.0", "198.19.255.254", "8.8.8.8", "::1"})
    pool.renew(ip(address), kStart);
  EXPECT_EQ(pool.names(), 0U);
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
  ASSERT_TRUE(pool.restore("b.example", ip("198.18.0.2"), kStart));
  ASSERT_TRUE(pool.restore("far.example", ip("198.19.255.254"), kStart));
  ASSERT_TRUE(pool.restore("b.example", ip("198.18.0.2"), kStart));
  EXPECT_EQ(*pool.name_of(ip("198.18.0.2")), "b.example");
  EXPECT_EQ(*pool.name_of(ip("198.19.255.254")), "far.example");
  EXPECT_EQ(tell(pool, "a.example").value(), ip("198.18.0.1"));
  EXPECT_EQ(tell(pool, "c.example").value(), ip("198.18.0.3"));
  EXPECT_EQ(tell(pool, "b.example").value(), ip("198.18.0.2"));
}

TEST(Pool, RestoresWhatHeldLast) {
  Pool pool(3);
  for (const auto& [name, address] :
       {std::pair{"a", "198.18.0.1"}, {"b", "198.18.0.2"}, {"c", "198.18.0.1"}, {"a", "198.18.0.2"}}) {
    ASSERT_TRUE(pool.restore(name, ip(address), kStart));
  }
  EXPECT_EQ(*pool.name_of(ip("198.18.0.1")), "c");
  EXPECT_EQ(*pool.name_of(ip("198.18.0.2")), "a");
  EXPECT_EQ(pool.names(), 2U);
  EXPECT_EQ(pool.restore("d", ip("192.0.2.1"), kStart).error().message(), "192.0.2.1 is not an address of the pool");
  EXPECT_EQ(pool.restore("d", ip("198.18.3.0"), kStart).error().message(), "198.18.3.0 is not an address of the pool");
  ASSERT_TRUE(pool.restore("d", ip("198.18.0.9"), kStart));
  EXPECT_EQ(pool.restore("e", ip("198.18.0.10"), kStart).error().message(), "more than 3 names");
}

TEST(Pool, GivesTheSameAddressesAfterAnyCrash) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    constexpr size_t kNames = 100;
    Pool before(kNames);
    std::vector<std::pair<std::string, IpAddress>> log;
    auto now = kStart;
    for (int i = 0; i < 2000; ++i) {
      now += std::chrono::milliseconds(random() % 4000);
      const auto name = "n" + std::to_string(random() % 200);
      const auto address = before.take(name, now);
      if (!address) continue;
      if (random() % 3 == 0) {  // the row was lost
        before.withdraw(*address);
        continue;
      }
      before.give_out(*address);
      log.emplace_back(name, *address);
    }
    Pool after(kNames);
    std::map<IpAddress, std::string> last;
    for (const auto& [name, address] : log) {
      ASSERT_TRUE(after.restore(name, address, now));
      last[address] = name;
    }
    for (const auto& [address, name] : last) {
      const auto* was = before.name_of(address);
      const auto* is = after.name_of(address);
      if (was != nullptr) {
        ASSERT_TRUE(is != nullptr && *is == *was);
      }
    }
    std::set<IpAddress> seen;
    for (size_t i = 0; i < kNames; ++i) {
      const auto address = after.take("new" + std::to_string(i), now);
      if (!address) break;
      ASSERT_TRUE(seen.insert(*address).second);
    }
    ASSERT_LE(after.names(), kNames);
  }
}

}  // namespace
}  // namespace gatehouse::dns
