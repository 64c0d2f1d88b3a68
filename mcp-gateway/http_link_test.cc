// A server of tools over HTTP without sockets: requests out, answers in.
#include "mcp-gateway/http_link.h"

#include <gmock/gmock.h>

#include "proxy/request_reader.h"

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kLegacy = "2025-11-25";
constexpr std::string_view kModern = "2026-07-28";

// What was asked on a connection, as a server reads it.
struct Asked {
  proxy::RequestHead head;
  Value message;  // null: there is no body
  std::string field(std::string_view name) const {
    const auto* found = proxy::find_field(head.fields, name);
    return found == nullptr ? "" : found->value;
  }
  bool has(std::string_view name) const { return proxy::find_field(head.fields, name) != nullptr; }
};

Asked read_request(std::string_view bytes) {
  Asked asked;
  proxy::RequestReader reader(proxy::Scheme::https);
  std::string body;
  while (true) {
    const auto event = reader.feed(bytes);
    if (!event || event->kind == proxy::ReadEvent::Kind::need_more) {
      ADD_FAILURE() << "no whole request: " << bytes;
      return asked;
    }
    bytes.remove_prefix(event->consumed);
    if (event->kind == proxy::ReadEvent::Kind::body) body += event->body;
    if (event->kind == proxy::ReadEvent::Kind::complete) break;
  }
  EXPECT_TRUE(bytes.empty());
  asked.head = reader.head();
  if (!body.empty()) asked.message = *json::read(body);
  return asked;
}

std::string json_answer(const std::string& body, const std::string& more = "", int status = 200) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string bare_answer(int status, const std::string& more = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + more + "Content-Length: 0\r\n\r\n";
}
std::string event_stream(const std::string& events, bool whole = true) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" +
         (whole ? "Content-Length: " + std::to_string(events.size()) + "\r\n\r\n" : std::string("\r\n")) + events;
}
std::string result_of(uint64_t id, const std::string& content = "{}") {
  return fmt::format(R"({{"id":{},"jsonrpc":"2.0","result":{}}})", id, content);
}
std::string error_of(const std::string& id = "") {
  return R"({"jsonrpc":"2.0",)" + (id.empty() ? "" : "\"id\":" + id + ",") +
         R"("error":{"code":-32602,"message":"m"}})";
}

class HttpLinkTest : public testing::Test {
 protected:
  // The exchange of the request of that method, or of the GET or DELETE.
  uint64_t asked(const std::string& method) {
    for (const auto& [exchange, asked] : open_) {
      if (asked.head.method == method || asked.message.value("method", "") == method) return exchange;
    }
    ADD_FAILURE() << "nothing was asked by " << method;
    return 0;
  }
  bool is_open(const std::string& method) const {
    return std::any_of(open_.begin(), open_.end(),
                       [&](const auto& entry) { return entry.second.head.method == method; });
  }
  void answer(const std::string& method, const std::string& bytes) { link_.received(asked(method), bytes, now_); }

  static Outgoing request(uint64_t id, const std::string& method, std::string_view revision) {
    Outgoing message;
    message.line = request_line(id, method, Value::object());
    message.request = id;
    message.method = method;
    message.revision = revision;
    return message;
  }
  uint64_t ask(const std::string& method, std::string_view revision = kLegacy) {
    link_.send(request(++last_id_, method, revision));
    return last_id_;
  }
  void tell(const std::string& method, std::string_view revision = kLegacy, std::optional<uint64_t> about = {}) {
    Outgoing message;
    message.line = notification_line(method, Value::object());
    message.method = method;
    message.revision = revision;
    message.about = about;
    link_.send(message);
  }
  // Up to where it is initialized, and has no stream of what nobody asked for.
  void begin(std::string_view revision = kLegacy) {
    initialize(revision);
    link_.tick(now_);
    answer("GET", bare_answer(405));
    ASSERT_THAT(open_, IsEmpty());
  }
  void initialize(std::string_view revision = kLegacy) {
    link_.begin();
    const uint64_t id = ask("initialize", "");
    answer("initialize", json_answer(result_of(id), "Mcp-Session-Id: s-1\r\n"));
    tell("notifications/initialized", revision);
    answer("notifications/initialized", bare_answer(202));
    heard_.clear();
    ASSERT_THAT(broken_, IsEmpty());
    ASSERT_THAT(open_, IsEmpty());
  }
  std::string heard(size_t index = 0) const {
    return index < heard_.size() ? json::write(heard_[index].first) : "nothing";
  }

  uint64_t last_id_ = 0;
  std::map<uint64_t, Asked> open_;
  std::vector<std::pair<Value, std::optional<uint64_t>>> heard_;
  std::vector<std::pair<uint64_t, std::string>> lost_;
  std::vector<std::string> broken_;
  HttpLink link_{
      {"tools.example", "/mcp?a=b"},
      {.open = [this](uint64_t exchange, const std::string& bytes) { open_[exchange] = read_request(bytes); },
       .close = [this](uint64_t exchange) { open_.erase(exchange); },
       .hear = [this](Value message, auto about) { heard_.emplace_back(std::move(message), about); },
       .lose = [this](uint64_t id, const std::string& why) { lost_.emplace_back(id, why); },
       .broken = [this](const Error& why) { broken_.push_back(why.message()); }}};
  HttpLink::Time now_{};
};

// The session era.

TEST_F(HttpLinkTest, SaysNothingElseBeforeTheServerKnowsThatItIsInitialized) {
  link_.begin();
  const uint64_t id = ask("initialize", "");
  const Asked first = open_.at(asked("initialize"));
  EXPECT_EQ(first.head.path, "/mcp?a=b");
  EXPECT_EQ(first.head.host, "tools.example");
  for (const auto* name : {"Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Authorization"}) {
    EXPECT_FALSE(first.has(name)) << name;
  }
  EXPECT_EQ(first.field("Accept"), "application/json, text/event-stream");
  answer("initialize", json_answer(result_of(id), "Mcp-Session-Id: s-1\r\n"));
  EXPECT_EQ(heard(), result_of(id));
  tell("notifications/initialized");
  ask("tools/list");
  ASSERT_EQ(open_.size(), 1u);
  const Asked second = open_.at(asked("notifications/initialized"));
  EXPECT_EQ(second.field("Mcp-Session-Id"), "s-1");
  EXPECT_EQ(second.field("MCP-Protocol-Version"), "2025-11-25");
  answer("notifications/initialized", bare_answer(202));
  const Asked third = open_.at(asked("tools/list"));
  EXPECT_EQ(third.field("Mcp-Session-Id"), "s-1");
  EXPECT_FALSE(third.has("Mcp-Method"));
}

TEST_F(HttpLinkTest, NamesTheRevisionOnlyWhereItHasAFieldForThat) {
  for (const auto& [revision, field] :
       {std::pair{"2025-11-25", "2025-11-25"}, {"2025-06-18", "2025-06-18"}, {"2025-03-26", ""}}) {
    begin(revision);
    ask("tools/call", revision);
    EXPECT_EQ(open_.at(asked("tools/call")).field("MCP-Protocol-Version"), field) << revision;
  }
}

TEST_F(HttpLinkTest, TakesAnswersInJsonAndInStreamsCutAnywhere) {
  begin();
  const uint64_t first = ask("tools/call");
  answer("tools/call", json_answer(result_of(first)));
  EXPECT_EQ(heard(), result_of(first));
  EXPECT_EQ(heard_.at(0).second, first);
  const uint64_t second = ask("tools/call");
  const uint64_t exchange = asked("tools/call");
  const std::string question = R"({"id":"q","jsonrpc":"2.0","method":"ping"})";
  for (const char byte : event_stream("data: " + question + "\r\n\r\n: alive\n\ndata: " + result_of(second) + "\n\n")) {
    link_.received(exchange, std::string_view(&byte, 1), now_);
  }
  EXPECT_EQ(heard(1), question);
  EXPECT_EQ(heard_.at(1).second, second);
  EXPECT_EQ(heard(2), result_of(second));
  EXPECT_THAT(lost_, IsEmpty());
  EXPECT_THAT(open_, IsEmpty());
}

TEST_F(HttpLinkTest, TakesSeveralMessagesAtOnceOnlyInTheRevisionThatHasThem) {
  begin("2025-03-26");
  const uint64_t id = ask("tools/call", "2025-03-26");
  answer("tools/call", json_answer("[" + result_of(99) + "," + result_of(id) + "]"));
  EXPECT_EQ(heard_.size(), 2u);
  EXPECT_THAT(broken_, IsEmpty());
  ask("tools/call", "2025-06-18");
  answer("tools/call", json_answer("[" + result_of(id + 1) + "]"));
  EXPECT_THAT(broken_, ElementsAre(HasSubstr("several things at once")));
}

TEST_F(HttpLinkTest, PostsAnswersToWhatTheServerAsks) {
  begin();
  Outgoing reply;
  reply.line = result_line("q", Value::object());
  reply.revision = kLegacy;
  link_.send(reply);
  ASSERT_EQ(open_.size(), 1u);
  const auto& [exchange, asked] = *open_.begin();
  EXPECT_EQ(json::write(asked.message), R"({"id":"q","jsonrpc":"2.0","result":{}})");
  EXPECT_EQ(asked.field("Mcp-Session-Id"), "s-1");
  link_.received(exchange, bare_answer(202), now_);
  EXPECT_THAT(open_, IsEmpty());
  EXPECT_THAT(broken_, IsEmpty());
}

TEST_F(HttpLinkTest, GivesUpAServerThatAsksMoreThanItHearsAnswersTo) {
  begin();
  ask("tools/call");
  const uint64_t exchange = asked("tools/call");
  link_.received(exchange, event_stream("", false), now_);
  for (size_t i = 0; i < kMaxReplies + 1 && broken_.empty(); ++i) {
    Outgoing reply;
    reply.line = result_line(i, Value::object());
    reply.revision = kLegacy;
    link_.send(reply);
    link_.received(exchange, "data: " + request_line(i, "ping", Value::object()) + "\n\n", now_);
  }
  EXPECT_THAT(broken_, ElementsAre(HasSubstr("more than it hears")));
  EXPECT_THAT(open_, IsEmpty());
}

TEST_F(HttpLinkTest, LosesARequestThatIsAnsweredByNothingUseful) {
  begin();
  for (const auto& [bytes, words] :
       {std::pair<std::string, std::string>{bare_answer(302, "Location: https://evil.example/\r\n"), "redirects"},
        {bare_answer(401, "WWW-Authenticate: Bearer resource_metadata=\"https://evil.example\"\r\n"), "credential"},
        {json_answer(error_of(), "", 401), "credential"},
        {bare_answer(403), "(status 403)"},
        {bare_answer(500), "status 500"},
        {json_answer("evil", "", 500), "status 500"},
        {json_answer(R"({"error":"evil"})", "", 400), "status 400"},
        {json_answer(error_of("77"), "", 400), "status 400"},
        {bare_answer(200), "no message"},
        {bare_answer(202), "no message"},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nevil", "no message"},
        {event_stream("data: \n\n: evil\n\n"), "ends without an answer"},
        {"HTTP/1.1 403 X\r\nGatehouse-Rule: dlp.x\r\nGatehouse-Event: e-1\r\nContent-Length: 0\r\n\r\n",
         "'dlp.x', event e-1"},
        {"HTTP/1.1 502 X\r\nGatehouse-Rule: upstream.certificate\r\nContent-Length: 0\r\n\r\n",
         "certificate cannot be"},
        {"evil nonsense\r\n\r\n", "HTTP"}}) {
    lost_.clear();
    const uint64_t id = ask("tools/call");
    answer("tools/call", bytes);
    ASSERT_EQ(lost_.size(), 1u) << bytes;
    EXPECT_EQ(lost_[0].first, id);
    EXPECT_THAT(lost_[0].second, HasSubstr(words));
    EXPECT_THAT(lost_[0].second, Not(HasSubstr("evil")));
    EXPECT_THAT(broken_, IsEmpty());
  }
  ask("tools/call");
  lost_.clear();
  link_.ended(asked("tools/call"), "the connection broke", now_);
  EXPECT_EQ(lost_.at(0).second, "the connection broke");
  EXPECT_THAT(heard_, IsEmpty());
}

TEST_F(HttpLinkTest, TellsOfAnErrorWhateverTheStatusAndWhetherOrNotItNamesTheRequest) {
  begin();
  for (const int status : {200, 400, 500}) {
    for (const std::string id : {"", "null", "own"}) {
      heard_.clear();
      const uint64_t request = ask("tools/call");
      answer("tools/call", json_answer(error_of(id == "own" ? std::to_string(request) : id), "", status));
      ASSERT_EQ(heard_.size(), 1u) << status << id;
      EXPECT_TRUE(heard_[0].first.contains("error"));
      EXPECT_EQ(heard_[0].second, request);
    }
  }
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(HttpLinkTest, LosesARequestWhoseAnswerIsTooLargeAndDoesNotResumeIt) {
  begin();
  const std::string much(size_t{1} << 20, ' ');
  for (const std::string& head : {std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
                                  event_stream("id: 1\ndata:\n\ndata: ", false)}) {
    lost_.clear();
    const uint64_t id = ask("tools/call");
    const uint64_t exchange = asked("tools/call");
    link_.received(exchange, head, now_);
    for (size_t sent = 0; sent <= kMessageLimits.bytes && open_.contains(exchange); sent += much.size()) {
      link_.received(exchange, much, now_);
    }
    ASSERT_EQ(lost_.size(), 1u);
    EXPECT_EQ(lost_[0].first, id);
    EXPECT_THAT(open_, IsEmpty());
  }
}

TEST_F(HttpLinkTest, GivesUpASessionThatTheServerHasEnded) {
  begin();
  ask("tools/call");
  answer("tools/call", bare_answer(404));
  EXPECT_THAT(broken_, ElementsAre("it has ended the session"));
  link_.end(now_);
  EXPECT_THAT(open_, IsEmpty());
  link_.begin();
  ask("initialize", "");
  EXPECT_FALSE(open_.at(asked("initialize")).has("Mcp-Session-Id"));
}

TEST_F(HttpLinkTest, LosesNoMoreThanTheRequestWhereA404SaysNothingOfASession) {
  begin();
  ask("tools/call");
  answer("tools/call", "HTTP/1.1 404 X\r\nGatehouse-Rule: x\r\nContent-Length: 0\r\n\r\n");
  link_.begin();
  ask("server/discover", kModern);
  answer("server/discover", bare_answer(404));
  EXPECT_EQ(lost_.size(), 2u);
  EXPECT_THAT(broken_, IsEmpty());
}

TEST_F(HttpLinkTest, GivesUpAServerThatBreaksTheProtocol) {
  for (const auto& bytes : {json_answer("hello"), json_answer(R"({"jsonrpc":"2.0","id":1,"id":2,"result":{}})"),
                            event_stream("data: {\n\n")}) {
    broken_.clear();
    begin();
    ask("tools/call");
    answer("tools/call", bytes);
    EXPECT_EQ(broken_.size(), 1u) << bytes;
    EXPECT_THAT(open_, IsEmpty());
    ask("tools/call");
    EXPECT_THAT(open_, IsEmpty());
  }
}

TEST_F(HttpLinkTest, RepeatsNoSessionIdThatIsNone) {
  for (const auto& id : {std::string("a b"), std::string(2000, 'x'), std::string("\xc3\xa9")}) {
    link_.begin();
    broken_.clear();
    const uint64_t request = ask("initialize", "");
    answer("initialize", json_answer(result_of(request), "Mcp-Session-Id: " + id + "\r\n"));
    EXPECT_EQ(broken_.size(), 1u) << id;
  }
}

TEST_F(HttpLinkTest, GivesUpAServerThatDoesNotTakeItsInitialization) {
  for (const auto& bytes : {bare_answer(500), std::string("nonsense\r\n\r\n")}) {
    broken_.clear();
    link_.begin();
    const uint64_t id = ask("initialize", "");
    answer("initialize", json_answer(result_of(id)));
    tell("notifications/initialized");
    answer("notifications/initialized", bytes);
    EXPECT_EQ(broken_.size(), 1u) << bytes;
  }
}

TEST_F(HttpLinkTest, TakesAServerThatIsNotThereForNoneOfEitherEra) {
  for (const auto& bytes :
       {bare_answer(401), bare_answer(403), bare_answer(429), bare_answer(500), bare_answer(302),
        std::string("HTTP/1.1 404 X\r\nGatehouse-Rule: x\r\nContent-Length: 0\r\n\r\n"), std::string()}) {
    broken_.clear();
    link_.begin();
    ask("server/discover", kModern);
    if (bytes.empty()) link_.ended(asked("server/discover"), "it broke", now_);
    if (!bytes.empty()) answer("server/discover", bytes);
    EXPECT_EQ(broken_.size(), 1u) << bytes;
  }
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(HttpLinkTest, ResumesAnAnswerWhoseStreamBreaks) {
  begin();
  const uint64_t id = ask("tools/call");
  const uint64_t first = asked("tools/call");
  link_.received(first, event_stream("id: e-1\ndata:\n\n", false), now_);
  link_.ended(first, "it broke", now_);
  const Asked again = open_.at(asked("GET"));
  EXPECT_EQ(again.field("Last-Event-ID"), "e-1");
  EXPECT_EQ(again.field("Mcp-Session-Id"), "s-1");
  EXPECT_EQ(again.field("MCP-Protocol-Version"), "2025-11-25");
  answer("GET", event_stream("id: e-2\ndata: " + result_of(id) + "\n\n"));
  EXPECT_EQ(heard(), result_of(id));
  EXPECT_EQ(heard_.at(0).second, id);
  ask("tools/call");
  answer("tools/call", event_stream(": nothing to resume from\n\n"));
  EXPECT_EQ(lost_.size(), 1u);
}

TEST_F(HttpLinkTest, ResumesAgainAndAgainOnlyWhileThereIsSomethingNew) {
  begin();
  ask("tools/call");
  answer("tools/call", event_stream("id: 0\ndata:\n\n"));
  for (int i = 1; i < 20; ++i) {
    link_.tick(now_ += kResumeAgain);
    ASSERT_TRUE(is_open("GET")) << i;
    EXPECT_EQ(open_.at(asked("GET")).field("Last-Event-ID"), std::to_string(i - 1));
    answer("GET", event_stream("id: " + std::to_string(i) + "\ndata:\n\n"));
  }
  for (int i = 0; i < kMaxResumes; ++i) {
    EXPECT_THAT(lost_, IsEmpty()) << i;
    link_.tick(now_ += kResumeAgain);
    if (is_open("GET")) link_.ended(asked("GET"), "it broke", now_);
  }
  EXPECT_EQ(lost_.size(), 1u);
  EXPECT_EQ(link_.due(), std::nullopt);
}

TEST_F(HttpLinkTest, ResumesNoSoonerThanTheServerWants) {
  begin();
  const uint64_t id = ask("tools/call");
  answer("tools/call", event_stream("id: e-1\nretry: 500\ndata:\n\n"));
  EXPECT_EQ(link_.due(), now_ + std::chrono::milliseconds(500));
  link_.tick(now_ + std::chrono::milliseconds(499));
  EXPECT_FALSE(is_open("GET"));
  link_.tick(now_ + std::chrono::milliseconds(500));
  EXPECT_EQ(open_.at(asked("GET")).field("Last-Event-ID"), "e-1");
  tell("notifications/cancelled", kLegacy, id);
  EXPECT_FALSE(is_open("GET"));
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(HttpLinkTest, ListensToWhatNobodyAskedFor) {
  initialize();
  link_.tick(now_);
  const uint64_t stream = asked("GET");
  const std::string change = R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})";
  link_.received(stream, event_stream("id: 5\nretry: 7000\ndata: " + change + "\n\n", false), now_);
  EXPECT_EQ(heard(), change);
  EXPECT_EQ(heard_.at(0).second, std::nullopt);
  link_.ended(stream, "over", now_);
  link_.tick(now_ + std::chrono::seconds(6));
  EXPECT_THAT(open_, IsEmpty());
  link_.tick(now_ + std::chrono::seconds(7));
  EXPECT_EQ(open_.at(asked("GET")).field("Last-Event-ID"), "5");
  answer("GET", bare_answer(503));
  EXPECT_EQ(link_.due(), now_ + kListenAgainLater);
  link_.tick(now_ += kListenAgainLater);
  answer("GET", bare_answer(405));
  EXPECT_EQ(link_.due(), std::nullopt);
  EXPECT_THAT(broken_, IsEmpty());
}

TEST_F(HttpLinkTest, HearsNoMoreOfWhatIsCancelled) {
  begin();
  const uint64_t id = ask("tools/call");
  tell("notifications/cancelled", kLegacy, id);
  ASSERT_EQ(open_.size(), 1u);
  answer("notifications/cancelled", json_answer("null", "", 202));  // as some say it
  EXPECT_THAT(open_, IsEmpty());
  EXPECT_THAT(broken_, IsEmpty());
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(HttpLinkTest, ClosesWhatIsAnsweredAndDoesNotEnd) {
  begin();
  const uint64_t id = ask("tools/call");
  const uint64_t exchange = asked("tools/call");
  link_.received(exchange, event_stream("data: " + result_of(id) + "\n\n", false), now_);
  EXPECT_TRUE(open_.contains(exchange));
  EXPECT_EQ(link_.due(), now_ + kLinger);
  link_.tick(now_ + kLinger);
  EXPECT_THAT(open_, IsEmpty());
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(HttpLinkTest, TellsAServerThatItsSessionIsOver) {
  begin();
  ask("tools/call");
  link_.end(now_);
  ASSERT_EQ(open_.size(), 1u);
  EXPECT_EQ(open_.at(asked("DELETE")).field("Mcp-Session-Id"), "s-1");
  EXPECT_EQ(open_.at(asked("DELETE")).field("MCP-Protocol-Version"), "2025-11-25");
  EXPECT_FALSE(link_.idle());
  link_.begin();
  EXPECT_TRUE(is_open("DELETE"));
  link_.tick(now_ + kFarewellTime);
  EXPECT_TRUE(link_.idle());
  begin();
  link_.end(now_);
  answer("DELETE", bare_answer(405));
  EXPECT_TRUE(link_.idle());
}

// The era without sessions.

TEST_F(HttpLinkTest, MirrorsAMessageInItsFields) {
  link_.begin();
  Outgoing call = request(1, "tools/call", kModern);
  call.name = "get weather";
  call.parameters = {{"City", "Zürich"}, {"Days", "3"}, {"Note", ""}, {"Bad Name", "x"}, {"Bad\r\nX", "x"}};
  call.trace = "0192f0c1-0000-7000-8000-000000000000";
  link_.send(call);
  const Asked asked = open_.begin()->second;
  EXPECT_EQ(asked.field("MCP-Protocol-Version"), "2026-07-28");
  EXPECT_EQ(asked.field("Mcp-Method"), "tools/call");
  EXPECT_EQ(asked.field("Mcp-Name"), "get weather");
  EXPECT_EQ(asked.field("Mcp-Param-City"), "=?base64?WsO8cmljaA==?=");
  EXPECT_EQ(asked.field("Mcp-Param-Days"), "3");
  EXPECT_TRUE(asked.has("Mcp-Param-Note"));
  EXPECT_EQ(asked.field("Gatehouse-Trace"), call.trace);
  EXPECT_EQ(std::count_if(asked.head.fields.begin(), asked.head.fields.end(),
                          [](const auto& field) { return field.name.starts_with("Mcp-Param-"); }),
            3);
  EXPECT_FALSE(asked.has("Mcp-Session-Id"));
}

TEST(Mirrored, IsTheTextUnlessItCouldNotBeReadBack) {
  for (const auto& [text, expected] : {std::pair<std::string, std::string>{"", ""},
                                       {"plain text!", "plain text!"},
                                       {"file:///a", "file:///a"},
                                       {" a", "=?base64?IGE=?="},
                                       {"a\t", "=?base64?YQk=?="},
                                       {"a\tb", "=?base64?YQli?="},
                                       {"a\r\nX: y", "=?base64?YQ0KWDogeQ==?="},
                                       {"\xc3\xa9", "=?base64?w6k=?="},
                                       {"\x7f", "=?base64?fw==?="},
                                       {"=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="},
                                       {"=?base64?YQ==", "=?base64?YQ=="},
                                       {"=?BASE64?YQ==?=", "=?BASE64?YQ==?="}}) {
    EXPECT_EQ(mirrored(text), expected);
  }
}

TEST_F(HttpLinkTest, SpeaksOfNoSessionWhereThereIsNone) {
  link_.begin();
  uint64_t id = ask("server/discover", kModern);
  answer("server/discover", json_answer(result_of(id), "Mcp-Session-Id: s-1\r\n"));
  id = ask("tools/list", kModern);
  EXPECT_FALSE(open_.at(asked("tools/list")).has("Mcp-Session-Id"));
  answer("tools/list", event_stream("id: 7\ndata: " + result_of(id) + "\n\n"));
  EXPECT_EQ(heard(1), result_of(id));
  EXPECT_EQ(link_.due(), std::nullopt);  // nor is anything listened to
  link_.end(now_);
  EXPECT_THAT(open_, IsEmpty());
}

TEST_F(HttpLinkTest, AsksBothErasInTurnWithoutWaiting) {
  link_.begin();
  const uint64_t probe = ask("server/discover", kModern);
  answer("server/discover", json_answer(error_of("null"), "", 400));
  EXPECT_EQ(heard_.at(0).second, probe);
  ask("initialize", "");
  EXPECT_FALSE(open_.at(asked("initialize")).has("MCP-Protocol-Version"));
}

TEST_F(HttpLinkTest, CancelsARequestByClosingIt) {
  link_.begin();
  const uint64_t id = ask("tools/call", kModern);
  const uint64_t other = ask("tools/call", kModern);
  tell("notifications/cancelled", kModern, id);
  ASSERT_EQ(open_.size(), 1u);
  EXPECT_EQ(open_.begin()->second.message["id"], other);
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(HttpLinkTest, SendsNoAnswersWhereServersAskNothing) {
  link_.begin();
  Outgoing reply;
  reply.line = result_line("q", Value::object());
  reply.revision = kModern;
  link_.send(reply);
  EXPECT_THAT(open_, IsEmpty());
}

TEST_F(HttpLinkTest, LosesARequestWhoseStreamEndsAndResumesNone) {
  link_.begin();
  const uint64_t id = ask("tools/call", kModern);
  const uint64_t exchange = asked("tools/call");
  link_.received(exchange, event_stream("id: 1\nretry: 10\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n", false),
                 now_);
  EXPECT_EQ(heard_.at(0).second, id);
  link_.ended(exchange, "it closed the connection", now_);
  EXPECT_THAT(lost_, ElementsAre(std::pair<uint64_t, std::string>(id, "it closed the connection")));
  EXPECT_EQ(link_.due(), std::nullopt);
  EXPECT_THAT(broken_, IsEmpty());
}

TEST_F(HttpLinkTest, TakesA404ForAMethodThatIsNotThere) {
  link_.begin();
  const uint64_t id = ask("prompts/list", kModern);
  answer("prompts/list", json_answer(error_of(std::to_string(id)), "", 404));
  EXPECT_EQ(heard_.at(0).second, id);
  EXPECT_THAT(broken_, IsEmpty());
}

}  // namespace
}  // namespace gatehouse::mcp
