#include "launcher/session_directory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

namespace gatehouse::launcher {
namespace {

class SessionDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gatehouse-session-XXXXXX";
    root_ = ::mkdtemp(name);
    ::setenv("XDG_RUNTIME_DIR", root_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string root_;
};

TEST_F(SessionDirectoryTest, ANameRunsOnceAtATimeAndTheErrorNamesThePid) {
  const auto first = SessionDirectory::acquire("demo");
  ASSERT_TRUE(first) << first.error().message();
  const auto second = SessionDirectory::acquire("demo");
  ASSERT_FALSE(second);
  EXPECT_EQ(
      second.error().message(),
      fmt::format("session 'demo' is already running (pid {}): choose another --name or end it first", ::getpid()));
  EXPECT_TRUE(SessionDirectory::acquire("other"));
}

TEST_F(SessionDirectoryTest, ItsEndRemovesItAndFreesTheName) {
  std::string path;
  {
    const auto directory = SessionDirectory::acquire("demo");
    ASSERT_TRUE(directory);
    path = directory->path();
    std::ofstream(directory->file("socket")) << "x";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(SessionDirectory::acquire("demo"));
}

TEST_F(SessionDirectoryTest, WhatASessionKilledBySigkillLeftIsTakenOver) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    const auto directory = SessionDirectory::acquire("demo");
    std::ofstream(directory->file("stale")) << "x";
    (void)!::write(pipe->write.get(), "x", 1);
    for (;;) ::pause();
  }
  char ready = 0;
  ASSERT_EQ(::read(pipe->read.get(), &ready, 1), 1);
  EXPECT_FALSE(SessionDirectory::acquire("demo"));
  ::kill(pid, SIGKILL);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);

  const auto directory = SessionDirectory::acquire("demo");
  ASSERT_TRUE(directory) << directory.error().message();
  EXPECT_FALSE(std::filesystem::exists(directory->file("stale")));
}

}  // namespace
}  // namespace gatehouse::launcher
