#include "launcher/login_command.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/json/strict.h"
#include "common/net/endpoint.h"
#include "launcher/installation.h"

extern char** environ;

namespace gatehouse::launcher {

namespace {

constexpr size_t kMaxRequestBytes = 32 << 10;
constexpr size_t kMaxLineBytes = 64 << 10;
constexpr int kRequestSeconds = 10;
constexpr std::string_view kPath = "/callback";

// Where the browser comes back to.
struct Callback {
  Fd listener;
  uint16_t port = 0;
};

Result<Callback> listen_on_loopback(uint16_t port) {
  Callback callback;
  callback.listener = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const int fd = callback.listener.get();
  if (fd < 0 || ::bind(fd, any, size) != 0 || ::listen(fd, 4) != 0 || ::getsockname(fd, any, &size) != 0) {
    return fail_errno("cannot listen on 127.0.0.1:{}", port);
  }
  callback.port = ntohs(address.sin_port);
  return callback;
}

class Gateway {
 public:
  static Result<Gateway> connect(const std::string& path) {
    Endpoint endpoint;
    endpoint.path = path;
    const SocketAddress address = socket_address(endpoint);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return fail_errno("cannot make a socket");
    if (::connect(socket.get(), address.get(), address.length) != 0) {
      return fail_errno("no MCP gateway hears logins at {}", path);
    }
    return Gateway(std::move(socket));
  }

  int fd() const { return socket_.get(); }
  Result<void> say(const json::Value& value) { return write_all(socket_.get(), json::write(value) + '\n'); }

  // What it says next; an error of its is ours.
  Result<json::Value> hear() {
    while (true) {
      if (const size_t end = held_.find('\n'); end != std::string::npos) {
        auto value = json::read(std::string_view(held_).substr(0, end));
        held_.erase(0, end + 1);
        if (!value || !value->is_object()) return fail("the gateway said something that is no answer");
        if (value->contains("error")) return fail("{}", log::printable(value->value("error", ""), 2048));
        return value;
      }
      char bytes[4096];
      const ssize_t got = ::read(socket_.get(), bytes, sizeof bytes);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || held_.size() > kMaxLineBytes) return fail("the gateway closed the connection");
      held_.append(bytes, static_cast<size_t>(got));
    }
  }

 private:
  explicit Gateway(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
  std::string held_;
};

// Nobody waits for it, and it may well fail: the URL is printed, too.
void open_browser(const std::string& browser, const std::string& url) {
  std::string program = browser;
  if (const char* chosen = std::getenv("BROWSER"); program.empty() && chosen != nullptr) program = chosen;
  if (program.empty()) program = find_program("xdg-open").value_or("");
  if (program.empty()) return;
  std::string address = url;
  char* argv[] = {program.data(), address.data(), nullptr};
  pid_t pid = -1;
  if (const int error = ::posix_spawnp(&pid, program.c_str(), nullptr, nullptr, argv, environ); error != 0) {
    fmt::print(stderr, "gatehouse: {}\n", Error(fmt::format("cannot run {}", program)).message());
  }
}

// One request's head, or what came of it in time.
std::string read_request(int fd) {
  const timeval limit{kRequestSeconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string request;
  while (request.size() < kMaxRequestBytes && request.find("\r\n\r\n") == std::string::npos) {
    char bytes[4096];
    const ssize_t got = ::read(fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    request.append(bytes, static_cast<size_t>(got));
  }
  return request;
}

void answer(int fd, int status, std::string_view words) {
  const std::string page = fmt::format("<!doctype html><title>Gatehouse</title><p>{}</p>\n", words);
  (void)write_all(fd, fmt::format("HTTP/1.1 {} {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n"
                                  "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                                  "Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{}",
                                  status, status == 200 ? "OK" : "Not Found", page.size(), page));
}

// The browser's answer, or what the gateway said meanwhile.
Result<std::string> await_browser(const Callback& callback, Gateway& gateway) {
  while (true) {
    pollfd watched[] = {{callback.listener.get(), POLLIN, 0}, {gateway.fd(), POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("cannot wait for the browser");
    }
    if (watched[1].revents != 0) {
      const auto said = gateway.hear();
      if (!said) return failed(said);
    }
    if (watched[0].revents == 0) continue;
    const Fd browser(::accept4(callback.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!browser) continue;
    const std::string query = callback_query(read_request(browser.get()));
    answer(browser.get(), query.empty() ? 404 : 200,
           query.empty() ? "There is nothing here."
                         : "Gatehouse has heard from the authorization server. You can close "
                           "this page, and look at the command for the outcome.");
    if (!query.empty()) return query;
  }
}

}  // namespace

std::string callback_query(std::string_view request) {
  constexpr std::string_view kMethod = "GET ";
  if (!request.starts_with(kMethod) || request.find("\r\n\r\n") == std::string_view::npos) return {};
  request.remove_prefix(kMethod.size());
  const auto target = request.substr(0, request.find_first_of(" \r\n"));
  if (!target.starts_with(kPath) || target.substr(kPath.size()).substr(0, 1) != "?") return {};
  return std::string(target.substr(kPath.size() + 1));
}

Result<void> log_in(const LoginOptions& options) {
  auto callback = listen_on_loopback(options.port);
  if (!callback) return failed(callback);
  auto gateway = Gateway::connect(options.socket);
  if (!gateway) return failed(gateway);
  const std::string redirect = fmt::format("http://127.0.0.1:{}{}", callback->port, kPath);
  if (auto ok = gateway->say({{"login", options.server}, {"redirect", redirect}}); !ok) return ok;
  const auto said = gateway->hear();
  if (!said) return failed(said);
  const std::string url = said->value("url", "");
  if (!url.starts_with("https://")) return fail("the gateway said something that is no answer");
  fmt::print("to log in, open in a browser on this machine:\n{}\n", url);
  std::fflush(stdout);
  open_browser(options.browser, url);
  const auto query = await_browser(*callback, *gateway);
  if (!query) return failed(query);
  if (auto ok = gateway->say({{"query", *query}}); !ok) return ok;
  const auto done = gateway->hear();
  if (!done) return failed(done);
  if (!done->value("done", false)) return fail("the gateway said something that is no answer");
  fmt::print("logged in to {}\n", options.server);
  return {};
}

}  // namespace gatehouse::launcher
