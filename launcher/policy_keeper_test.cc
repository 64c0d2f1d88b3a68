// A session's policy and the gates that follow it, which are played here.
#include "launcher/policy_keeper.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/reload/protocol.h"

namespace gatehouse::launcher {
namespace {

using reload::FrameType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string policy_text(const std::string& host) {
  return fmt::format(R"({{"version": 1, "http": [{{"id": "x", "action": "allow", "hosts": ["{}"]}}]}})", host);
}

class PolicyKeeperTest : public testing::Test {
 protected:
  PolicyKeeperTest() {
    char name[] = "/tmp/gatehouse-keeper-XXXXXX";
    folder_ = ::mkdtemp(name);
    file_ = folder_ + "/p.json";
    write(policy_text("one.example"));
    keeper_ = std::make_unique<PolicyKeeper>(
        loop_, *policy::Policy::load({file_}), PolicyKeeper::Settings{{file_}, folder_},
        PolicyKeeper::Callbacks{[this](audit::PolicyEvent row) -> Result<void> {
                                  if (log_broken_) return fail("disk full");
                                  rows_.push_back(std::move(row));
                                  return {};
                                },
                                [this](const std::string& gate) { restarted_.push_back(gate); }});
    EXPECT_TRUE(keeper_->begin());
    for (const std::string gate : {"dns", "proxy"}) gates_[gate] = *keeper_->attach(gate);
  }
  ~PolicyKeeperTest() override {
    keeper_.reset();
    gates_.clear();
    std::filesystem::remove_all(folder_);
  }

  void write(const std::string& text) { std::ofstream(file_) << text; }
  void turn() {
    for (int i = 0; i < 20; ++i) loop_.turn();
  }
  void reload() {
    outcome_.reset();
    keeper_->reload("alice", [this](const Result<std::string>& outcome) { outcome_ = outcome; });
    turn();
  }
  // What the gate has been told, by type; `snapshot_` is what was proposed.
  std::vector<FrameType> told(const std::string& gate) {
    std::vector<FrameType> types;
    ipc::FrameReader frames;
    char bytes[65536];
    for (ssize_t got = 0; (got = ::recv(gates_[gate].get(), bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
      frames.feed({bytes, static_cast<size_t>(got)});
    }
    for (auto frame = frames.next(); frame && *frame; frame = frames.next()) {
      types.push_back(static_cast<FrameType>((*frame)->type));
      if (types.back() == FrameType::piece) proposed_ = (*frame)->payload;
    }
    return types;
  }
  void say(const std::string& gate, FrameType type, std::string_view words = {}) {
    ASSERT_TRUE(write_all(gates_[gate].get(), reload::encode(type, words)));
    turn();
  }
  std::string host_in_force() const {
    const auto policy = policy::Policy::load_snapshot(keeper_->snapshot());
    return policy->judge(policy::HttpRequest{"https", "two.example", 443, "GET", "/"}).allowed() ? "two" : "one";
  }

  Loop loop_;
  std::string folder_;
  std::string file_;
  std::vector<audit::PolicyEvent> rows_;
  bool log_broken_ = false;
  std::vector<std::string> restarted_;
  std::unique_ptr<PolicyKeeper> keeper_;
  std::map<std::string, Fd> gates_;
  std::string proposed_;
  std::optional<Result<std::string>> outcome_;
};

TEST_F(PolicyKeeperTest, PutsAPolicyInForceOnceEveryGateCanJudgeByItAndTheRowIsWritten) {
  write(policy_text("two.example"));
  reload();
  EXPECT_THAT(told("dns"), ElementsAre(FrameType::piece, FrameType::propose));
  EXPECT_EQ(policy::Policy::from_snapshot(proposed_)->sha256(), policy::Policy::load({file_})->sha256());
  say("dns", FrameType::prepared);
  EXPECT_THAT(rows_, IsEmpty());
  EXPECT_THAT(told("dns"), IsEmpty());
  EXPECT_EQ(host_in_force(), "one");
  say("proxy", FrameType::prepared);
  ASSERT_EQ(rows_.size(), 1U);
  EXPECT_EQ(rows_[0].phase, "reloaded");
  EXPECT_EQ(rows_[0].files, file_);
  EXPECT_EQ(rows_[0].sha256, policy::Policy::load({file_})->sha256());
  EXPECT_EQ(rows_[0].detail, "asked for by alice");
  EXPECT_EQ(host_in_force(), "two");
  struct stat status {};
  ASSERT_EQ(::stat(keeper_->snapshot().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_THAT(told("dns"), ElementsAre(FrameType::commit));
  say("dns", FrameType::committed);
  EXPECT_FALSE(outcome_);
  say("proxy", FrameType::committed);
  ASSERT_TRUE(outcome_ && *outcome_);
  EXPECT_THAT(**outcome_, HasSubstr("generation 2"));
}

TEST_F(PolicyKeeperTest, KeepsThePolicyWhenTheFileIsBadAndTellsNoGate) {
  write("{\"version\": 1,\n \"htpp\": []}");
  reload();
  EXPECT_THAT(told("dns"), IsEmpty());
  ASSERT_EQ(rows_.size(), 1U);
  EXPECT_EQ(rows_[0].phase, "reload-failed");
  EXPECT_THAT(rows_[0].detail, HasSubstr("asked for by alice: " + file_ + ":2:2: unknown key 'htpp'"));
  ASSERT_TRUE(outcome_);
  EXPECT_THAT(outcome_->error().message(), HasSubstr(":2:2: unknown key 'htpp'"));
  EXPECT_EQ(host_in_force(), "one");
}

TEST_F(PolicyKeeperTest, KeepsThePolicyWhenOneGateCannotJudgeByTheNewOne) {
  write(policy_text("two.example"));
  reload();
  say("proxy", FrameType::prepared);
  say("dns", FrameType::refused, "p.json:1:1: no such rule");
  EXPECT_THAT(told("proxy"), ElementsAre(FrameType::piece, FrameType::propose, FrameType::drop));
  EXPECT_EQ(rows_.at(0).phase, "reload-failed");
  EXPECT_THAT(outcome_->error().message(), HasSubstr("dns: p.json:1:1: no such rule"));
  EXPECT_EQ(host_in_force(), "one");
  // What a gate still says to that is no answer to the next.
  (void)told("dns");
  reload();
  say("dns", FrameType::prepared);
  EXPECT_EQ(host_in_force(), "one");
  say("proxy", FrameType::prepared);
  EXPECT_EQ(host_in_force(), "two");
}

TEST_F(PolicyKeeperTest, KeepsThePolicyWhenItsRowCannotBeWritten) {
  write(policy_text("two.example"));
  log_broken_ = true;
  reload();
  say("dns", FrameType::prepared);
  say("proxy", FrameType::prepared);
  EXPECT_THAT(outcome_->error().message(), HasSubstr("disk full"));
  EXPECT_EQ(host_in_force(), "one");
  EXPECT_THAT(told("dns"), ElementsAre(FrameType::piece, FrameType::propose, FrameType::drop));
}

TEST_F(PolicyKeeperTest, GoesOnWithoutAGateThatEndsOnceThePolicyIsInForce) {
  write(policy_text("two.example"));
  reload();
  say("dns", FrameType::prepared);
  say("proxy", FrameType::prepared);
  say("dns", FrameType::committed);
  gates_["proxy"].reset();  // it comes back with keeper_->snapshot()
  turn();
  ASSERT_TRUE(outcome_ && *outcome_);
  reload();
  EXPECT_THAT(outcome_->error().message(), HasSubstr("proxy is just being started again"));
}

TEST_F(PolicyKeeperTest, WaitsForNoGateThatStartsWithWhatIsInForce) {
  write(policy_text("two.example"));
  reload();
  say("dns", FrameType::prepared);
  say("proxy", FrameType::prepared);
  gates_["proxy"] = *keeper_->attach("proxy");
  EXPECT_FALSE(outcome_);
  say("dns", FrameType::committed);
  EXPECT_TRUE(outcome_ && *outcome_);
}

TEST_F(PolicyKeeperTest, KeepsThePolicyWhenAGateEndsBefore) {
  write(policy_text("two.example"));
  reload();
  say("dns", FrameType::prepared);
  gates_["proxy"].reset();
  turn();
  EXPECT_THAT(outcome_->error().message(), HasSubstr("proxy ended meanwhile"));
  EXPECT_EQ(host_in_force(), "one");
}

TEST_F(PolicyKeeperTest, DoesOneReloadAtATime) {
  reload();
  const auto first = outcome_;
  reload();
  ASSERT_TRUE(outcome_);
  EXPECT_THAT(outcome_->error().message(), HasSubstr("another reload is under way"));
  EXPECT_FALSE(first);
}

}  // namespace
}  // namespace gatehouse::launcher
