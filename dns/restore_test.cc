#include "dns/restore.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/audit/log.h"
#include "common/base/uuid.h"

namespace gatehouse::dns {
namespace {

constexpr Time kNow{std::chrono::hours(1)};

class RestorePool : public ::testing::Test {
 protected:
  RestorePool() : path_(std::filesystem::temp_directory_path() / ("gatehouse-restore-" + make_uuid() + ".db")) {}
  ~RestorePool() override {
    for (const auto* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

  void write(const std::vector<std::pair<std::string, std::string>>& answers) const {
    const auto audit = audit::AuditLog::open({path_, "test", "dns"}).value();
    for (const auto& [name, address] : answers) {
      audit::DnsEvent event;
      event.event_id = event.trace_id = make_uuid();
      event.decision = {address.empty() ? Verdict::deny : Verdict::allow, "rule", "reason"};
      event.name = name;
      event.type = "A";
      event.address = address;
      ASSERT_TRUE(audit->append_and_wait(event));
    }
  }

  std::string path_;
};

TEST_F(RestorePool, TakesOverTheAnswersOfTheLog) {
  write({{"a.example", "198.18.0.1"}, {"evil.example", ""}, {"b.example", "198.18.0.2"}, {"a.example", "198.18.0.1"}});
  Pool pool;
  ASSERT_TRUE(restore_pool(path_, pool, kNow));
  EXPECT_EQ(pool.names(), 2U);
  EXPECT_EQ(*pool.name_of(IpAddress::parse("198.18.0.2").value()), "b.example");
  EXPECT_EQ(pool.take("evil.example", kNow)->to_string(), "198.18.0.3");
}

TEST_F(RestorePool, LeadsAnAddressThatWentToAnotherNameBackToThatOne) {
  write({{"a.example", "198.18.0.1"}, {"b.example", "198.18.0.1"}});
  Pool pool;
  ASSERT_TRUE(restore_pool(path_, pool, kNow));
  EXPECT_EQ(*pool.name_of(IpAddress::parse("198.18.0.1").value()), "b.example");
  EXPECT_EQ(pool.names(), 1U);
}

TEST_F(RestorePool, RefusesAnAddressThatIsNotThePools) {
  write({{"a.example", "192.0.2.1"}});
  Pool pool;
  EXPECT_EQ(restore_pool(path_, pool, kNow).error().message(), path_ + ": 192.0.2.1 is not an address of the pool");
}

TEST_F(RestorePool, RefusesWhatIsNoLog) {
  std::ofstream(path_) << "nonsense";
  Pool pool;
  EXPECT_FALSE(restore_pool(path_, pool, kNow));
}

}  // namespace
}  // namespace gatehouse::dns
