#include "launcher/paths.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "common/base/fd.h"

namespace gatehouse::launcher {
namespace {

using testing::HasSubstr;

// Every XDG directory below a fresh temporary one.
class Paths : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gatehouse-paths-XXXXXX";
    root_ = ::mkdtemp(name);
    for (const char* variable : {"XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"}) {
      ::setenv(variable, (root_ + "/" + variable).c_str(), 1);
    }
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write_log(const std::string& session, int64_t seconds) {
    ASSERT_TRUE(session_state_directory(session));
    const std::string path = *audit_log_path(session);
    const Fd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::futimens(file.get(), times), 0);
  }

  static mode_t mode(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  std::string root_;
};

TEST(SessionName, TakesLettersDigitsDashAndUnderscore) {
  for (const char* name : {"a", "0", "demo-1", "a_b", "s20261122-0001", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_TRUE(check_session_name(name)) << name;
  }
}

TEST(SessionName, RefusesWhatCouldLeaveItsDirectoryOrConfuseATerminal) {
  for (const char* name : {"", "-a", "_a", ".", "..", "a/b", "A", "a b", "a.b", "\x1b[2J", "\xc3\xa4",
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_FALSE(check_session_name(name)) << name;
  }
}

TEST(SessionName, ErrorSaysWhatANameIs) {
  EXPECT_EQ(check_session_name("A").error().message(),
            "'A' is no session name: 1 to 40 of a-z 0-9 - _, beginning with a letter or digit");
}

TEST_F(Paths, EveryDirectoryIsMadePrivate) {
  const auto state = session_state_directory("demo");
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(*state, root_ + "/XDG_STATE_HOME/gatehouse/sessions/demo");
  const auto runtime = session_runtime_directory("demo");
  ASSERT_TRUE(runtime) << runtime.error().message();
  EXPECT_EQ(*runtime, root_ + "/XDG_RUNTIME_DIR/gatehouse/demo");
  const auto cache = cache_directory();
  ASSERT_TRUE(cache) << cache.error().message();
  for (const auto& path : {*state, *runtime, *cache, root_ + "/XDG_STATE_HOME/gatehouse"}) {
    EXPECT_EQ(mode(path), 0700U) << path;
  }
}

TEST_F(Paths, ADirectoryOpenToOthersIsClosedAgain) {
  const std::string runtime = *session_runtime_directory("demo");
  ASSERT_EQ(::chmod(runtime.c_str(), 0755), 0);
  ASSERT_TRUE(session_runtime_directory("demo"));
  EXPECT_EQ(mode(runtime), 0700U);
}

TEST_F(Paths, ASymbolicLinkInPlaceOfADirectoryIsRefused) {
  ASSERT_TRUE(session_runtime_directory("demo"));
  const std::string link = root_ + "/XDG_RUNTIME_DIR/gatehouse/other";
  ASSERT_EQ(::symlink("/tmp", link.c_str()), 0);
  const auto runtime = session_runtime_directory("other");
  ASSERT_FALSE(runtime);
  EXPECT_EQ(runtime.error().message(), link + " exists and is not a directory");
}

TEST_F(Paths, ARelativeVariableIsIgnored) {
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  ::setenv("HOME", root_.c_str(), 1);
  EXPECT_EQ(*cache_directory(), root_ + "/.cache/gatehouse");
}

TEST_F(Paths, AskingForALogMakesNoSession) {
  ASSERT_TRUE(audit_log_path("absent"));
  EXPECT_FALSE(std::filesystem::exists(root_ + "/XDG_STATE_HOME"));
}

TEST_F(Paths, LatestSessionIsTheOneWrittenLast) {
  write_log("old", 1'000);
  write_log("new", 3'000);
  write_log("middle", 2'000);
  ASSERT_TRUE(session_state_directory("without-a-log"));
  EXPECT_EQ(*latest_session(), "new");
}

TEST_F(Paths, LatestSessionWithoutAnySaysHowToStartOne) {
  const auto latest = latest_session();
  ASSERT_FALSE(latest);
  EXPECT_THAT(latest.error().message(), HasSubstr("start one with `gatehouse run`"));
}

}  // namespace
}  // namespace gatehouse::launcher
