// What a client and a server write, in turn, however it is cut: nothing breaks, every line of ours is one that the
// strict reader takes, and no call reaches a server without a row before it.
#include <unistd.h>

#include <cstdlib>

#include "mcp-gateway/gateway.h"
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

}  // namespace

// Each line of the input goes where its first byte says: 'c' the client, 's' the server, 'x' ends the server and starts
// it anew; '$' in a server's line is the id it was asked last.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  Loop loop;
  const std::string path = fmt::format("/dev/shm/fuzz-pins.{}", ::getpid());
  ::unlink(path.c_str());
  {
    InForce<policy::Policy> policy(std::make_shared<const policy::Policy>(fixed_policy()));
    proxy::ScriptedScanner scanner;
    const auto budgets = Budgets::forgetful();
    auto pins = PinFile::open(path);
    require(pins.has_value());
    size_t rows = 0, calls = 0;
    std::string last_id = "0", last_state;
    Gateway gateway(
        {loop, policy, scanner, nullptr, *budgets,
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
         [](const std::string&) {}, [&](const std::string&, const Error& why) { require(!why.message().empty()); }});
    Client* client = gateway.add_client({[&](std::string_view line) {
                                           require(line.ends_with('\n') && line.find('\n') + 1 == line.size());
                                           const auto message = json::read(line, {.bytes = 16 << 20});
                                           require(message.has_value());
                                           const Value* result = find(*message, "result");
                                           const std::string* state =
                                               result == nullptr ? nullptr : find_text(*result, "requestState");
                                           if (state != nullptr) last_state = *state;
                                         },
                                         [](const Error&) {}, [] { return false; }});
    Upstream& upstream = *gateway.upstream("a");
    upstream.begin();
    while (!input.empty()) {
      const size_t end = std::min(input.find('\n'), input.size());
      std::string line(input.substr(0, end));
      input.remove_prefix(std::min(end + 1, input.size()));
      if (line.empty()) continue;
      const char to = line.front();
      line.erase(0, 1);
      if (const size_t dollar = line.find('$'); dollar != std::string::npos && to == 's')
        line.replace(dollar, 1, last_id);
      if (const size_t at = line.find('@'); at != std::string::npos && to == 'c') line.replace(at, 1, last_state);
      line += '\n';
      const size_t half = line.size() / 2;
      if (to == 'c') {
        client->take(std::string_view(line).substr(0, half));
        client->take(std::string_view(line).substr(half));
      } else if (to == 's') {
        upstream.take(std::string_view(line).substr(0, half));
        upstream.take(std::string_view(line).substr(half));
      } else if (to == 'x') {
        upstream.end("it ended");
        upstream.begin();
      }
      for (int i = 0; i < 3; ++i) {
        loop.turn();
        for (size_t s = 0; s < scanner.streams.size(); ++s) {
          if (scanner.streams[s]->question)
            scanner.streams[s]->answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
        }
      }
    }
  }
  loop.turn();
  ::unlink(path.c_str());
  return 0;
}
