#include "mcp-gateway/login_server.h"

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::mcp {

namespace {
constexpr json::Limits kLineLimits{.bytes = kMaxLoginLineBytes, .depth = 2, .values = 8};
}

bool is_loopback_redirect(std::string_view uri) {
  constexpr std::string_view kBegin = "http://127.0.0.1:", kEnd = "/callback";
  if (!uri.starts_with(kBegin) || !uri.ends_with(kEnd) || uri.size() < kBegin.size() + kEnd.size()) return false;
  const auto port = uri.substr(kBegin.size(), uri.size() - kBegin.size() - kEnd.size());
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

class LoginServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(LoginServer& all, std::unique_ptr<Stream> stream) : all_(all), stream_(std::move(stream)) {}
  ~Connection() {
    if (!server_.empty()) all_.links_.abandon_login(server_);
  }

  void start(std::function<void()> closed) {
    closed_ = std::move(closed);
    stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                            .end = [this] { close(); },
                            .error = [this](const Error&) { close(); },
                            .drained = {}});
    stream_->start_reading();
  }

 private:
  void received(std::string_view bytes) {
    held_ += bytes;
    if (held_.size() > kMaxLoginLineBytes) return close();
    const size_t end = held_.find('\n');
    if (end == std::string::npos) return;
    const std::string line = held_.substr(0, end);
    held_.erase(0, end + 1);
    const auto said = json::read(line, kLineLimits);
    const auto text = [&](const char* name) {
      const auto found = said->find(name);
      return found == said->end() || !found->is_string() ? std::string() : found->get<std::string>();
    };
    if (!said || !said->is_object()) return refuse("this is no request of a login");
    if (server_.empty()) return begin(text("login"), text("redirect"));
    finish(text("query"));
  }

  void begin(std::string server, std::string redirect) {
    if (!is_loopback_redirect(redirect)) return refuse("the redirect URI is not of this machine");
    server_ = std::move(server);
    all_.links_.begin_login(server_, std::move(redirect), [weak = weak_from_this()](Result<std::string> url) {
      const auto self = weak.lock();
      if (!self) return;
      if (!url) return self->over(url.error().message());
      self->say({{"url", *url}});
    });
  }

  void finish(const std::string& query) {
    all_.links_.finish_login(server_, query, [weak = weak_from_this()](Result<void> done) {
      const auto self = weak.lock();
      if (!self) return;
      if (!done) return self->over(done.error().message());
      self->server_.clear();
      self->say({{"done", true}});
    });
  }

  void over(const std::string& why) {
    server_.clear();  // the login is over by itself
    refuse(why);
  }
  void refuse(const std::string& why) { say({{"error", log::printable(why, 2048)}}); }
  void say(const json::Value& value) { stream_->write(json::write(value) + '\n'); }

  // The owner drops it, outside of the stream's callback.
  void close() {
    stream_->stop_reading();
    if (closed_) all_.loop_.post(std::exchange(closed_, nullptr));
  }

  LoginServer& all_;
  std::unique_ptr<Stream> stream_;
  std::function<void()> closed_;
  std::string held_;
  std::string server_;  // that somebody logs in to
};

LoginServer::~LoginServer() = default;

Result<void> LoginServer::listen(InheritedSocket socket) {
  const std::string name = local_address(socket.fd.get());
  if (socket.datagram || name != "unix") return fail("logins are heard on a Unix stream socket only, not on {}", name);
  auto listener = Listener::start(loop_, std::move(socket.fd), [this](std::unique_ptr<Stream> stream) {
    if (connections_.size() >= kMaxLogins) return stream->reset_on_close();
    const auto place = connections_.emplace(connections_.end(), std::make_shared<Connection>(*this, std::move(stream)));
    (*place)->start([this, place] { connections_.erase(place); });
  });
  if (!listener) return failed(listener);
  listener_ = std::move(*listener);
  return {};
}

}  // namespace gatehouse::mcp
