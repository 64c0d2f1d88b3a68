#include "proxy/foreign_protocol.h"

#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;

TEST(ForeignProtocol, IsToldByItsFirstBytes) {
  struct Case {
    std::string_view bytes;
    std::string_view rule;  // empty: none
    bool may_be = false;
  };
  for (const auto& [bytes, rule, may_be] :
       {Case{"SSH-2.0-OpenSSH_9.2\r\n", "protocol.ssh"}, Case{"SSH-", "protocol.ssh"}, Case{"SS", "", true},
        Case{"SEARCH / HTTP/1.1\r\n", ""}, Case{"S", "", true}, Case{"0033git-upload-pack /x", "protocol.git"},
        Case{"00ffgit-receive-pack /x", "protocol.git"}, Case{"00", "", true}, Case{"0033gi", "", true},
        Case{"0033go", ""}, Case{"00g3git-", ""}, Case{"GET / HTTP/1.1", ""}, Case{"PRI * HTTP/2.0", ""}}) {
    const auto found = foreign_protocol(bytes);
    EXPECT_EQ(found ? found->rule : "", rule) << bytes;
    EXPECT_EQ(!found && may_be_foreign(bytes), may_be) << bytes;
  }
}

TEST(ForeignProtocol, SaysWhyInItsOwnForm) {
  const auto git = foreign_protocol("0033git-upload-pack /x");
  ASSERT_TRUE(git);
  EXPECT_EQ(git->farewell.size(), std::stoul(git->farewell.substr(0, 4), nullptr, 16));
  EXPECT_THAT(git->farewell.substr(4), testing::StartsWith("ERR Gatehouse: git:// has no way out"));

  const auto ssh = foreign_protocol("SSH-2.0-x\r\n");
  ASSERT_TRUE(ssh);
  const std::string version = "SSH-2.0-Gatehouse\r\n";
  ASSERT_THAT(ssh->farewell, testing::StartsWith(version));
  const std::string packet = ssh->farewell.substr(version.size());
  EXPECT_EQ(packet.size() % 8, 0u);
  EXPECT_EQ(packet.substr(0, 2), std::string(2, '\0'));
  EXPECT_EQ(packet.size(), 4u + static_cast<unsigned char>(packet[2]) * 256 + static_cast<unsigned char>(packet[3]));
  EXPECT_EQ(packet[5], 1);
  EXPECT_THAT(packet, HasSubstr("Gatehouse: ssh has no way out of here"));
}

}  // namespace
}  // namespace gatehouse::proxy
