#include "common/audit/log.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "common/audit/checkpointer.h"
#include "common/audit/reader.h"
#include "common/audit/test_log.h"

namespace gatehouse::audit {
namespace {

using testing::HasSubstr;

class AuditLogTest : public testing::Test {
 protected:
  std::string error_of(const AuditLog::Options& options) {
    auto log = AuditLog::open(options);
    return log ? "" : log.error().message();
  }

  TempFolder folder_;
  std::string path_ = folder_.file("audit.db");
};

TEST_F(AuditLogTest, HoldsARowOnceItsCallbackHasRun) {
  HandExecutor executor;
  auto log = open_log(path_);
  Result<void> answer = fail("not called");
  bool called = false;
  log->append(net_event("api.example.com"), executor, [&](Result<void> result) {
    answer = std::move(result);
    called = true;
  });
  executor.run_until([&] { return called; });
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(query_text(path_, "SELECT host || ' ' || verdict || ' ' || seq FROM net_events"), "api.example.com deny 1");
}

TEST_F(AuditLogTest, CallsBackInTheOrderOfTheAppends) {
  constexpr int kRows = 3000;
  HandExecutor executor;
  auto log = open_log(path_);
  std::vector<int> order;
  for (int i = 0; i < kRows; ++i) {
    log->append(net_event("h"), executor, [&order, i](const Result<void>& result) {
      ASSERT_TRUE(result);
      order.push_back(i);
    });
  }
  executor.run_until([&] { return order.size() == kRows; });
  for (int i = 0; i < kRows; ++i) ASSERT_EQ(order[static_cast<size_t>(i)], i);
}

TEST_F(AuditLogTest, GroupsWhatQueuesUpIntoOneTransactionWithOnePost) {
  constexpr size_t kRows = 2000;
  HandExecutor executor;
  auto log = open_log(path_);
  size_t done = 0;
  {
    // While another connection holds the write lock, everything queues up behind the first row.
    auto other = Database::open(path_, Database::Mode::read_write);
    ASSERT_TRUE(other);
    auto held = Transaction::begin(*other, Transaction::Kind::write);
    ASSERT_TRUE(held);
    for (size_t i = 0; i < kRows; ++i) log->append(net_event("h"), executor, [&](const Result<void>&) { ++done; });
  }
  executor.run_until([&] { return done == kRows; });
  // What the thread took before the rest was queued, then batches of 512: ceil(2000 / 512) = 4.
  EXPECT_LE(executor.posts_run(), 5U);
  EXPECT_EQ(query_text(path_, "SELECT max(seq) FROM net_events"), std::to_string(kRows));
}

TEST_F(AuditLogTest, RefusesRowsAtOnceWhenTooManyWait) {
  constexpr size_t kRows = 40'000;  // the queue holds 32,768
  HandExecutor executor;
  auto log = open_log(path_);
  size_t written = 0;
  std::vector<std::string> errors;
  {
    auto other = Database::open(path_, Database::Mode::read_write);
    ASSERT_TRUE(other);
    auto held = Transaction::begin(*other, Transaction::Kind::write);
    ASSERT_TRUE(held);
    for (size_t i = 0; i < kRows; ++i) {
      log->append(net_event("h"), executor, [&](const Result<void>& result) {
        result ? void(++written) : errors.push_back(result.error().message());
      });
    }
    executor.run_until([&] { return errors.size() >= kRows - 32'768 - 512; });  // 512 may be in the thread's hands
    EXPECT_EQ(written, 0U);
  }
  executor.run_until([&] { return written + errors.size() == kRows; });
  EXPECT_EQ(errors.front(), "32768 rows wait for the audit log already");
  EXPECT_EQ(query_text(path_, "SELECT count(*) FROM net_events"), std::to_string(written));
}

TEST(CheckpointPace, MakesOneForEachStepOfTheLogAndManyNearItsEnd) {
  CheckpointPace pace;
  std::vector<int> made;
  const auto grow = [&](int from, int to) {
    made.clear();
    for (int pages = from; pages < to; pages += 10) {
      const auto due = pace.after_commit(pages);
      EXPECT_EQ(due == CheckpointPace::Due::now, pages >= kMaxLogPages);
      if (due == CheckpointPace::Due::soon) made.push_back(pages);
    }
  };
  grow(0, 3500);
  EXPECT_THAT(made, testing::ElementsAre(1000, 2000, 3000));
  grow(3500, kMaxLogPages - kLastPages);
  EXPECT_THAT(made, testing::ElementsAre(4000, 5000, 6000, 7000));
  grow(kMaxLogPages - kLastPages, kMaxLogPages + 100);
  EXPECT_EQ(made.size(), size_t{kLastPages / 10}) << "one with every commit";
  grow(0, 1500);  // begun anew
  EXPECT_THAT(made, testing::ElementsAre(1000));
}

TEST_F(AuditLogTest, CommitsWhatNobodyWaitsForAheadOfWhatSomebodyDoes) {
  auto log = open_log(path_);
  for (int i = 1; i <= 3; ++i) {
    log->append(net_event("first"));
    ASSERT_TRUE(log->append_and_wait(net_event("second")));
    EXPECT_EQ(
        query_text(path_, "SELECT group_concat(host || seq) FROM (SELECT * FROM net_events ORDER BY seq DESC LIMIT 2)"),
        fmt::format("second{},first{}", 2 * i, 2 * i - 1));
  }
}

TEST_F(AuditLogTest, CommitsWhatNobodyWaitsForByItself) {
  auto log = open_log(path_);
  for (int i = 1; i <= 3; ++i) {
    log->append(net_event("h"));
    while (query_text(path_, "SELECT count(*) FROM net_events") != std::to_string(i)) std::this_thread::yield();
  }
}

TEST_F(AuditLogTest, CommitsWhatIsQueuedBeforeItCloses) {
  {
    auto log = open_log(path_);
    for (int i = 0; i < 1000; ++i) log->append(dns_event("a.example", "198.18.0.1"));
  }
  EXPECT_EQ(query_text(path_, "SELECT count(*) FROM dns_events"), "1000");
}

TEST_F(AuditLogTest, TakesItsChainUpAgainAfterARestart) {
  { ASSERT_TRUE(open_log(path_)->append_and_wait(net_event("one"))); }
  { ASSERT_TRUE(open_log(path_)->append_and_wait(net_event("two"))); }
  EXPECT_EQ(query_text(path_, "SELECT group_concat(host || seq) FROM net_events"), "one1,two2");
}

TEST_F(AuditLogTest, KeepsTheFileForItsOwner) {
  auto log = open_log(path_);
  for (const char* suffix : {"", "-wal", "-shm", ".proxy.lock"}) {
    struct stat found {};
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &found), 0) << suffix;
    EXPECT_EQ(found.st_mode & 0777U, 0600U) << suffix;
  }
}

TEST_F(AuditLogTest, StoresUnicodeAsItIsAndEverythingThatDeceivesEscaped) {
  auto log = open_log(path_);
  const struct {
    std::string_view given, stored;
  } cases[] = {
      {"grüße.example", "grüße.example"},
      {std::string_view("a\0b", 3), "a\\x00b"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {"bad \xff utf-8", "bad \\xff utf-8"},
      {"overlong \xc0\xaf", "overlong \\xc0\\xaf"},
      {"cut \xe2\x82", "cut \\xe2\\x82"},
      {"\u202egpj.exe", "\\xe2\\x80\\xaegpj.exe"},
      {"'; DROP TABLE net_events; --", "'; DROP TABLE net_events; --"},
      {"back\\slash", "back\\slash"},
  };
  int seq = 0;
  for (const auto& c : cases) {
    ASSERT_TRUE(log->append_and_wait(net_event(std::string(c.given))));
    EXPECT_EQ(query_text(path_, fmt::format("SELECT host FROM net_events WHERE seq = {}", ++seq)), c.stored);
  }
}

TEST_F(AuditLogTest, CutsAnEndlessTextAndSaysSo) {
  auto log = open_log(path_);
  ASSERT_TRUE(log->append_and_wait(net_event(std::string(40'000, 'x'))));
  EXPECT_EQ(query_text(path_, "SELECT length(host) || substr(host, -21) FROM net_events"),
            "32789... (7232 more bytes)");
}

TEST_F(AuditLogTest, RefusesOneRowWithoutLosingItsNeighbours) {
  HandExecutor executor;
  auto log = open_log(path_);
  std::vector<std::string> answers;
  const auto note = [&](const Result<void>& result) { answers.push_back(result ? "ok" : result.error().message()); };
  NetEvent twice = net_event("two");
  log->append(net_event("one"), executor, note);
  log->append(twice, executor, note);
  log->append(twice, executor, note);
  log->append(NetResult{}, executor, note);  // of no net_event
  log->append(net_event("three"), executor, note);
  executor.run_until([&] { return answers.size() == 5; });
  EXPECT_EQ(answers[0] + answers[1] + answers[4], "okokok");
  EXPECT_THAT(answers[2], HasSubstr("UNIQUE constraint failed: net_events.event_id"));
  EXPECT_THAT(answers[3], HasSubstr("CHECK constraint failed: event_id <> ''"));
  EXPECT_EQ(query_text(path_, "SELECT group_concat(host || seq) FROM net_events"), "one1,two2,three3");
}

TEST_F(AuditLogTest, RefusesASecondWriterOfTheSameName) {
  auto log = open_log(path_, "proxy");
  EXPECT_THAT(error_of({path_, "s1", "proxy"}), HasSubstr("a live process already writes as \"proxy\""));
  EXPECT_EQ(error_of({path_, "s1", "dns"}), "");
}

TEST_F(AuditLogTest, RefusesAFileThatIsNotItsOwn) {
  { open_log(path_); }
  EXPECT_THAT(error_of({path_, "other", "proxy"}), HasSubstr("it is the log of session \"s1\", not of \"other\""));
  tamper(path_, "PRAGMA user_version=9");
  EXPECT_THAT(error_of({path_, "s1", "proxy"}), HasSubstr("schema version 9; this build reads and writes version 7"));
  tamper(path_, "PRAGMA application_id=7");
  EXPECT_THAT(error_of({path_, "s1", "proxy"}), HasSubstr("not an audit log of Gatehouse"));

  const std::string text = folder_.file("text");
  std::ofstream(text) << std::string(5000, 'x');
  ::chmod(text.c_str(), 0600);
  EXPECT_THAT(error_of({text, "s1", "proxy"}), HasSubstr("file is not a database"));
  ::chmod(text.c_str(), 0640);
  EXPECT_THAT(error_of({text, "s1", "proxy"}), HasSubstr("chmod 600"));
  EXPECT_THAT(error_of({folder_.file("no/such/folder.db"), "s1", "proxy"}), HasSubstr("No such file or directory"));
  EXPECT_THAT(error_of({path_, "s1", "../x"}), HasSubstr("writer name \"../x\""));
}

TEST_F(AuditLogTest, FailsWhileTheFileIsGoneAndGoesOnWhenItIsBack) {
  auto log = open_log(path_);
  ASSERT_TRUE(log->append_and_wait(net_event("one")));
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::rename(path_ + suffix, path_ + ".away");
    auto gone = log->append_and_wait(net_event("lost"));
    std::filesystem::rename(path_ + ".away", path_ + suffix);
    ASSERT_FALSE(gone);
    EXPECT_THAT(gone.error().message(), HasSubstr("the log is gone"));
  }
  ASSERT_TRUE(log->append_and_wait(net_event("two")));
  EXPECT_EQ(query_text(path_, "SELECT group_concat(host || seq) FROM net_events"), "one1,two2");
}

// RLIMIT_FSIZE stands in for a full disk: write(2) fails in the same place, and it can be lifted again.
TEST_F(AuditLogTest, FailsWhileTheDiskIsFullAndGoesOnWithoutAGap) {
  std::signal(SIGXFSZ, SIG_IGN);
  auto log = open_log(path_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit full = before;
  full.rlim_cur = 512 * 1024;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  int committed = 0;
  Result<void> last;
  while (committed < 10'000 && (last = log->append_and_wait(net_event(std::string(2000, 'x'))))) ++committed;
  auto again = log->append_and_wait(net_event(std::string(2000, 'x')));  // a smaller one may have room still
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);

  ASSERT_FALSE(last);
  EXPECT_FALSE(again);
  EXPECT_GT(committed, 10);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(log->append_and_wait(net_event("after")));
  EXPECT_EQ(query_text(path_, "SELECT count(*) || ' ' || max(seq) FROM net_events"),
            fmt::format("{} {}", committed + 100, committed + 100));
}

// A denial is a row, so a guest that is denied in a tight loop must not be able to fill the host's disk.
TEST_F(AuditLogTest, RefusesRowsAboveItsLimitButNotTheLaunchers) {
  constexpr int64_t kLimit = 512 * 1024;
  auto launcher = AuditLog::open({path_, "demo", "launcher", kLimit + 256 * 1024});
  ASSERT_TRUE(launcher) << launcher.error().message();
  auto proxy = AuditLog::open({path_, "demo", "proxy", kLimit});
  ASSERT_TRUE(proxy) << proxy.error().message();
  int committed = 0;
  Result<void> last;
  while (committed < 10'000 && (last = (*proxy)->append_and_wait(net_event(std::string(2000, 'x'))))) ++committed;
  ASSERT_FALSE(last);
  EXPECT_THAT(last.error().message(), HasSubstr("the log has reached its limit of 524288 bytes"));
  EXPECT_GT(committed, 50);
  EXPECT_FALSE((*proxy)->append_and_wait(net_event(std::string(2000, 'y'))));

  EXPECT_TRUE((*launcher)->append_and_wait(net_event(std::string(2000, 'l'))));
  launcher->reset();
  proxy->reset();  // the last to close moves everything into the file
  EXPECT_LE(std::filesystem::file_size(path_), static_cast<uintmax_t>(kLimit + 256 * 1024));
  const auto verified = verify(path_);
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->faults.empty());
}

TEST_F(AuditLogTest, TakesRowsFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kRowsEach = 500;
  HandExecutor executor;
  auto log = open_log(path_);
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRowsEach; ++i) {
        log->append(net_event("h"), executor, [&](const Result<void>& result) { done += result ? 1 : 0; });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  executor.run_until([&] { return done == kThreads * kRowsEach; });
  EXPECT_EQ(query_text(path_, "SELECT max(seq) FROM net_events"), std::to_string(kThreads * kRowsEach));
}

TEST_F(AuditLogTest, MovesRowsIntoTheFileWhileItGoesOnWriting) {
  auto log = open_log(path_);
  const auto empty = std::filesystem::file_size(path_);
  // One by one, so that each is a transaction of several pages.
  for (int i = 0; std::filesystem::file_size(path_) == empty; ++i) {
    ASSERT_LT(i, 10 * kMaxLogPages);
    ASSERT_TRUE(log->append_and_wait(net_event("h")));
  }
  log.reset();
  EXPECT_TRUE(verify(path_)->faults.empty());
}

TEST_F(AuditLogTest, BoundsWhatIsNotYetInTheFile) {
  constexpr uint64_t kFrameBytes = 4096 + 24;
  auto log = open_log(path_);
  // At least three pages each.
  for (int i = 0; i < kMaxLogPages; ++i) ASSERT_TRUE(log->append_and_wait(net_event("h")));
  EXPECT_LE(std::filesystem::file_size(path_ + "-wal"), (kMaxLogPages + 100) * kFrameBytes);
}

}  // namespace
}  // namespace gatehouse::audit
