// The HTTP side of the gateway without sockets: transcripts of connections, bytes in and bytes out.
#include "mcp-gateway/http_connection.h"
#include "mcp-gateway/test_house.h"
#include "proxy/response_reader.h"

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kPolicy = R"({"version": 1, "name": "p", "mcp": {
  "servers": {"a": {"command": ["x"]}},
  "tools": [{"id": "r", "action": "allow", "server": "a", "tools": ["read"]}]}})";

// One connection: what was written to it, taken apart as a client does.
struct Peer {
  Peer(HttpFront& front, HttpFront::Time now)
      : http(std::make_unique<HttpConnection>(
            front,
            HttpConnection::Callbacks{[this](std::string_view text) { out += text; }, [this] { return unread; },
                                      [this] { closed = true; }, [this] { woken = true; }},
            now)) {}
  struct Answer {
    int status = 0;
    proxy::Fields fields;
    std::string body;
    bool complete = false;
    std::string field(std::string_view name) const {
      const auto* found = proxy::find_field(fields, name);
      return found == nullptr ? "" : found->value;
    }
  };
  // All answers there are, the last one as far as it has come.
  std::vector<Answer> answers() const {
    std::vector<Answer> all;
    proxy::ResponseReader reader("POST");
    std::string_view left = out;
    while (!left.empty() || !reader.idle()) {
      const auto event = reader.feed(left);
      if (!event) {
        ADD_FAILURE() << "our own answer is none: " << event.error().reason << "\n" << out;
        break;
      }
      left.remove_prefix(event->consumed);
      if (event->kind == proxy::ReadEvent::Kind::head)
        all.push_back({reader.head().status, reader.head().fields, "", false});
      if (event->kind == proxy::ReadEvent::Kind::body) all.back().body += event->body;
      if (event->kind == proxy::ReadEvent::Kind::need_more) break;
      if (event->kind == proxy::ReadEvent::Kind::complete) {
        all.back().complete = true;
        if (!reader.head().keep_alive) break;
        reader.next_message("POST");
      }
    }
    return all;
  }
  Answer last() const {
    auto all = answers();
    return all.empty() ? Answer{} : all.back();
  }

  std::string out;
  size_t unread = 0;
  bool closed = false;
  bool woken = false;
  std::unique_ptr<HttpConnection> http;
};

struct Event {
  std::string id;
  Value data;  // null: none
};
std::vector<Event> events(std::string_view text) {
  std::vector<Event> all;
  while (!text.empty()) {
    const size_t end = text.find("\n\n");
    EXPECT_NE(end, std::string_view::npos);
    std::string event(text.substr(0, end));
    text.remove_prefix(end + 2);
    if (event.starts_with(":")) continue;
    const size_t data = event.find("\ndata: ");
    EXPECT_TRUE(event.starts_with("id: ")) << event;
    const std::string line = event.substr(data + 7);
    all.push_back({event.substr(4, data - 4), line.empty() ? Value(nullptr) : *json::read(line)});
  }
  return all;
}

class HttpTest : public HouseTest {
 protected:
  HttpTest()
      : HouseTest(kPolicy),
        front_(std::make_unique<HttpFront>(*gateway_, [this](audit::Event row, const audit::AuditLog::Committed& done) {
          rows_.push_back(std::move(row));
          done({});
        })) {
    greet("a", R"({"name":"read","inputSchema":{"type":"object"}})");
  }
  ~HttpTest() override {
    peers_.clear();
    front_.reset();
  }

  void answer(const std::string& result) {
    HouseTest::answer("a", result);
    allow();
  }
  void progress() {
    const Value& asked = written_["a"].back();
    gateway_->upstream("a")->take(
        R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progressToken":)" +
        json::write(asked["params"]["_meta"]["progressToken"]) + "}}\n");
    allow();
  }

  Peer& connect() { return *peers_.emplace_back(std::make_unique<Peer>(*front_, now_)); }
  void send(Peer& peer, const std::string& bytes) {
    peer.http->take(bytes, now_);
    while (std::exchange(peer.woken, false)) peer.http->go_on(now_);
  }
  std::string head(const std::string& method, const std::string& more = "") const {
    return method + " /mcp HTTP/1.1\r\nHost: localhost:1081\r\n" +
           (session_.empty() ? "" : "Mcp-Session-Id: " + session_ + "\r\n") + more;
  }
  std::string post(const std::string& body, const std::string& more = "") const {
    return head("POST", "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" + more +
                            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n") +
           body;
  }
  Peer::Answer ask(const std::string& bytes) {
    Peer& peer = connect();
    send(peer, bytes);
    return peer.last();
  }
  static std::string greeting(const std::string& revision = "2025-11-25") {
    return R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":{},"protocolVersion":")" +
           revision + "\"}}";
  }
  static std::string calling(const std::string& id, const std::string& more = "") {
    return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":"a__read","arguments":{})" +
           more + "}}";
  }
  void start(const std::string& revision = "2025-11-25") {
    session_ = ask(post(greeting(revision))).field("Mcp-Session-Id");
    ASSERT_EQ(session_.size(), 32u);
    EXPECT_EQ(ask(post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})")).status, 202);
  }

  std::unique_ptr<HttpFront> front_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::string session_;
  HttpFront::Time now_{};
};

TEST_F(HttpTest, AnswersARequestInJsonHoweverItsBytesCome) {
  start();
  for (const size_t piece : {1, 7, 10'000}) {
    Peer& peer = connect();
    const std::string bytes = post(R"({"jsonrpc":"2.0","id":"p","method":"ping"})");
    for (size_t at = 0; at < bytes.size(); at += piece) send(peer, bytes.substr(at, piece));
    const auto told = peer.last();
    EXPECT_EQ(told.status, 200);
    EXPECT_EQ(told.field("Content-Type"), "application/json");
    EXPECT_EQ(told.body, R"({"id":"p","jsonrpc":"2.0","result":{}})");
    EXPECT_FALSE(peer.closed);
  }
}

TEST_F(HttpTest, AnswersACallOnceItsResultIsThereAndThenTheNextOne) {
  start();
  Peer& peer = connect();
  send(peer, post(calling("1")) + post(R"({"jsonrpc":"2.0","id":2,"method":"ping"})"));
  allow();
  EXPECT_THAT(peer.answers(), IsEmpty());
  answer(R"({"content":[]})");
  send(peer, "");
  const auto all = peer.answers();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].body, R"({"id":1,"jsonrpc":"2.0","result":{"content":[]}})");
  EXPECT_EQ(json::read(all[1].body)->at("id"), 2);
}

struct Wrong {
  std::string what;
  std::string request;
  int status;
};

TEST_F(HttpTest, RefusesWhatIsNotInOrder) {
  start();
  const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  const std::string length = "Content-Length: " + std::to_string(ping.size()) + "\r\n\r\n" + ping;
  const std::string json_type = "Content-Type: application/json\r\n";
  const std::string session = "Mcp-Session-Id: " + session_ + "\r\n";
  const std::string top = "POST /mcp HTTP/1.1\r\nHost: localhost\r\n";
  const Wrong table[] = {
      {"another path", "POST /other HTTP/1.1\r\nHost: localhost\r\n" + length, 404},
      {"a query", "POST /mcp?x=1 HTTP/1.1\r\nHost: localhost\r\n" + length, 404},
      {"another method", head("PUT", "Content-Length: 0\r\n\r\n"), 405},
      {"no type", top + session + length, 415},
      {"another type", top + session + "Content-Type: text/plain\r\n" + length, 415},
      {"a form", top + session + "Content-Type: application/x-www-form-urlencoded\r\n" + length, 415},
      {"an encoded body", top + session + json_type + "Content-Encoding: gzip\r\n" + length, 415},
      {"JSON alone is read", top + session + json_type + "Accept: application/json\r\n" + length, 406},
      {"events alone are read", top + session + json_type + "Accept: text/event-stream\r\n" + length, 406},
      {"no session", top + json_type + length, 400},
      {"a session twice", top + session + session + json_type + length, 400},
      {"a session that is none", top + "Mcp-Session-Id: 0\r\n" + json_type + length, 404},
      {"a revision nobody knows", post(ping, "MCP-Protocol-Version: 1.0\r\n"), 400},
      {"two revisions", post(ping, "MCP-Protocol-Version: 2025-06-18\r\nMCP-Protocol-Version: 2025-11-25\r\n"), 400},
      {"no JSON", post("hello"), 400},
      {"twice the same key", post(R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})"), 400},
      {"no message", post("{}"), 400},
      {"a batch", post("[" + ping + "]"), 400},
      {"HTTP/1.0", "POST /mcp HTTP/1.0\r\nHost: localhost\r\n" + length, 505},
      {"no HTTP", "HELO you\r\n\r\n", 400},
      {"two lengths", top + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"too large", top + "Content-Length: 5000000\r\n\r\n", 413},
      {"listening without events", head("GET", "Accept: application/json\r\n\r\n"), 406},
      {"an event nobody sent", head("GET", "Last-Event-ID: 0-7\r\n\r\n"), 400},
      {"an event id that is none", head("GET", "Last-Event-ID: x\r\n\r\n"), 400},
      {"a body of a GET", head("GET", "Content-Length: 1\r\n\r\nx"), 400},
  };
  const size_t rows = rows_.size();
  for (const auto& wrong : table) {
    const auto told = ask(wrong.request);
    EXPECT_EQ(told.status, wrong.status) << wrong.what << ": " << told.body;
    const auto body = json::read(told.body);
    ASSERT_TRUE(body) << wrong.what;
    EXPECT_TRUE((*body)["id"].is_null() && (*body)["error"]["message"].is_string()) << wrong.what;
  }
  ASSERT_EQ(rows_.size(), rows + std::size(table));
  for (size_t i = 0; i < std::size(table); ++i) {
    const bool no_json = table[i].what == "no JSON" || table[i].what == "twice the same key";
    EXPECT_EQ(std::get<audit::McpCall>(rows_[rows + i]).decision.rule_id, no_json ? "mcp.malformed" : "mcp.protocol")
        << table[i].what;
  }
  EXPECT_EQ(ask(post(ping, "MCP-Protocol-Version: 2025-06-18\r\n")).status, 200);
}

TEST_F(HttpTest, ServesNoPageOfAnotherSite) {
  for (const auto& [more, status] :
       {std::pair{"Host: localhost:1081\r\nOrigin: https://evil.example\r\n", 403},
        {"Host: evil.example:1081\r\n", 403},
        {"Host: evil.example\r\nOrigin: http://evil.example\r\n", 403},
        {"Host: localhost\r\nOrigin: null\r\n", 403},
        {"Host: localhost\r\nOrigin: http://localhost.evil.example\r\n", 403},
        {"Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n", 403},
        {"Host: 127.0.0.1.evil.example\r\n", 403},
        {"Host: localhost\r\nOrigin: http://localhost:3000\r\n", 200},
        {"Host: 127.0.0.1:1081\r\n", 200},
        {"Host: [::1]:1081\r\n", 200}}) {
    rows_.clear();
    const auto told = ask("POST /mcp HTTP/1.1\r\n" + std::string(more) +
                          "Content-Type: application/json\r\nContent-Length: " + std::to_string(greeting().size()) +
                          "\r\n\r\n" + greeting());
    EXPECT_EQ(told.status, status) << more;
    ASSERT_EQ(rows_.size(), status == 403 ? 1u : 0u);
    if (status == 200) continue;
    const auto& row = std::get<audit::McpCall>(rows_[0]);
    EXPECT_EQ(row.decision.rule_id, "mcp.origin");
    EXPECT_EQ(json::read(told.body)->at("error")["data"]["event_id"], row.event_id);
    EXPECT_EQ(told.body.find("evil"), std::string::npos);
  }
}

TEST_F(HttpTest, OpensASessionByInitializeAlone) {
  const auto told = ask(post(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{}})"));
  EXPECT_EQ(told.field("Mcp-Session-Id"), "");
  EXPECT_EQ(front_->sessions(), 0u);
  start("2025-06-18");
  const std::string first = session_;
  session_.clear();
  start();
  EXPECT_NE(session_, first);
  EXPECT_EQ(front_->sessions(), 2u);
  EXPECT_EQ(ask(head("DELETE", "\r\n")).status, 204);
  EXPECT_EQ(ask(post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})")).status, 404);
  session_ = first;
  EXPECT_EQ(ask(post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})")).status, 200);
}

TEST_F(HttpTest, KeepsIdsOfClientsApartAndLetsNoneBeUsedTwiceAtOnce) {
  start();
  const std::string first = session_;
  Peer& one = connect();
  send(one, post(calling("1")));
  EXPECT_EQ(ask(post(calling("1"))).status, 400);
  session_.clear();
  start();
  Peer& two = connect();
  send(two, post(calling("1")));
  allow();
  answer(R"({"content":[{"type":"text","text":"two"}]})");
  EXPECT_THAT(two.last().body, HasSubstr("two"));
  EXPECT_EQ(one.out, "");
}

TEST_F(HttpTest, StreamsProgressBeforeTheResultAndTellsNumbersToResumeFrom) {
  start();
  Peer& peer = connect();
  send(peer, post(calling("1", R"(,"_meta":{"progressToken":"t"})")));
  allow();
  progress();
  answer(R"({"content":[]})");
  const auto told = peer.last();
  EXPECT_EQ(told.field("Content-Type"), "text/event-stream");
  EXPECT_TRUE(told.complete);
  const auto all = events(told.body);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].data, nullptr);
  EXPECT_EQ(all[1].data["params"]["progressToken"], "t");
  EXPECT_EQ(all[2].data["id"], 1);

  // Whoever saw the first two asks for the rest.
  const auto again = ask(head("GET", "Accept: text/event-stream\r\nLast-Event-ID: " + all[1].id + "\r\n\r\n"));
  EXPECT_TRUE(again.complete);
  const auto rest = events(again.body);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].id, all[2].id);
}

TEST_F(HttpTest, GoesOnWithACallWhoseConnectionBreaksAndKeepsItsResult) {
  start();
  Peer& peer = connect();
  send(peer, post(calling("1", R"(,"_meta":{"progressToken":"t"})")));
  allow();
  progress();
  const auto seen = events(peer.last().body);
  peers_.pop_back();
  answer(R"({"content":[]})");
  EXPECT_NE(written_["a"].back()["method"], "notifications/cancelled");
  const auto rest = events(ask(head("GET", "Last-Event-ID: " + seen.back().id + "\r\n\r\n")).body);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].data["result"], json::read(R"({"content":[]})").value());
}

TEST_F(HttpTest, HoldsNoMoreEventsThanItSays) {
  start();
  Peer& peer = connect();
  send(peer, post(calling("1", R"(,"_meta":{"progressToken":"t"})")));
  allow();
  for (size_t i = 0; i < kMaxHeldEvents + 10; ++i) progress();
  const auto seen = events(peer.last().body);
  EXPECT_EQ(ask(head("GET", "Last-Event-ID: " + seen[2].id + "\r\n\r\n")).status, 400);
  const auto told = ask(head("GET", "Last-Event-ID: " + seen[seen.size() - 10].id + "\r\n\r\n"));
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(events(told.body).size(), 9u);
  // Whoever read before hears no more.
  EXPECT_TRUE(peer.last().complete);
}

TEST_F(HttpTest, SaysThatALongCallIsStillUnderWay) {
  start();
  Peer& peer = connect();
  send(peer, post(calling("1")));
  allow();
  now_ += kQuietTime;
  front_->tick(now_);
  EXPECT_EQ(peer.last().field("Content-Type"), "text/event-stream");
  now_ += kQuietTime;
  front_->tick(now_);
  EXPECT_THAT(peer.last().body, HasSubstr(": \n\n"));
  answer(R"({"content":[]})");
  EXPECT_EQ(events(peer.last().body).back().data["id"], 1);
}

TEST_F(HttpTest, EndsTheAnswerOfWhatIsCancelled) {
  start();
  Peer& peer = connect();
  send(peer, post(calling("1")));
  allow();
  EXPECT_EQ(ask(post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})")).status, 202);
  const auto told = peer.last();
  EXPECT_TRUE(told.complete);
  for (const auto& event : events(told.body)) EXPECT_EQ(event.data, nullptr);
  EXPECT_EQ(written_["a"].back()["method"], "notifications/cancelled");
}

TEST_F(HttpTest, TellsOfOtherToolsOnTheStreamThatConcernsNoRequest) {
  start();
  Upstream& upstream = *gateway_->upstream("a");
  const auto change = [&](const std::string& tools) {
    upstream.take(R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})"
                  "\n");
    answer("{\"tools\":[" + tools + "]}");
  };
  change("");  // while nobody listens
  Peer& first = connect();
  send(first, head("GET", "Accept: text/event-stream\r\n\r\n"));
  EXPECT_EQ(events(first.last().body).size(), 1u);
  Peer& second = connect();
  send(second, head("GET", "Accept: text/event-stream\r\n\r\n"));
  EXPECT_TRUE(first.last().complete);
  change(R"({"name":"read","inputSchema":{"type":"object"}})");  // as it was approved
  EXPECT_EQ(events(first.last().body).size(), 1u);
  const auto all = events(second.last().body);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].data["method"], "notifications/tools/list_changed");
  second.unread = kCrowdedReplyBytes + 1;
  change("");
  EXPECT_EQ(events(second.last().body).size(), 1u);
}

TEST_F(HttpTest, TakesBatchesInTheRevisionThatHasThem) {
  start("2025-03-26");
  const auto told =
      ask(post(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},)"
               R"({"jsonrpc":"2.0","id":"1","method":"ping"}])"));
  EXPECT_TRUE(told.complete);
  std::vector<Value> ids;
  for (const auto& event : events(told.body)) ids.push_back(event.data["id"]);
  EXPECT_THAT(ids, ElementsAre(Value(1), Value("1")));
  EXPECT_EQ(ask(post(R"([{"jsonrpc":"2.0","method":"notifications/x"}])")).status, 202);
  EXPECT_EQ(ask(post("[]")).status, 400);
  EXPECT_EQ(ask(post(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":1,"method":"ping"}])")).status,
            400);
}

TEST_F(HttpTest, DropsSessionsThatNobodyUsesAndConnectionsThatSayNothing) {
  start();
  Peer& idle = connect();
  Peer& slow = connect();
  send(slow, "POST /mc");
  now_ += kRequestTime;
  slow.http->tick(now_);
  idle.http->tick(now_);
  EXPECT_EQ(slow.last().status, 408);
  EXPECT_TRUE(slow.closed);
  EXPECT_FALSE(idle.closed);
  now_ += kIdleConnectionTime;
  idle.http->tick(now_);
  EXPECT_TRUE(idle.closed);
  Peer& listening = connect();
  send(listening, head("GET", "\r\n"));
  now_ += kSessionTime;
  front_->tick(now_);
  EXPECT_EQ(front_->sessions(), 1u);
  peers_.clear();
  front_->tick(now_);
  EXPECT_EQ(front_->sessions(), 0u);
}

TEST_F(HttpTest, MakesRoomByTheSessionThatWasNotUsedForLongest) {
  start();
  const std::string oldest = session_;
  for (size_t i = 0; i < kMaxHttpSessions; ++i) {
    now_ += std::chrono::seconds(1);
    session_.clear();
    EXPECT_EQ(ask(post(greeting())).status, 200);
    peers_.clear();
  }
  EXPECT_EQ(front_->sessions(), kMaxHttpSessions);
  session_ = oldest;
  EXPECT_EQ(ask(post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})")).status, 404);
}

}  // namespace
}  // namespace gatehouse::mcp
