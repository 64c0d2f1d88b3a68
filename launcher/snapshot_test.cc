#include "launcher/snapshot.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/base/fd.h"

namespace gatehouse::launcher {
namespace {

TEST(Snapshot, CertificatesStayAsTheyWere) {
  char name[] = "/tmp/gatehouse-snapshot-XXXXXX";
  const std::string root = ::mkdtemp(name);
  std::ofstream(root + "/ca.pem") << "PEM";
  const auto copy = snapshot_certificates(root + "/ca.pem", root);
  ASSERT_TRUE(copy) << copy.error().message();
  std::ofstream(root + "/ca.pem") << "changed";
  EXPECT_EQ(*read_file(*copy, 100), "PEM");
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace gatehouse::launcher
