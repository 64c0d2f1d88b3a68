#include "launcher/snapshot.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/base/fd.h"
#include "common/policy/policy.h"

namespace gatehouse::launcher {
namespace {

constexpr char kPolicy[] =
    R"({"version": 1, "name": "a", "http": [{"id": "x", "action": "allow", "hosts": ["a.example"]}]})";
constexpr char kOther[] = R"({"version": 1, "name": "b", "http": []})";

class Snapshot : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gatehouse-snapshot-XXXXXX";
    root_ = ::mkdtemp(name);
    std::filesystem::create_directory(root_ + "/one");
    std::filesystem::create_directory(root_ + "/two");
    files_ = {root_ + "/one/p.json", root_ + "/two/p.json"};
    std::ofstream(files_[0]) << kPolicy;
    std::ofstream(files_[1]) << kOther;
    const auto policy = policy::Policy::load(files_);
    ASSERT_TRUE(policy) << policy.error().message();
    sha256_ = policy->sha256();
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string root_;
  std::vector<std::string> files_;
  std::string sha256_;
};

TEST_F(Snapshot, CopiesStayAsTheyWereAndCannotBeWritten) {
  const auto copies = snapshot_policies(files_, sha256_, root_ + "/snapshot");
  ASSERT_TRUE(copies) << copies.error().message();
  std::ofstream(files_[0]) << "changed";
  EXPECT_EQ(*copies, (std::vector<std::string>{root_ + "/snapshot/0-p.json", root_ + "/snapshot/1-p.json"}));
  EXPECT_EQ(*read_file(copies->at(0), 1000), kPolicy);
  struct stat status {};
  ASSERT_EQ(::stat(copies->at(0).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0400U);
}

TEST_F(Snapshot, AFileChangedSinceItWasJudgedIsRefused) {
  std::ofstream(files_[0]) << kOther;
  const auto copies = snapshot_policies(files_, sha256_, root_ + "/snapshot");
  ASSERT_FALSE(copies);
  EXPECT_EQ(copies.error().message(), "the policy was changed while the session started: start again");
}

TEST_F(Snapshot, CertificatesAreCopiedToo) {
  std::ofstream(root_ + "/ca.pem") << "PEM";
  const auto copy = snapshot_certificates(root_ + "/ca.pem", root_);
  ASSERT_TRUE(copy) << copy.error().message();
  EXPECT_EQ(*read_file(*copy, 100), "PEM");
}

}  // namespace
}  // namespace gatehouse::launcher
