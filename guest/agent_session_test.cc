#include "guest/agent_session.h"

#include <gtest/gtest.h>

namespace gatehouse::guest {
namespace {

using ipc::AgentFrame;

const std::string kExec = R"({"argv":["true"],"env":[],"directory":""})";
const std::string kBoot = R"({"hostname":"h","ca_certificate":"c","time_us":1,"files":[]})";

std::string frame(AgentFrame type, std::string_view payload) {
  return ipc::encode_frame(static_cast<uint8_t>(type), payload);
}
std::string hello() { return frame(AgentFrame::hello, ipc::encode_hello()); }

// The number of requests read, or the error that ended it.
std::string outcome(std::string_view bytes) {
  AgentSession session;
  session.feed(bytes);
  for (int requests = 0;; ++requests) {
    auto request = session.next();
    if (!request) return request.error().message();
    if (!*request) return std::to_string(requests);
  }
}

TEST(AgentSession, ReadsAWholeConversation) {
  EXPECT_EQ(outcome(hello() + frame(AgentFrame::boot, kBoot) + frame(AgentFrame::exec, kExec) +
                    frame(AgentFrame::stdin_data, "x") + frame(AgentFrame::resize, R"({"rows":1,"columns":2})") +
                    frame(AgentFrame::stdin_end, "") + frame(AgentFrame::signal, R"({"number":2})")),
            "7");
}

TEST(AgentSession, HandsInputOverUnchanged) {
  AgentSession session;
  session.feed(hello() + frame(AgentFrame::exec, kExec) + frame(AgentFrame::stdin_data, "\xff{}"));
  ASSERT_TRUE(session.next());
  ASSERT_TRUE(session.next());
  auto request = session.next();
  ASSERT_TRUE(request && *request);
  EXPECT_EQ(std::get<StdinData>(**request).bytes, "\xff{}");
}

TEST(AgentSession, RefusesWhatIsOutOfOrder) {
  const std::pair<std::string, const char*> cases[] = {
      {frame(AgentFrame::exec, kExec), "frame of type 4 out of order"},
      {hello() + hello(), "frame of type 1 out of order"},
      {hello() + frame(AgentFrame::boot, kBoot) + frame(AgentFrame::boot, kBoot), "frame of type 2 out of order"},
      {hello() + frame(AgentFrame::stdin_data, ""), "frame of type 5 out of order"},
      {hello() + frame(AgentFrame::signal, R"({"number":9})"), "frame of type 7 out of order"},
      {hello() + frame(AgentFrame::exec, kExec) + frame(AgentFrame::exec, kExec), "frame of type 4 out of order"},
      {hello() + frame(AgentFrame::exec, kExec) + frame(AgentFrame::stdin_end, "") + frame(AgentFrame::stdin_data, "x"),
       "frame of type 5 out of order"},
      {hello() + frame(AgentFrame::exec, kExec) + frame(AgentFrame::stdin_end, "x"), "stdin_end with a payload"},
      {hello() + frame(AgentFrame::exit, "{}"), "frame of type 11 out of order"},
      {hello() + ipc::encode_frame(13, ""), "frame of unknown type 13"},
      {hello() + frame(AgentFrame::exec, R"({"argv":[]})"), "exec: argv: not a list of at least one string"},
      {std::string(4, '\xff'), "frame of 4294967294 bytes is over the limit of 1048576"},
  };
  for (const auto& [bytes, message] : cases) EXPECT_EQ(outcome(bytes), message);
}

}  // namespace
}  // namespace gatehouse::guest
