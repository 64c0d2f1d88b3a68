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

const policy::Policy& fixed_policy() {
  static const auto policy = policy::Policy::parse({{"p.json", R"({"version": 1, "mcp": {
    "servers": {"a": {"command": ["x"]}}, "tools": [{"id": "r", "action": "allow", "server": "a", "tools": ["r*"]}]}})"}});
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
    std::string last_id = "0";
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
           calls += message->value("method", "") == "tools/call";
           require(calls <= rows);
           if (message->contains("id")) last_id = json::write((*message)["id"]);
         },
         [](const std::string&) {}, [&](const std::string&, const Error& why) { require(!why.message().empty()); }});
    Client* client = gateway.add_client({[&](std::string_view line) {
                                           require(line.ends_with('\n') && line.find('\n') + 1 == line.size());
                                           require(json::read(line, {.bytes = 16 << 20}).has_value());
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
