#include "common/approval/client.h"

#include <gmock/gmock.h>

#include "common/ipc/frame.h"

namespace gatehouse::approval {
namespace {

using namespace std::chrono_literals;

// An approver on a socket: keeps what it is asked, answers what it is told to.
class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    endpoint_.path = testing::TempDir() + "approver.sock";
    listen();
    client_ = Client::create(loop_, endpoint_);
  }
  void listen() {
    listener_ = *Listener::start(loop_, *open_socket(endpoint_), [this](std::unique_ptr<Stream> stream) {
      peer_ = std::move(stream);
      frames_ = ipc::FrameReader();
      peer_->set_callbacks({.data = [this](std::string_view bytes) { take(bytes); },
                            .end = [this] { peer_.reset(); },
                            .error = nullptr,
                            .drained = nullptr});
      peer_->start_reading();
    });
  }
  void take(std::string_view bytes) {
    frames_.feed(bytes);
    while (const auto frame = *frames_.next()) {
      if (frame->type == static_cast<uint8_t>(FrameType::wanted)) asked_.push_back(*parse_wanted(frame->payload));
      if (frame->type == static_cast<uint8_t>(FrameType::withdrawn))
        withdrawn_.push_back(*parse_withdrawn(frame->payload));
    }
  }
  std::unique_ptr<Question> ask(std::optional<Decided>& outcome, std::chrono::milliseconds time = 60s) {
    Wanted wanted;
    wanted.what = "x";
    wanted.time = time;
    return client_->ask(wanted, [&outcome](Decided decided) { outcome = std::move(decided); });
  }
  bool turn_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < deadline) loop_.turn();
    return done();
  }

  Loop loop_;
  Endpoint endpoint_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> peer_;
  ipc::FrameReader frames_;
  std::vector<Wanted> asked_;
  std::vector<uint64_t> withdrawn_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, HearsEachDecision) {
  std::optional<Decided> one, two;
  const auto first = ask(one);
  const auto second = ask(two);
  ASSERT_TRUE(turn_until([&] { return asked_.size() == 2; }));
  peer_->write(encode(Decided{asked_[1].id, true, Scope::once, "alice", "fine"}));
  ASSERT_TRUE(turn_until([&] { return two.has_value(); }));
  EXPECT_TRUE(two->allowed);
  EXPECT_FALSE(one);
  peer_->write(encode(Decided{asked_[0].id, false, Scope::once, "bob", "no"}));
  ASSERT_TRUE(turn_until([&] { return one.has_value(); }));
  EXPECT_FALSE(one->allowed);
  EXPECT_EQ(one->by, "bob");
}

TEST_F(ClientTest, WithdrawsAQuestionThatIsDestroyed) {
  std::optional<Decided> outcome;
  auto question = ask(outcome);
  ASSERT_TRUE(turn_until([&] { return asked_.size() == 1; }));
  question.reset();
  ASSERT_TRUE(turn_until([&] { return withdrawn_.size() == 1; }));
  EXPECT_EQ(withdrawn_.front(), asked_.front().id);
  // What is decided now is for nobody.
  peer_->write(encode(Decided{asked_.front().id, true, Scope::once, "alice", ""}));
  std::optional<Decided> other;
  const auto next = ask(other);
  ASSERT_TRUE(turn_until([&] { return asked_.size() == 2; }));
  EXPECT_FALSE(outcome);
}

TEST_F(ClientTest, IsDeniedWhenTheApproverIsAway) {
  listener_.reset();
  std::optional<Decided> outcome;
  const auto question = ask(outcome);
  EXPECT_FALSE(outcome) << "never from within ask()";
  ASSERT_TRUE(turn_until([&] { return outcome.has_value(); }));
  EXPECT_FALSE(outcome->allowed);
  EXPECT_THAT(outcome->reason, testing::StartsWith("the approver is away: "));
}

TEST_F(ClientTest, IsDeniedWhenTheApproverGoesAwayAndAsksAnewAfterwards) {
  std::optional<Decided> outcome;
  const auto question = ask(outcome);
  ASSERT_TRUE(turn_until([&] { return asked_.size() == 1; }));
  peer_.reset();
  ASSERT_TRUE(turn_until([&] { return outcome.has_value(); }));
  EXPECT_FALSE(outcome->allowed);
  std::optional<Decided> again;
  const auto next = ask(again);
  ASSERT_TRUE(turn_until([&] { return asked_.size() == 2; }));
  peer_->write(encode(Decided{asked_[1].id, true, Scope::once, "alice", ""}));
  ASSERT_TRUE(turn_until([&] { return again.has_value(); }));
  EXPECT_TRUE(again->allowed);
}

TEST_F(ClientTest, IsDeniedByAnIncomprehensibleAnswer) {
  for (const std::string& answer : {std::string("\xff\xff\xff\xff\x03"), ipc::encode_frame(3, "{}"),
                                    ipc::encode_frame(9, "{}"), ipc::encode_frame(3, R"({"id":1,"allowed":true})")}) {
    std::optional<Decided> outcome;
    const size_t before = asked_.size();
    const auto question = ask(outcome);
    ASSERT_TRUE(turn_until([&] { return asked_.size() == before + 1; }));
    peer_->write(answer);
    ASSERT_TRUE(turn_until([&] { return outcome.has_value(); }));
    EXPECT_FALSE(outcome->allowed);
  }
}

}  // namespace
}  // namespace gatehouse::approval
