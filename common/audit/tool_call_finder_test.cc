#include "common/audit/tool_call_finder.h"

#include <gmock/gmock.h>

#include "common/audit/reader.h"
#include "common/audit/test_log.h"

namespace gatehouse::audit {
namespace {

class ToolCallFinderTest : public testing::Test {
 protected:
  ToolCall asked(const std::string& trace, const std::string& hash, const std::string& name = "files__read") {
    ToolCall call;
    call.trace_id = trace;
    call.name = name;
    call.kind = "function";
    call.call_hash = hash;
    return call;
  }
  std::string trace_of(const std::string& hash, int64_t later_us = 0, const std::string& name = "files__read") {
    const auto found =
        finder_->find(hash, now_utc_us() + later_us, [&](std::string_view called) { return called == name; });
    return found ? found->trace_id : "";
  }

  TempFolder folder_;
  std::string path_ = folder_.file("audit.db");
  std::unique_ptr<AuditLog> log_ = open_log(path_);
  std::unique_ptr<ToolCallFinder> finder_ = ToolCallFinder::open(path_).value();
};

TEST_F(ToolCallFinderTest, FindsTheLatestOfItsHashAndName) {
  EXPECT_EQ(trace_of("aa"), "");
  ASSERT_TRUE(log_->append_and_wait(asked("t1", "aa")));
  ASSERT_TRUE(log_->append_and_wait(asked("t2", "aa")));
  ASSERT_TRUE(log_->append_and_wait(asked("t3", "aa", "other")));
  ASSERT_TRUE(log_->append_and_wait(asked("t4", "bb")));
  ASSERT_TRUE(log_->append_and_wait(asked("t5", "")));
  EXPECT_EQ(trace_of("aa"), "t2");
  EXPECT_EQ(trace_of("aa", 0, "other"), "t3");
  EXPECT_EQ(trace_of("bb"), "t4");
  EXPECT_EQ(trace_of("cc"), "");
  EXPECT_EQ(trace_of(""), "") << "a call whose hash is not told is nobody's";
  const auto found = finder_->find("bb", now_utc_us(), [](std::string_view) { return true; });
  EXPECT_EQ(query_text(path_, "SELECT event_id FROM tool_calls WHERE trace_id = 't4'"), found->event_id);
}

TEST_F(ToolCallFinderTest, FindsNoneThatIsOlderThanAnHour) {
  ASSERT_TRUE(log_->append_and_wait(asked("t1", "aa")));
  constexpr int64_t kHour = std::chrono::microseconds(kToolCallFor).count();
  EXPECT_EQ(trace_of("aa", kHour - 60'000'000), "t1");
  EXPECT_EQ(trace_of("aa", kHour + 60'000'000), "");
}

TEST_F(ToolCallFinderTest, LooksAtTheLatestFewAlone) {
  ASSERT_TRUE(log_->append_and_wait(asked("t0", "aa", "sought")));
  for (int i = 1; i < kMaxToolCallsLookedAt; ++i) ASSERT_TRUE(log_->append_and_wait(asked("t", "aa")));
  EXPECT_EQ(trace_of("aa", 0, "sought"), "t0");
  ASSERT_TRUE(log_->append_and_wait(asked("t", "aa")));
  EXPECT_EQ(trace_of("aa", 0, "sought"), "");
}

TEST_F(ToolCallFinderTest, HasNoAnswerWhereTheLogCannotBeRead) {
  ASSERT_TRUE(log_->append_and_wait(asked("t1", "aa")));
  tamper(path_, "DROP TABLE tool_calls");
  EXPECT_EQ(trace_of("aa"), "");
}

TEST_F(ToolCallFinderTest, SearchesByTheIndex) {
  EXPECT_THAT(query_text(path_, "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'index' AND sql <> ''"),
              testing::HasSubstr("tool_calls_by_hash"));
}

TEST_F(ToolCallFinderTest, LeadsToOneStoryOfModelToolAndCall) {
  ModelCall model;
  model.event_id = make_uuid();
  model.trace_id = "t1";
  model.provider = "openai";
  model.model = "m";
  model.status = 200;
  ASSERT_TRUE(log_->append_and_wait(model));
  ASSERT_TRUE(log_->append_and_wait(asked("t1", "aa")));
  ASSERT_TRUE(log_->append_and_wait(net_event("elsewhere", Verdict::allow)));
  const auto found = finder_->find("aa", now_utc_us(), [](std::string_view) { return true; });
  ASSERT_TRUE(found);
  McpCall call;
  call.event_id = make_uuid();
  call.trace_id = found->trace_id;
  call.asked_by = found->event_id;
  call.decision = {Verdict::allow, "r", "because"};
  call.method = "tools/call";
  call.server = "files";
  call.tool = "read";
  call.arguments = "{}";
  ASSERT_TRUE(log_->append_and_wait(call));
  auto reader = AuditReader::open(path_).value();
  for (const std::string& id : {std::string("t1"), call.event_id, found->event_id}) {
    const auto trace = reader->trace_of(id);
    ASSERT_TRUE(trace) << trace.error().message();
    EXPECT_EQ(*trace, "t1");
  }
  EXPECT_EQ(reader->trace_of("nothing").value(), "nothing");
  std::vector<std::string> story;
  const auto entries = reader->next_entries({.trace = "t1"});
  for (const auto& entry : *entries) story.push_back(entry.channel + ": " + entry.what);
  EXPECT_THAT(story,
              testing::ElementsAre("model: openai m status 200: 0 ms", "tool: call files__read (0 bytes of arguments)",
                                   "mcp: files read {} as a model asked"));
  EXPECT_TRUE(verify(path_)->faults.empty());
}

}  // namespace
}  // namespace gatehouse::audit
