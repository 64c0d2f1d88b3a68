#include "launcher/approval_server.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "common/approval/client.h"
#include "common/audit/reader.h"
#include "common/base/uuid.h"

namespace gatehouse::launcher {
namespace {

using approval::FrameType;
using approval::Scope;
using namespace std::chrono_literals;

Endpoint unix_path(const std::string& path) {
  Endpoint endpoint;
  endpoint.path = path;
  return endpoint;
}

class ApprovalServerTest : public testing::Test {
 protected:
  ApprovalServerTest() {
    std::filesystem::create_directory(folder_);
    log_ = std::move(*audit::AuditLog::open({folder_ + "/audit.db", "s", "launcher"}));
    server_ = std::move(*ApprovalServer::start(loop_, *log_, *open_socket(unix_path(folder_ + "/ask")),
                                               *open_socket(unix_path(folder_ + "/approvals")),
                                               {[this](const approval::Pending& pending) { asked_.push_back(pending); },
                                                [this](pid_t pid) { return gates_decide_ && pid == ::getpid(); },
                                                [](const std::string& by, const auto& told) {
                                                  told({by == "nobody", "asked for by " + by});
                                                }}));
    gate_ = approval::Client::create(loop_, unix_path(folder_ + "/ask"));
  }
  ~ApprovalServerTest() override {
    gate_.reset();
    server_.reset();
    log_.reset();
    std::filesystem::remove_all(folder_);
  }

  bool turn_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done() && std::chrono::steady_clock::now() < deadline) loop_.turn();
    return done();
  }
  std::unique_ptr<approval::Question> ask(std::optional<approval::Decided>& outcome, std::chrono::milliseconds time,
                                          const std::string& key = "k") {
    approval::Wanted wanted{0, make_uuid(), "first", "why", "https", "POST https://a.example.com/x", "", key, time};
    return gate_->ask(wanted, [&outcome](approval::Decided decided) { outcome = std::move(decided); });
  }
  // What a person's client reads back, or nothing when it is turned away.
  std::optional<ipc::Frame> say(const std::string& frames) {
    std::optional<ipc::Frame> answer;
    bool ended = false;
    std::unique_ptr<Stream> stream;
    ipc::FrameReader reader;
    const auto connecting = connect_stream(loop_, unix_path(folder_ + "/approvals"), [&](auto connected) {
      stream = std::move(*connected);
      stream->set_callbacks({.data =
                                 [&](std::string_view bytes) {
                                   reader.feed(bytes);
                                   answer = *reader.next();
                                 },
                             .end = [&] { ended = true; },
                             .error = [&](const Error&) { ended = true; },
                             .drained = nullptr});
      stream->start_reading();
      stream->write(frames);
    });
    turn_until([&] { return answer || ended; });
    return answer;
  }
  std::vector<audit::Entry> rows() {
    return (*audit::AuditReader::open(folder_ + "/audit.db"))->next_entries({}).value();
  }

  const std::string folder_ = testing::TempDir() + "approvals-" + make_uuid().substr(0, 8);
  Loop loop_;
  std::unique_ptr<audit::AuditLog> log_;
  bool gates_decide_ = false;
  std::vector<approval::Pending> asked_;
  std::unique_ptr<ApprovalServer> server_;
  std::unique_ptr<approval::Client> gate_;
};

TEST_F(ApprovalServerTest, CarriesADecisionFromAPersonToTheGate) {
  std::optional<approval::Decided> outcome;
  const auto question = ask(outcome, 60s);
  ASSERT_TRUE(turn_until([&] { return asked_.size() == 1; }));
  const auto listed = approval::parse_pending(say(approval::encode_list())->payload);
  ASSERT_TRUE(listed && listed->size() == 1);
  EXPECT_EQ(listed->front().number, asked_.front().number);
  EXPECT_EQ(listed->front().wanted.what, "POST https://a.example.com/x");
  const auto reply =
      approval::parse_reply(say(encode(approval::Decide{asked_.front().number, true, Scope::once}))->payload);
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->done) << reply->message;
  ASSERT_TRUE(turn_until([&] { return outcome.has_value(); }));
  EXPECT_TRUE(outcome->allowed);
  // The row was there before the gate was told.
  const auto written = rows();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].table, "approvals");
  EXPECT_EQ(written[0].verdict, "allow");
  EXPECT_EQ(written[0].rule_id, "first");
  EXPECT_THAT(written[0].what, testing::HasSubstr("by " + outcome->by));
}

TEST_F(ApprovalServerTest, DeniesWhenTimeIsUp) {
  std::optional<approval::Decided> outcome;
  const auto question = ask(outcome, 50ms);
  ASSERT_TRUE(turn_until([&] { return outcome.has_value(); }));
  EXPECT_FALSE(outcome->allowed);
  EXPECT_THAT(outcome->reason, testing::StartsWith("nobody has decided within"));
  ASSERT_EQ(rows().size(), 1u);
  EXPECT_EQ(rows()[0].verdict, "deny");
}

TEST_F(ApprovalServerTest, ForgetsAQuestionThatIsWithdrawn) {
  std::optional<approval::Decided> outcome;
  auto question = ask(outcome, 60s);
  ASSERT_TRUE(turn_until([&] { return asked_.size() == 1; }));
  question.reset();
  const auto none = [&] {
    const auto listed = approval::parse_pending(say(approval::encode_list())->payload);
    return listed && listed->empty();
  };
  EXPECT_TRUE(turn_until(none));
  const auto reply = approval::parse_reply(say(encode(approval::Decide{1, true, Scope::once}))->payload);
  EXPECT_FALSE(reply->done);
}

TEST_F(ApprovalServerTest, LetsNoGateDecide) {
  gates_decide_ = true;
  EXPECT_FALSE(say(approval::encode_list()));
  gates_decide_ = false;
  EXPECT_TRUE(say(approval::encode_list()));
  // Nor does a person's socket take questions.
  EXPECT_FALSE(say(encode(approval::Wanted{})));
}

TEST_F(ApprovalServerTest, DropsWhoeverIsIncomprehensible) {
  EXPECT_FALSE(say(std::string("\xff\xff\xff\xff\x05", 5)));
  EXPECT_FALSE(say(ipc::encode_frame(static_cast<uint8_t>(FrameType::decide), "{}")));
  EXPECT_TRUE(say(approval::encode_list()));
}

}  // namespace
}  // namespace gatehouse::launcher
