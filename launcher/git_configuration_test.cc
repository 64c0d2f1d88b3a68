#include "launcher/git_configuration.h"

#include <gtest/gtest.h>

namespace gatehouse::launcher {
namespace {

TEST(GitConfiguration, LeadsSshRemotesOverHttps) {
  EXPECT_FALSE(git_configuration({}));
  const auto file = git_configuration({"https://code.example.com", "https://git.example.com:8443"});
  ASSERT_TRUE(file);
  EXPECT_EQ(file->path, "/etc/gitconfig");
  EXPECT_EQ(file->content,
            "# Made by Gatehouse: ssh has no way out of here, https has.\n"
            "[url \"https://code.example.com/\"]\n"
            "\tinsteadOf = git@code.example.com:\n\tinsteadOf = ssh://git@code.example.com/\n"
            "\tinsteadOf = ssh://code.example.com/\n\tinsteadOf = git://code.example.com/\n"
            "[url \"https://git.example.com:8443/\"]\n"
            "\tinsteadOf = git@git.example.com:\n\tinsteadOf = ssh://git@git.example.com/\n"
            "\tinsteadOf = ssh://git.example.com/\n\tinsteadOf = git://git.example.com/\n");
}

}  // namespace
}  // namespace gatehouse::launcher
