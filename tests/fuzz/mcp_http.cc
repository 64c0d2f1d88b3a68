// What clients write on connections of HTTP, however it is cut, while sessions come and go and time passes: nothing
// breaks, what is written back is HTTP whose JSON and events the strict readers take, and no call reaches a server
// without a row before it.
//
// The first byte is the size of the pieces. Of the others: 1 is the id of the session opened last, 2 opens another
// connection, 3 has the server answer, 4 has it tell progress, 5 breaks the connection, 6 lets time pass, 7 has the
// tools change; all the rest are bytes of the connection.
#include <unistd.h>

#include <cstdlib>

#include "mcp-gateway/http_connection.h"
#include "proxy/response_reader.h"
#include "proxy/scripted_scanner.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::mcp;

void require(bool holds) {
  if (!holds) std::abort();
}

// Whether it goes out only after a row that allows it; one that brings answers is not the first of its call.
bool is_carried(const Value& message) {
  const auto method = message.value("method", "");
  const bool carried = method == "tools/call" || method == "prompts/get" || method == "resources/read" ||
                       method == "completion/complete";
  return carried && !message["params"].contains("inputResponses") && !message["params"].contains("requestState");
}

const policy::Policy& fixed_policy() {
  static const auto policy = policy::Policy::parse({{"p.json", R"({"version": 1, "mcp": {
    "servers": {"a": {"command": ["x"], "asks": ["elicitation", "sampling", "roots"]}},
    "tools": [{"id": "r", "action": "allow", "server": "a", "tools": ["r*"]}],
    "resources": [{"id": "s", "action": "allow", "server": "a", "uris": ["x:**"]}],
    "prompts": [{"id": "p", "action": "allow", "server": "a", "prompts": ["*"]}]}})"}});
  require(policy.has_value());
  return *policy;
}

void require_events(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find("\n\n");
    require(end != std::string_view::npos);
    const std::string_view event = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (event.starts_with(":")) continue;
    // Those of 2026-07-28 have no number to resume from.
    const bool numbered = event.starts_with("id: ");
    const size_t data = numbered ? event.find("\ndata: ") + 1 : 0;
    require(event.substr(data).starts_with("data: "));
    const std::string_view line = event.substr(data + 6);
    require(line.find('\n') == std::string_view::npos);
    require(line.empty() || json::read(line, {.bytes = 16 << 20}).has_value());
  }
}

// All that a connection wrote. `session` is the last id that it gave.
void require_http(std::string_view bytes, std::string& session) {
  proxy::ResponseReader reader("POST");
  std::string body;
  while (!bytes.empty() || !reader.idle()) {
    const auto event = reader.feed(bytes);
    require(event.has_value());
    bytes.remove_prefix(event->consumed);
    if (event->kind == proxy::ReadEvent::Kind::need_more) return;
    if (event->kind == proxy::ReadEvent::Kind::body) body += event->body;
    if (event->kind != proxy::ReadEvent::Kind::complete) continue;
    const auto& head = reader.head();
    if (const auto* id = proxy::find_field(head.fields, "Mcp-Session-Id")) session = id->value;
    const auto* type = proxy::find_field(head.fields, "Content-Type");
    require((type == nullptr) == body.empty() || (type != nullptr && type->value == "text/event-stream"));
    if (type != nullptr && type->value == "application/json")
      require(json::read(body, {.bytes = 16 << 20}).has_value());
    if (type != nullptr && type->value == "text/event-stream") require_events(body);
    body.clear();
    if (!head.keep_alive) return require(bytes.empty());
    reader.next_message("POST");
  }
}

struct Peer {
  std::string out;
  bool woken = false;
  std::unique_ptr<HttpConnection> http;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] + 1;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  HttpFront::Time now{};
  Loop loop;
  const std::string path = fmt::format("/dev/shm/fuzz-http-pins.{}", ::getpid());
  ::unlink(path.c_str());
  {
    InForce<policy::Policy> policy(std::make_shared<const policy::Policy>(fixed_policy()));
    proxy::ScriptedScanner scanner;
    const auto budgets = Budgets::forgetful();
    auto pins = PinFile::open(path);
    require(pins.has_value());
    size_t rows = 0, calls = 0;
    std::string last_id = "0";
    Gateway gateway({loop, policy, scanner, nullptr, *budgets,
                     [&](audit::Event event, audit::AuditLog::Committed committed) {
                       if (const auto* row = std::get_if<audit::McpCall>(&event)) rows += row->decision.allowed();
                       loop.post([committed = std::move(committed)] { committed({}); });
                     },
                     nullptr},
                    std::move(*pins),
                    {[&](const std::string&, const Outgoing& sent) {
                       const auto message = json::read(sent.line);
                       require(message.has_value());
                       calls += is_carried(*message);
                       require(calls <= rows);
                       if (message->contains("id")) last_id = json::write((*message)["id"]);
                     },
                     [](const std::string&) {}, [](const std::string&, const Error&) {}});
    HttpFront front(gateway, [](audit::Event, const audit::AuditLog::Committed& done) { done({}); });
    Upstream& upstream = *gateway.upstream("a");
    const auto settle = [&] {
      for (int i = 0; i < 3; ++i) {
        loop.turn();
        for (size_t s = 0; s < scanner.streams.size(); ++s) {
          if (scanner.streams[s]->question)
            scanner.streams[s]->answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
        }
      }
    };
    const auto answer = [&](const std::string& result) {
      upstream.take(R"({"jsonrpc":"2.0","id":)" + last_id + R"(,"result":)" + result + "}\n");
      settle();
    };
    const std::string tools = R"({"tools":[{"name":"r","inputSchema":{}}]})";
    upstream.begin();
    answer("{}");  // it is of the session era
    answer(R"({"protocolVersion":"2025-06-18","capabilities":{"tools":{}}})");
    answer(tools);

    std::string session = "none";
    Peer peer;
    const auto connect = [&] {
      peer.http.reset();
      require_http(std::exchange(peer.out, {}), session);
      peer.http = std::make_unique<HttpConnection>(
          front,
          HttpConnection::Callbacks{[&](std::string_view text) { peer.out += text; }, [] { return size_t{0}; }, [] {},
                                    [&] { peer.woken = true; }},
          now);
    };
    std::string pending;
    const auto flush = [&] {
      for (size_t at = 0; at < pending.size(); at += piece)
        peer.http->take(std::string_view(pending).substr(at, piece), now);
      pending.clear();
      settle();
      while (std::exchange(peer.woken, false)) peer.http->go_on(now);
    };
    connect();
    for (const char c : input) {
      if (c == 1) {
        flush();
        std::string known = session;
        require_http(peer.out, known);
        session = known;
        pending += session;
        continue;
      }
      if (c < 1 || c > 7) {
        pending += c;
        continue;
      }
      flush();
      if (c == 2) connect();
      if (c == 3) answer(R"({"content":[]})");
      if (c == 4) {
        upstream.take(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progressToken":)" +
                      last_id + "}}\n");
      }
      if (c == 5) peer.http->ended();
      if (c == 6) {
        now += kQuietTime;
        front.tick(now);
        peer.http->tick(now);
      }
      if (c == 7) {
        upstream.take(R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})"
                      "\n");
        answer(R"({"tools":[]})");
      }
      settle();
      while (std::exchange(peer.woken, false)) peer.http->go_on(now);
    }
    flush();
    connect();
  }
  loop.turn();
  ::unlink(path.c_str());
  return 0;
}
