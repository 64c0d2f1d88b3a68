// A server of tools with one, `echo`: the least that one can be, to measure against.
//   mcp_echo        over its standard streams
//   mcp_echo PORT   over HTTP, to this machine alone
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace {

// What stands behind `"id":` in a message of ours.
std::string_view id_of(std::string_view line) {
  const size_t at = line.find("\"id\":");
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + 5);
  return line.substr(0, line.find_first_of(",}"));
}

// The answer to a message, or nothing to a notification.
std::string answer_to(std::string_view message) {
  const auto id = id_of(message);
  if (id.empty()) return {};
  std::string_view result = R"({"content":[{"type":"text","text":"echoed"}]})";
  if (message.find("\"initialize\"") != std::string_view::npos) {
    result =
        R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}})";
  } else if (message.find("\"tools/list\"") != std::string_view::npos) {
    result =
        R"({"tools":[{"name":"echo","description":"Says it again.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]})";
  }
  return std::string(R"({"jsonrpc":"2.0","id":)").append(id).append(R"(,"result":)").append(result).append("}");
}

bool put(int fd, std::string_view left) {
  while (!left.empty()) {
    const ssize_t put = ::write(fd, left.data(), left.size());
    if (put <= 0) return false;
    left.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

int serve_lines() {
  std::string held;
  char piece[1 << 16];
  for (ssize_t got; (got = ::read(STDIN_FILENO, piece, sizeof piece)) > 0;) {
    held.append(piece, static_cast<size_t>(got));
    std::string answers;
    size_t begin = 0;
    for (size_t end; (end = held.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const auto answer = answer_to(std::string_view(held).substr(begin, end - begin));
      if (!answer.empty()) answers.append(answer).append("\n");
    }
    held.erase(0, begin);
    if (!put(STDOUT_FILENO, answers)) return 1;
  }
  return 0;
}

// Requests one after the other, each with a body of a known length.
void serve_connection(int fd) {
  std::string held;
  char piece[1 << 16];
  for (ssize_t got; (got = ::read(fd, piece, sizeof piece)) > 0;) {
    held.append(piece, static_cast<size_t>(got));
    const size_t head = held.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    const size_t at = held.find("Content-Length: ");
    const size_t length = at < head ? std::strtoul(held.c_str() + at + 16, nullptr, 10) : 0;
    if (held.size() < head + 4 + length) continue;
    const bool posted = held.starts_with("POST ");
    const auto body = answer_to(std::string_view(held).substr(head + 4, length));
    const char* status = !posted ? "405 Method Not Allowed" : body.empty() ? "202 Accepted" : "200 OK";
    held.erase(0, head + 4 + length);
    if (!put(fd, std::string("HTTP/1.1 ") + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body)) {
      break;
    }
  }
  ::close(fd);
}

int serve_http(uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || ::listen(socket, 1024) != 0) return 1;
  for (int fd; (fd = ::accept(socket, nullptr, nullptr)) >= 0;) std::thread(serve_connection, fd).detach();
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  return argc > 1 ? serve_http(static_cast<uint16_t>(std::atoi(argv[1]))) : serve_lines();
}
