#include "mcp-gateway/http_links.h"

#include <algorithm>
#include <map>

#include "common/base/log.h"
#include "mcp-gateway/http_link.h"

namespace gatehouse::mcp {

namespace {

HttpLink::Time now() { return std::chrono::steady_clock::now(); }

LinkPlace place_of(const policy::McpEndpoint& endpoint) {
  return {endpoint.port == 443 ? endpoint.host : fmt::format("{}:{}", endpoint.host, endpoint.port), endpoint.path};
}

}  // namespace

class HttpLinks::Link {
 public:
  Link(HttpLinks& all, const policy::McpServer& server)
      : all_(all),
        name_(server.name),
        link_(place_of(*server.endpoint),
              {.open = [this](uint64_t exchange, std::string bytes) { open(exchange, std::move(bytes)); },
               .close = [this](uint64_t exchange) { close(exchange); },
               .hear = [this](Value message, auto about) { upstream().hear(std::move(message), about); },
               .lose = [this](uint64_t request, const std::string& why) { upstream().lose(request, why); },
               .broken = [this](const Error& why) { broken(why); }}),
        greeting_(all_.loop_, [this] { broken(Error("it does not answer when it is greeted")); }),
        again_(all_.loop_, [this] { begin(); }),
        due_(all_.loop_, [this] {
          link_.tick(now());
          wait();
        }) {}

  void begin() {
    up_ = true;
    link_.begin();
    greeting_.start(kLinkGreetingTime);
    upstream().begin();
  }

  void write(const Outgoing& message) {
    link_.send(message);
    wait();
  }

  void greeted() {
    greeting_.stop();
    delay_ = kFirstAgain;
  }

  // From wherever: what is torn down is so at the turn's end.
  void broken(const Error& why) {
    all_.loop_.post([this, why = why.message(), alive = std::weak_ptr(alive_)] {
      if (alive.expired() || !std::exchange(up_, false)) return;
      log::warn("server '{}' is given up: {}", name_, log::printable(why));
      greeting_.stop();
      link_.end(now());
      wait();
      upstream().end(why);
      all_.gateway_->passed_over(name_, why);
      again_.start(delay_);
      delay_ = std::min(delay_ * 2, kLastAgain);
    });
  }

  // For good.
  void end() {
    up_ = false;
    greeting_.stop();
    again_.stop();
    link_.end(now());
    wait();
  }
  bool ended() const { return link_.idle(); }

  const std::string& name() const { return name_; }

 private:
  struct Connection {
    std::unique_ptr<Connecting> connecting;
    std::unique_ptr<Stream> stream;
  };

  Upstream& upstream() { return *all_.gateway_->upstream(name_); }

  void wait() {
    const auto due = link_.due();
    if (!due) return due_.stop();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - now());
    due_.start(std::max(left, std::chrono::milliseconds(0)));
  }

  void open(uint64_t exchange, std::string bytes) {
    auto& connection = connections_[exchange];
    connection.connecting = connect_stream(
        all_.loop_, *all_.proxy_,
        [this, exchange, bytes = std::move(bytes)](auto stream) { connected(exchange, bytes, std::move(stream)); });
  }

  void connected(uint64_t exchange, const std::string& bytes, Result<std::unique_ptr<Stream>> stream) {
    const auto at = connections_.find(exchange);
    if (at == connections_.end()) return;
    const auto connecting = std::move(at->second.connecting);  // it is what calls
    if (!stream) return ended(exchange, "the proxy cannot be reached");
    at->second.stream = std::move(*stream);
    at->second.stream->set_callbacks(
        {.data =
             [this, exchange](std::string_view received) {
               link_.received(exchange, received, now());
               wait();
             },
         .end = [this, exchange] { ended(exchange, "it closed the connection"); },
         .error = [this, exchange](const Error&) { ended(exchange, "the connection broke"); },
         .drained = {}});
    at->second.stream->write(bytes);
    at->second.stream->start_reading();
  }

  void ended(uint64_t exchange, std::string_view why) {
    link_.ended(exchange, why, now());
    wait();
  }

  // Maybe from within a callback of its stream.
  void close(uint64_t exchange) {
    auto gone = connections_.extract(exchange);
    if (!gone || !gone.mapped().stream) return;
    gone.mapped().stream->stop_reading();
    std::shared_ptr<Stream> stream = std::move(gone.mapped().stream);
    all_.loop_.post([stream] {});
  }

  HttpLinks& all_;
  const std::string name_;
  std::map<uint64_t, Connection> connections_;
  HttpLink link_;
  bool up_ = false;
  std::chrono::milliseconds delay_ = kFirstAgain;
  Timer greeting_;
  Timer again_;
  Timer due_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

HttpLinks::HttpLinks(Loop& loop, const std::vector<policy::McpServer>& servers, std::optional<Endpoint> proxy)
    : loop_(loop), proxy_(std::move(proxy)) {
  for (const auto& server : servers) {
    if (server.endpoint && proxy_) links_.push_back(std::make_unique<Link>(*this, server));
  }
}

HttpLinks::~HttpLinks() = default;

HttpLinks::Link* HttpLinks::find(const std::string& server) {
  const auto found =
      std::find_if(links_.begin(), links_.end(), [&](const auto& link) { return link->name() == server; });
  return found == links_.end() ? nullptr : found->get();
}

Gateway::Callbacks HttpLinks::callbacks() {
  return {.write =
              [this](const std::string& server, const Outgoing& message) {
                if (Link* link = find(server)) link->write(message);
              },
          .greeted =
              [this](const std::string& server) {
                if (Link* link = find(server)) link->greeted();
              },
          .broken =
              [this](const std::string& server, const Error& why) {
                if (Link* link = find(server)) link->broken(why);
              }};
}

void HttpLinks::start(Gateway& gateway) {
  gateway_ = &gateway;
  for (const auto& link : links_) link->begin();
}

void HttpLinks::end() {
  for (const auto& link : links_) link->end();
  const auto over = [this] {
    return std::all_of(links_.begin(), links_.end(), [](const auto& link) { return link->ended(); });
  };
  if (over()) return;
  Timer watch(loop_, [this, &over] {
    if (over()) loop_.stop();
  });
  watch.repeat(std::chrono::milliseconds(10));
  (void)loop_.run();
}

}  // namespace gatehouse::mcp
