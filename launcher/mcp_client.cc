#include "launcher/mcp_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/net/endpoint.h"

namespace gatehouse::launcher {

namespace {

constexpr json::Limits kAnswerLimits{.bytes = 64 << 20, .depth = 80, .values = 2'000'000};
constexpr std::string_view kRevision = "2025-11-25";

}  // namespace

Result<McpClient> McpClient::open(const std::string& path) {
  Endpoint endpoint;
  endpoint.path = path;
  const SocketAddress address = socket_address(endpoint);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("cannot make a socket");
  if (::connect(socket.get(), address.get(), address.length) != 0) return fail_errno("no MCP gateway at {}", path);
  McpClient client(std::move(socket));
  const auto greeting =
      client.ask("initialize", {{"protocolVersion", kRevision},
                                {"capabilities", json::Value::object()},
                                {"clientInfo", {{"name", "gatehouse mcp"}, {"version", GATEHOUSE_VERSION}}}});
  if (!greeting) return failed(greeting);
  if (!greeting->contains("result")) return fail("the gateway refuses to be greeted");
  if (auto ok = client.tell({{"method", "notifications/initialized"}}); !ok) return failed(ok);
  return client;
}

Result<json::Value> McpClient::ask(std::string_view method, json::Value params) {
  const int64_t id = ++last_id_;
  if (auto ok = tell({{"id", id}, {"method", method}, {"params", std::move(params)}}); !ok) return failed(ok);
  for (;;) {
    auto message = read();
    if (!message) return failed(message);
    if (message->contains("method") || !message->contains("id") || (*message)["id"] != id) continue;
    if (message->contains("result") || message->contains("error")) return message;
  }
}

Result<void> McpClient::tell(json::Value message) {
  message["jsonrpc"] = "2.0";
  return write_all(socket_.get(), json::write(message) + '\n');
}

Result<json::Value> McpClient::read() {
  for (size_t searched = 0;;) {
    if (const size_t end = held_.find('\n', searched); end != std::string::npos) {
      auto value = json::read(std::string_view(held_).substr(0, end), kAnswerLimits);
      held_.erase(0, end + 1);
      if (value && !value->is_object()) return fail("the gateway said something that is no message");
      return value;
    }
    searched = held_.size();
    char bytes[16 << 10];
    const ssize_t got = ::read(socket_.get(), bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail("the gateway closed the connection");
    held_.append(bytes, static_cast<size_t>(got));
    if (held_.size() > kAnswerLimits.bytes) return fail("the gateway's answer is too long");
  }
}

}  // namespace gatehouse::launcher
