#include "launcher/agent_client.h"

#include <gmock/gmock.h>

namespace gatehouse::launcher {
namespace {

using ipc::AgentFrame;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kNow = 1'700'000'000'000'000;

std::string frame(AgentFrame type, std::string_view payload) {
  return ipc::encode_frame(static_cast<uint8_t>(type), payload);
}

class AgentClientTest : public testing::Test {
 protected:
  // Sends the guest's bytes and gives what happened.
  std::vector<AgentEvent> guest_says(const std::string& bytes) {
    auto events = client_.receive(bytes, kNow);
    EXPECT_TRUE(events) << events.error().message();
    return events.value_or(std::vector<AgentEvent>());
  }

  void expect_error(const std::string& bytes, const std::string& message) {
    const auto events = client_.receive(bytes, kNow);
    ASSERT_FALSE(events);
    EXPECT_EQ(events.error().message(), message);
  }

  void until_running() {
    guest_says("OK 1073741824\n" + frame(AgentFrame::hello, ipc::encode_hello()) + frame(AgentFrame::ready, "{}"));
    client_.take_output();
    ASSERT_TRUE(client_.running());
  }

  ipc::Boot boot_{"demo", "PEM", kNow};
  ipc::Exec exec_{{"sh", "-c", "exit 42"}, {{"K", "V"}}, "", ipc::TerminalSize{50, 132}};
  AgentClient client_{{"demo", "PEM", 0}, exec_};
};

TEST_F(AgentClientTest, EachStepIsTakenOnceTheGuestHasTakenItsOwn) {
  EXPECT_EQ(client_.take_output(), "CONNECT 1024\n");
  EXPECT_FALSE(client_.connected());
  guest_says("OK 1073741824\n");
  EXPECT_TRUE(client_.connected());
  EXPECT_EQ(client_.take_output(), frame(AgentFrame::hello, ipc::encode_hello()));
  guest_says(frame(AgentFrame::hello, ipc::encode_hello()));
  EXPECT_EQ(client_.take_output(), frame(AgentFrame::boot, ipc::encode(boot_)));
  const auto events = guest_says(frame(AgentFrame::ready, "{}"));
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<AgentReady>(events[0]));
  EXPECT_EQ(client_.take_output(), frame(AgentFrame::exec, ipc::encode(exec_)));
}

TEST_F(AgentClientTest, ReadsBytesHoweverTheyAreCut) {
  const std::string transcript = "OK 1\n" + frame(AgentFrame::hello, ipc::encode_hello()) +
                                 frame(AgentFrame::ready, "{}") + frame(AgentFrame::stdout_data, "hi") +
                                 frame(AgentFrame::exit, ipc::encode(ipc::Exit{42, ""}));
  std::vector<AgentEvent> events;
  for (const char c : transcript) {
    for (auto& event : guest_says(std::string(1, c))) events.push_back(std::move(event));
  }
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(std::get<AgentOutput>(events[1]).bytes, "hi");
  EXPECT_EQ(std::get<AgentExited>(events[2]).code, 42);
  EXPECT_FALSE(client_.running());
}

TEST_F(AgentClientTest, OutputKeepsItsStream) {
  until_running();
  const auto events = guest_says(frame(AgentFrame::stderr_data, "oops") + frame(AgentFrame::stdout_data, "fine"));
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_TRUE(std::get<AgentOutput>(events[0]).to_stderr);
  EXPECT_FALSE(std::get<AgentOutput>(events[1]).to_stderr);
}

TEST_F(AgentClientTest, ACommandThatCannotBeStartedSaysWhy) {
  until_running();
  const auto events = guest_says(frame(AgentFrame::failed, ipc::encode(ipc::Exit{127, "nope: not found"})));
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(std::get<AgentExited>(events[0]).code, 127);
  EXPECT_EQ(std::get<AgentExited>(events[0]).message, "nope: not found");
}

TEST_F(AgentClientTest, InputSignalsAndSizesBecomeFrames) {
  until_running();
  client_.send_input("abc");
  client_.send_signal(15);
  client_.resize({24, 80});
  client_.end_input();
  EXPECT_EQ(client_.take_output(),
            frame(AgentFrame::stdin_data, "abc") + frame(AgentFrame::signal, ipc::encode_signal(15)) +
                frame(AgentFrame::resize, ipc::encode(ipc::TerminalSize{24, 80})) + frame(AgentFrame::stdin_end, ""));
}

TEST_F(AgentClientTest, LargeInputIsCutIntoFrames) {
  until_running();
  client_.send_input(std::string(100'000, 'x'));
  ipc::FrameReader reader;
  reader.feed(client_.take_output());
  std::string joined;
  for (auto next = reader.next(); next && *next; next = reader.next()) joined += (*next)->payload;
  EXPECT_EQ(joined, std::string(100'000, 'x'));
}

TEST_F(AgentClientTest, InputBeforeTheCommandRunsIsDropped) {
  client_.take_output();
  client_.send_input("early");
  client_.send_signal(2);
  EXPECT_THAT(client_.take_output(), IsEmpty());
}

TEST_F(AgentClientTest, AnythingElseFromTheBridgeIsAnError) { expect_error("NO\n", "bridge: unexpected answer 'NO'"); }

TEST_F(AgentClientTest, AnEndlessAnswerFromTheBridgeIsAnError) {
  expect_error(std::string(1000, 'O'), "bridge: unexpected answer '" + std::string(40, 'O') + "...'");
}

TEST_F(AgentClientTest, AGuestThatSkipsAStepIsRefused) {
  expect_error("OK 1\n" + frame(AgentFrame::ready, "{}"), "guest agent: unexpected frame of type 3");
}

TEST_F(AgentClientTest, AGuestThatSendsTheHostsFramesIsRefused) {
  until_running();
  expect_error(frame(AgentFrame::exec, "{}"), "guest agent: unexpected frame of type 4");
}

TEST_F(AgentClientTest, NothingMayFollowTheEnd) {
  until_running();
  expect_error(frame(AgentFrame::exit, ipc::encode(ipc::Exit{0, ""})) + frame(AgentFrame::stdout_data, "x"),
               "guest agent: unexpected frame of type 9");
}

TEST_F(AgentClientTest, AFrameOverTheLimitIsRefused) {
  until_running();
  expect_error("\xff\xff\xff\x7f\x09", "guest agent: frame of 2147483646 bytes is over the limit of 1048576");
}

}  // namespace
}  // namespace gatehouse::launcher
