// Calls a tool of an MCP gateway as fast as it answers, and says how fast that was:
//   mcp_load http PORT CLIENTS SECONDS [TOOL]  each client a session and a connection of its own, a call after the
//   other mcp_load lines SOCKET CALLS              one client in lines over a Unix socket, a call after the other
//   mcp_load direct COMMAND CALLS            the same with the server itself, over its standard streams
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"load","version":"1"}}})";
constexpr std::string_view kInitialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::string call(uint64_t id, std::string_view tool) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":")" +
         std::string(tool) + R"(","arguments":{"text":"A line of what an agent would say to a tool, number )" +
         std::to_string(id) + R"(."}}})";
}

void tell(std::vector<double>& microseconds, double seconds) {
  if (microseconds.empty()) {
    std::puts("nothing was answered");
    std::exit(1);
  }
  std::sort(microseconds.begin(), microseconds.end());
  const auto at = [&](double part) {
    return microseconds[static_cast<size_t>(part * static_cast<double>(microseconds.size() - 1))];
  };
  std::printf("%zu calls, %.0f a second; p50 %.0f us, p99 %.0f us\n", microseconds.size(),
              static_cast<double>(microseconds.size()) / seconds, at(0.5), at(0.99));
}

void put(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, 1000);
      continue;
    }
    if (done <= 0) die("write");
    bytes.remove_prefix(static_cast<size_t>(done));
  }
}

// ---- HTTP

struct HttpClient {
  int fd = -1;
  std::string session;
  std::string held;
  std::string_view tool;
  uint64_t id = 0;
  int step = 0;  // 0 initialize, 1 initialized, 2 calls
  Clock::time_point sent;

  void post(std::string_view body) {
    std::string request =
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\n" +
        (session.empty() ? "" : "Mcp-Session-Id: " + session + "\r\nMCP-Protocol-Version: 2025-11-25\r\n") +
        "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    request += body;
    sent = Clock::now();
    put(fd, request);
  }
  // Whether a whole answer has come; `ok`: of status 200 with a result, or 202.
  bool take(bool& ok) {
    char piece[1 << 16];
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got <= 0) die("the gateway closed a connection");
    held.append(piece, static_cast<size_t>(got));
    const size_t head = held.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const size_t length_at = held.find("Content-Length: ");
    const size_t length = length_at < head ? std::strtoul(held.c_str() + length_at + 16, nullptr, 10) : 0;
    if (held.size() < head + 4 + length) return false;
    if (const size_t at = held.find("Mcp-Session-Id: "); at < head) session = held.substr(at + 16, 32);
    ok = held.starts_with("HTTP/1.1 202") || held.find("\"result\"", head) != std::string::npos;
    if (!ok) std::fprintf(stderr, "%s\n", held.c_str());
    held.clear();
    return true;
  }
  void next() {
    if (step == 0) return post(kInitialize);
    if (step == 1) return post(kInitialized);
    post(call(++id, tool));
  }
};

int http(uint16_t port, size_t clients, int seconds, std::string_view tool) {
  std::vector<HttpClient> all(clients);
  const int queue = ::epoll_create1(0);
  for (size_t i = 0; i < clients; ++i) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    all[i].tool = tool;
    all[i].fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(all[i].fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) die("connect");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(queue, EPOLL_CTL_ADD, all[i].fd, &event);
    all[i].next();
  }
  std::vector<double> microseconds;
  size_t ready = 0;
  Clock::time_point begin{}, end{};
  std::vector<epoll_event> events(256);
  while (true) {
    const int count = ::epoll_wait(queue, events.data(), static_cast<int>(events.size()), 1000);
    const auto now = Clock::now();
    if (ready == clients && now > end) break;
    for (int i = 0; i < count; ++i) {
      HttpClient& client = all[events[static_cast<size_t>(i)].data.u64];
      bool ok = false;
      if (!client.take(ok)) continue;
      if (!ok) return 1;
      if (client.step < 2) {
        if (++client.step == 2 && ++ready == clients) {
          begin = now;
          end = begin + std::chrono::seconds(seconds);
        }
      } else if (ready == clients) {
        microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - client.sent).count());
      }
      client.next();
    }
  }
  tell(microseconds, std::chrono::duration<double>(Clock::now() - begin).count());
  return 0;
}

// ---- lines

std::string line(int fd) {
  static std::string held;
  char piece[1 << 16];
  for (;;) {
    if (const size_t end = held.find('\n'); end != std::string::npos) {
      std::string one = held.substr(0, end);
      held.erase(0, end + 1);
      return one;
    }
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got <= 0) die("the other side closed");
    held.append(piece, static_cast<size_t>(got));
  }
}

int lines(int in, int out, size_t calls, std::string_view tool) {
  put(out, std::string(kInitialize) + "\n");
  while (line(in).find("\"result\"") == std::string::npos) {
  }
  put(out, std::string(kInitialized) + "\n");
  constexpr size_t kWarm = 500;
  std::vector<double> microseconds;
  Clock::time_point begin{};
  for (uint64_t id = 1; id <= calls + kWarm; ++id) {
    if (id == kWarm + 1) begin = Clock::now();
    const std::string wanted = "\"id\":" + std::to_string(id);
    const auto sent = Clock::now();
    put(out, call(id, tool) + "\n");
    std::string answer;
    do {
      answer = line(in);
    } while (answer.find(wanted) == std::string::npos);
    if (answer.find("\"result\"") == std::string::npos) {
      std::fprintf(stderr, "%s\n", answer.c_str());
      return 1;
    }
    if (id > kWarm) microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - sent).count());
  }
  tell(microseconds, std::chrono::duration<double>(Clock::now() - begin).count());
  return 0;
}

int connected(const char* path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path, sizeof to.sun_path - 1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) die(path);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "http" && (argc == 5 || argc == 6)) {
    return http(static_cast<uint16_t>(std::atoi(argv[2])), std::strtoul(argv[3], nullptr, 10), std::atoi(argv[4]),
                argc == 6 ? argv[5] : "echo__echo");
  }
  if (mode == "lines" && argc == 4) {
    const int fd = connected(argv[2]);
    return lines(fd, fd, std::strtoul(argv[3], nullptr, 10), "echo__echo");
  }
  if (mode == "direct" && argc == 4) {
    int to[2], from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) die("pipe");
    if (::fork() == 0) {
      ::dup2(to[0], STDIN_FILENO);
      ::dup2(from[1], STDOUT_FILENO);
      ::close(to[1]);
      ::execl(argv[2], argv[2], nullptr);
      ::_exit(127);
    }
    ::close(to[0]);
    return lines(from[0], to[1], std::strtoul(argv[3], nullptr, 10), "echo");
  }
  std::fputs("mcp_load http PORT CLIENTS SECONDS [TOOL] | lines SOCKET CALLS | direct COMMAND CALLS\n", stderr);
  return 2;
}
