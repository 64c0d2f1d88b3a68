// Requests to a server that wants access tokens: they wait for one, and go out anew with another.
#include <gmock/gmock.h>

#include <map>

#include "mcp-gateway/http_link.h"

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kModernRevision[] = "2026-07-28";

class HttpLinkTokenTest : public testing::Test {
 protected:
  HttpLinkTokenTest() { link_.begin(); }

  uint64_t ask(const std::string& method) {
    Outgoing message;
    message.line = request_line(++last_, method, Value::object());
    message.request = last_;
    message.method = method;
    message.revision = kModernRevision;
    link_.send(message);
    return last_;
  }
  // To the oldest.
  void answer(const std::string& bytes) {
    ASSERT_FALSE(open_.empty());
    link_.received(open_.begin()->first, bytes, {});
  }
  static std::string status(int code, const std::string& more = "") {
    return "HTTP/1.1 " + std::to_string(code) + " X\r\n" + more + "Content-Length: 0\r\n\r\n";
  }
  static std::string result(uint64_t id, const std::string& text) {
    const auto body = R"({"jsonrpc": "2.0", "id": )" + std::to_string(id) + R"(, "result": {"text": ")" + text + "\"}}";
    return "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  void token(const std::string& text) {
    token_ = text;
    ++number_;
  }

  std::string token_;
  uint64_t number_ = 0, last_ = 0;
  bool wait_ = false;
  std::vector<std::pair<int, std::string>> challenged_;
  std::map<uint64_t, std::string> open_;
  std::vector<std::string> heard_;
  std::vector<std::pair<uint64_t, std::string>> lost_;
  std::vector<std::string> broken_;
  HttpLink link_{
      {"tools.example", "/mcp"},
      {.open = [this](uint64_t exchange, std::string bytes) { open_[exchange] = std::move(bytes); },
       .close = [this](uint64_t exchange) { EXPECT_EQ(open_.erase(exchange), 1u); },
       .hear = [this](Value message, auto) { heard_.push_back(json::write(message)); },
       .lose = [this](uint64_t id, const std::string& why) { lost_.emplace_back(id, why); },
       .broken = [this](const Error& why) { broken_.push_back(why.message()); },
       .lease =
           [this] {
             return Authorization::Lease{wait_, token_, number_};
           },
       .challenged = [this](int code, const Challenge& challenge,
                            uint64_t) { challenged_.emplace_back(code, challenge.error); },
       .spoken = [](const Value& message) { return json::write(message).find("made-up-token") != std::string::npos; }}};
};

TEST_F(HttpLinkTokenTest, GoOnceMoreWithTheTokenThatComes) {
  const uint64_t id = ask("server/discover");
  EXPECT_THAT(open_.begin()->second, Not(HasSubstr("Gatehouse-Bearer")));
  answer(status(401, "WWW-Authenticate: Bearer error=\"x\"\r\n"));
  EXPECT_THAT(challenged_, ElementsAre(std::pair(401, std::string("x"))));
  EXPECT_THAT(open_, IsEmpty());
  token("made-up-token");
  link_.authorized({});
  ASSERT_THAT(open_, SizeIs(1));
  EXPECT_THAT(open_.begin()->second, HasSubstr("\r\nGatehouse-Bearer: made-up-token\r\n"));
  answer(result(id, "fine"));
  EXPECT_THAT(heard_, ElementsAre(HasSubstr("fine")));
}

TEST_F(HttpLinkTokenTest, WaitWhileOneIsAskedFor) {
  wait_ = true;
  const uint64_t id = ask("server/discover");
  EXPECT_THAT(open_, IsEmpty());
  wait_ = false;
  token("made-up-token");
  link_.authorized({});
  answer(result(id, "fine"));
  EXPECT_THAT(heard_, SizeIs(1));
}

TEST_F(HttpLinkTokenTest, AreNotSentForeverNorForWhatElseIsDenied) {
  answer(status(ask("server/discover") > 0 ? 404 : 0));
  const uint64_t id = ask("tools/call");
  for (int i = 0; i < kMaxSendings; ++i) {
    ASSERT_THAT(open_, SizeIs(1)) << i;
    answer(status(i == 0 ? 401 : 403, "WWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n"));
    token("made-up-token");
    link_.authorized({});
  }
  EXPECT_THAT(challenged_, SizeIs(kMaxSendings - 1));
  EXPECT_THAT(open_, IsEmpty());
  ASSERT_THAT(lost_, SizeIs(2));
  EXPECT_EQ(lost_.back(),
            std::pair(id, std::string("it still wants more scope than the token has that was issued for it")));
  ask("tools/call");
  answer(status(403));
  EXPECT_THAT(lost_.back().second, HasSubstr("status 403"));
  ask("tools/call");
  answer(status(401, "Gatehouse-Rule: x\r\n"));
  EXPECT_THAT(lost_.back().second, HasSubstr("rule 'x'"));
  EXPECT_THAT(challenged_, SizeIs(kMaxSendings - 1));
}

TEST_F(HttpLinkTokenTest, AreLostInWordsWhereThereWillBeNone) {
  ask("server/discover");
  answer(status(401));
  link_.unauthorized("nobody has logged in", {});
  EXPECT_THAT(broken_, ElementsAre("nobody has logged in"));
  link_.begin();
  answer(status(ask("server/discover") > 0 ? 404 : 0));
  const uint64_t id = ask("tools/call");
  answer(status(401));
  link_.unauthorized("nobody has logged in", {});
  EXPECT_EQ(lost_.back(), std::pair(id, std::string("nobody has logged in")));
  EXPECT_THAT(open_, IsEmpty());
}

TEST_F(HttpLinkTokenTest, AreAnsweredToNobodyInWhatHoldsTheToken) {
  token("made-up-token");
  const uint64_t id = ask("tools/call");
  answer(result(id, "it was made-up-token"));
  EXPECT_THAT(heard_, IsEmpty());
  ASSERT_THAT(lost_, SizeIs(1));
  EXPECT_THAT(lost_[0].second, HasSubstr("holds the access token it was given"));
  EXPECT_THAT(lost_[0].second, Not(HasSubstr("made-up-token")));
}

}  // namespace
}  // namespace gatehouse::mcp
