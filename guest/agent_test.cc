#include "guest/agent.h"

#include <csignal>
#include <fstream>

#include "common/ipc/frame.h"
#include "guest/loop_fixture.h"

namespace gatehouse::guest {
namespace {

using ipc::AgentFrame;

class AgentTest : public LoopTest {
 protected:
  void SetUp() override {
    reaper_ = std::move(*ChildReaper::start(loop_));
    agent_ = std::move(*Agent::start(loop_, *reaper_, std::move(*open_socket(host_endpoint())),
                                     {[](int) { return true; }, [](const ipc::Boot&) { return Result<void>(); }}));
  }

  std::unique_ptr<Recorder> connect(bool read = true) {
    std::unique_ptr<Recorder> host;
    const auto connecting = connect_stream(
        loop_, host_endpoint(), [&](auto stream) { host = std::make_unique<Recorder>(std::move(*stream), read); });
    EXPECT_TRUE(turn_until(loop_, [&] { return host != nullptr; }));
    send(*host, AgentFrame::hello, ipc::encode_hello());
    return host;
  }

  static void send(Recorder& host, AgentFrame type, std::string_view payload) {
    host.stream->write(ipc::encode_frame(static_cast<uint8_t>(type), payload));
  }

  std::unique_ptr<Recorder> boot() {
    auto host = connect();
    send(*host, AgentFrame::boot, ipc::encode(ipc::Boot{"h", "c", 1}));
    return host;
  }

  std::unique_ptr<Recorder> run(std::vector<std::string> argv, std::optional<ipc::TerminalSize> terminal = {}) {
    auto host = boot();
    ipc::Exec exec;
    exec.argv = std::move(argv);
    exec.env = {{"EXTRA", "given"}};
    exec.directory = "/";
    exec.terminal = terminal;
    send(*host, AgentFrame::exec, ipc::encode(exec));
    return host;
  }

  struct Outcome {
    std::string output, errors, failure;
    int code = -1;
    bool ready = false;
  };

  // Reads what the agent sends until it ends its side.
  Outcome outcome(Recorder& host) {
    EXPECT_TRUE(turn_until(loop_, [&] { return host.over(); }));
    return decode(host.received);
  }

  static Outcome decode(std::string_view received) {
    Outcome result;
    ipc::FrameReader reader;
    reader.feed(received);
    for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
      const std::string& payload = (*frame)->payload;
      switch (static_cast<AgentFrame>((*frame)->type)) {
        case AgentFrame::hello:
          EXPECT_TRUE(ipc::decode_hello(payload));
          break;
        case AgentFrame::ready:
          result.ready = true;
          break;
        case AgentFrame::stdout_data:
          result.output += payload;
          break;
        case AgentFrame::stderr_data:
          result.errors += payload;
          break;
        case AgentFrame::exit:
          result.code = ipc::decode_exit(payload)->code;
          break;
        case AgentFrame::failed:
          result.code = ipc::decode_exit(payload)->code;
          result.failure = ipc::decode_exit(payload)->message;
          break;
        default:
          ADD_FAILURE() << "frame of type " << int{(*frame)->type};
      }
    }
    return result;
  }

  std::unique_ptr<ChildReaper> reaper_;
  std::unique_ptr<Agent> agent_;
};

TEST_F(AgentTest, RunsACommandAndReturnsItsOutputAndCode) {
  auto host = run({"sh", "-c", "echo out; echo err >&2; exit 42"});
  const Outcome result = outcome(*host);
  EXPECT_TRUE(result.ready);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(result.code, 42);
}

TEST_F(AgentTest, GivesACommandNothingOfItsOwnEnvironment) {
  ::setenv("LEAK", "secret", 1);
  auto host = run({"env"});
  const std::string output = outcome(*host).output;
  EXPECT_EQ(output.find("LEAK"), std::string::npos);
  EXPECT_NE(output.find("EXTRA=given\n"), std::string::npos);
  EXPECT_NE(output.find("SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\n"), std::string::npos);
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 10);
}

TEST_F(AgentTest, TellsWhyACommandDoesNotStart) {
  const std::string plain = folder_ + "/plain";
  std::ofstream(plain) << "text";
  const std::tuple<std::string, int, std::string> cases[] = {
      {"no-such-command", 127, "no-such-command: command not found"},
      {"/no/such", 127, "/no/such: command not found"},
      {"", 127, ": command not found"},
      {plain, 126, plain + ": cannot be executed"},
  };
  for (const auto& [name, code, message] : cases) {
    agent_.reset();
    SetUp();
    auto host = run({name});
    const Outcome result = outcome(*host);
    EXPECT_EQ(result.code, code);
    EXPECT_EQ(result.failure, message);
  }
}

TEST_F(AgentTest, RunsAScriptThatNamesNoInterpreter) {
  const std::string script = folder_ + "/script";
  std::ofstream(script) << "echo script $1\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  auto host = run({script, "argument"});
  EXPECT_EQ(outcome(*host).output, "script argument\n");
}

TEST_F(AgentTest, FeedsInputUntilItsEnd) {
  auto host = run({"cat"});
  const std::string sent(3 << 20, 'i');
  for (size_t at = 0; at < sent.size(); at += 1 << 20) send(*host, AgentFrame::stdin_data, sent.substr(at, 1 << 20));
  send(*host, AgentFrame::stdin_end, "");
  const Outcome result = outcome(*host);
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(result.output == sent) << result.output.size();
}

TEST_F(AgentTest, DeliversAllOutputToAHostThatIsSlow) {
  auto host = run({"head", "-c", "8000000", "/dev/zero"});
  host->stream->stop_reading();
  for (int i = 0; i < 3000; ++i) loop_.turn();
  host->stream->start_reading();
  const Outcome result = outcome(*host);
  EXPECT_EQ(result.output.size(), 8'000'000U);
  EXPECT_EQ(result.code, 0);
}

TEST_F(AgentTest, ForwardsSignalsToTheWholeGroup) {
  auto host = run({"sh", "-c", "echo up; sleep 1000; echo not reached"});
  ASSERT_TRUE(turn_until(loop_, [&] { return host->received.find("up") != std::string::npos; }));
  send(*host, AgentFrame::signal, ipc::encode_signal(SIGTERM));
  const Outcome result = outcome(*host);
  EXPECT_EQ(result.output, "up\n");
  EXPECT_EQ(result.code, 128 + SIGTERM);
}

TEST_F(AgentTest, DoesNotWaitForABackgroundProcessThatHoldsTheOutput) {
  auto host = run({"sh", "-c", "sleep 1000 & echo $!"});
  const Outcome result = outcome(*host);
  EXPECT_EQ(result.code, 0);
  const pid_t left = std::stoi(result.output);
  EXPECT_EQ(::kill(left, SIGKILL), 0) << "it is the guest's own business and lives on";
}

TEST_F(AgentTest, KillsTheWholeGroupWhenTheHostLeaves) {
  auto host = run({"sh", "-c", "sleep 1000 & echo $!; wait"});
  ASSERT_TRUE(turn_until(loop_, [&] { return !decode(host->received).output.empty(); }));
  const pid_t child = std::stoi(decode(host->received).output);
  host.reset();
  // A killed orphan may wait for its reaper, whoever that is here: it is gone or a zombie.
  EXPECT_TRUE(turn_until(loop_, [&] {
    std::ifstream status("/proc/" + std::to_string(child) + "/stat");
    std::string pid, name, state;
    status >> pid >> name >> state;
    return state.empty() || state == "Z";
  }));
}

TEST_F(AgentTest, NoticesThatTheHostLeavesWhileItsInputWaits) {
  auto host = run({"sh", "-c", "echo $$; exec sleep 1000"});
  ASSERT_TRUE(turn_until(loop_, [&] { return !decode(host->received).output.empty(); }));
  const pid_t child = std::stoi(decode(host->received).output);
  for (int i = 0; i < 8; ++i) send(*host, AgentFrame::stdin_data, std::string(1 << 20, 'i'));
  for (int i = 0; i < 1000; ++i) loop_.turn();
  host.reset();
  EXPECT_TRUE(turn_until(loop_, [&] { return ::kill(child, 0) != 0; }));
}

TEST_F(AgentTest, RunsOnATerminalOfTheSizeAsked) {
  auto host = run({"sh", "-c", "stty size; tty >/dev/null && echo terminal; read line; echo got $line; stty size"},
                  ipc::TerminalSize{33, 101});
  ASSERT_TRUE(turn_until(loop_, [&] { return host->received.find("terminal") != std::string::npos; }));
  send(*host, AgentFrame::resize, ipc::encode(ipc::TerminalSize{50, 60}));
  send(*host, AgentFrame::stdin_data, "word\n");
  const Outcome result = outcome(*host);
  EXPECT_EQ(result.output, "33 101\r\nterminal\r\nword\r\ngot word\r\n50 60\r\n");
  EXPECT_EQ(result.code, 0);
}

TEST_F(AgentTest, TurnsAnInterruptCharacterIntoASignal) {
  auto host = run({"cat"}, ipc::TerminalSize{24, 80});
  send(*host, AgentFrame::stdin_data, "x\n");
  ASSERT_TRUE(turn_until(loop_, [&] { return decode(host->received).output == "x\r\nx\r\n"; }));
  send(*host, AgentFrame::stdin_data, "\x03");
  EXPECT_EQ(outcome(*host).code, 128 + SIGINT);
}

TEST_F(AgentTest, RunsNothingBeforeTheBootMessage) {
  auto host = connect();
  ipc::Exec exec;
  exec.argv = {"true"};
  send(*host, AgentFrame::exec, ipc::encode(exec));
  const Outcome result = outcome(*host);
  EXPECT_EQ(result.code, 125);
  EXPECT_EQ(result.failure, "the guest has not been given its boot message yet");
}

TEST_F(AgentTest, TakesOneBootMessageOnly) {
  auto first = boot();
  auto second = boot();
  ASSERT_TRUE(turn_until(loop_, [&] { return decode(second->received).code >= 0; }));
  EXPECT_TRUE(decode(first->received).ready);
  EXPECT_EQ(decode(second->received).failure, "the guest has been given its boot message already");
}

TEST_F(AgentTest, ClosesAConnectionThatBreaksTheProtocol) {
  auto host = connect();
  host->stream->write(std::string(8, '\xff'));
  EXPECT_TRUE(turn_until(loop_, [&] { return host->over(); }));
}

}  // namespace
}  // namespace gatehouse::guest
