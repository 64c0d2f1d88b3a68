#include "launcher/captured_log.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

namespace gatehouse::launcher {
namespace {

using testing::HasSubstr;
using testing::Not;

class CapturedLogTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gatehouse-log-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void print(CapturedLog& log, const std::string& text) {
    ASSERT_TRUE(write_all(log.write_end(), text));
    log.drain();
  }

  Loop loop_;
  std::string root_;
};

TEST_F(CapturedLogTest, KeepsWhatIsPrinted) {
  const auto log = CapturedLog::start(loop_, root_ + "/log");
  ASSERT_TRUE(log);
  print(**log, "one\ntwo\n");
  EXPECT_EQ(*read_file(root_ + "/log", 100), "one\ntwo\n");
  EXPECT_EQ((*log)->tail(), "  one\n  two\n");
}

TEST_F(CapturedLogTest, AGuestThatPrintsWithoutEndFillsTwoFilesAndNoMore) {
  const auto log = CapturedLog::start(loop_, root_ + "/log", 1000);
  ASSERT_TRUE(log);
  for (int i = 0; i < 100; ++i) print(**log, std::string(99, 'x') + "\n");
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root_)) {
    ++files;
    EXPECT_LE(entry.file_size(), 1000U);
  }
  EXPECT_EQ(files, 2U);
}

TEST_F(CapturedLogTest, TheTailIsShortWholeAndHarmlessToATerminal) {
  const auto log = CapturedLog::start(loop_, root_ + "/log");
  ASSERT_TRUE(log);
  print(**log, std::string(3000, 'a') + "\n\x1b[2Jboo\r\n");
  EXPECT_THAT((*log)->tail(), HasSubstr("  \\x1b[2Jboo\n"));
  EXPECT_THAT((*log)->tail(), Not(HasSubstr("aaa")));
}

}  // namespace
}  // namespace gatehouse::launcher
