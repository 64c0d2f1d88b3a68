#include "mcp-gateway/http_links.h"

#include <algorithm>
#include <map>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "common/base/wiping.h"
#include "mcp-gateway/http_link.h"

namespace gatehouse::mcp {

namespace {

HttpLink::Time now() { return std::chrono::steady_clock::now(); }

// Tokens end by the calendar, also across sessions.
Authorization::Time seconds() { return static_cast<Authorization::Time>(now_utc_us() / 1'000'000); }

LinkPlace place_of(const policy::McpEndpoint& endpoint) {
  return {endpoint.port == 443 ? endpoint.host : fmt::format("{}:{}", endpoint.host, endpoint.port), endpoint.path};
}

}  // namespace

namespace {

// Of one passive user, each exchange on a connection of its own to the proxy.
class Connections {
 public:
  struct Callbacks {
    std::function<void(uint64_t exchange, std::string_view bytes)> received;
    std::function<void(uint64_t exchange, std::string_view why)> ended;
  };
  Connections(Loop& loop, const Endpoint& proxy, Callbacks callbacks)
      : loop_(loop), proxy_(proxy), callbacks_(std::move(callbacks)) {}

  void open(uint64_t exchange, std::string bytes) {
    auto& connection = connections_[exchange];
    connection.bytes = std::move(bytes);
    connection.connecting =
        connect_stream(loop_, proxy_, [this, exchange](auto stream) { connected(exchange, std::move(stream)); });
  }

  // Maybe from within a callback of its stream.
  void close(uint64_t exchange) {
    auto gone = connections_.extract(exchange);
    if (!gone) return;
    wipe(gone.mapped().bytes);
    if (!gone.mapped().stream) return;
    gone.mapped().stream->stop_reading();
    std::shared_ptr<Stream> stream = std::move(gone.mapped().stream);
    loop_.post([stream] {});
  }

 private:
  struct Connection {
    std::unique_ptr<Connecting> connecting;
    std::unique_ptr<Stream> stream;
    std::string bytes;  // to be said, maybe with a token
  };

  void connected(uint64_t exchange, Result<std::unique_ptr<Stream>> stream) {
    const auto at = connections_.find(exchange);
    if (at == connections_.end()) return;
    const auto connecting = std::move(at->second.connecting);  // it is what calls
    std::string bytes = std::move(at->second.bytes);
    const Wiping<std::string> wiping{bytes};
    if (!stream) return callbacks_.ended(exchange, "the proxy cannot be reached");
    at->second.stream = std::move(*stream);
    at->second.stream->set_callbacks(
        {.data = [this, exchange](std::string_view received) { callbacks_.received(exchange, received); },
         .end = [this, exchange] { callbacks_.ended(exchange, "it closed the connection"); },
         .error = [this, exchange](const Error&) { callbacks_.ended(exchange, "the connection broke"); },
         .drained = {}});
    at->second.stream->write(bytes);
    at->second.stream->start_reading();
  }

  Loop& loop_;
  const Endpoint& proxy_;
  Callbacks callbacks_;
  std::map<uint64_t, Connection> connections_;
};

}  // namespace

class HttpLinks::Link {
 public:
  Link(HttpLinks& all, const policy::McpServer& server)
      : all_(all),
        name_(server.name),
        declared_(server),
        connections_(all_.loop_, *all_.proxy_,
                     {.received =
                          [this](uint64_t exchange, std::string_view bytes) {
                            link_.received(exchange, bytes, now());
                            wait();
                          },
                      .ended =
                          [this](uint64_t exchange, std::string_view why) {
                            link_.ended(exchange, why, now());
                            wait();
                          }}),
        link_(place_of(*server.endpoint), callbacks_of(server)),
        greeting_(all_.loop_, [this] { broken(Error("it does not answer when it is greeted")); }),
        again_(all_.loop_, [this] { begin(); }),
        due_(all_.loop_, [this] {
          link_.tick(now());
          wait();
        }) {}

  void begin() {
    up_ = true;
    given_up_ = false;
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
      all_.gateway_->passed_over(name_, why, oauth_ && !oauth_->has_token() ? kAuthorizationRule : "");
      again_.start(delay_);
      given_up_ = true;
      delay_ = std::min(delay_ * 2, kLastAgain);
    });
  }

  // For good.
  void end() {
    up_ = given_up_ = false;
    greeting_.stop();
    again_.stop();
    link_.end(now());
    wait();
  }
  bool ended() const { return link_.idle(); }

  const std::string& name() const { return name_; }

  // False: no tokens are had for it.
  bool begin_login(std::string redirect, Authorization::ToldUrl url) {
    if (!oauth_) return false;
    oauth_->begin_login(std::move(redirect), std::move(url), seconds());
    wait_for_token();
    return true;
  }
  void finish_login(std::string_view query, Authorization::ToldEnd end) {
    if (!oauth_) return;
    oauth_->finish_login(query, std::move(end), seconds());
    wait_for_token();
  }
  void abandon_login() {
    if (!oauth_) return;
    oauth_->abandon_login("the login was broken off", seconds());
    wait_for_token();
  }

 private:
  Upstream& upstream() { return *all_.gateway_->upstream(name_); }

  void wait() {
    const auto due = link_.due();
    if (!due) return due_.stop();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - now());
    due_.start(std::max(left, std::chrono::milliseconds(0)));
  }

  HttpLink::Callbacks callbacks_of(const policy::McpServer& server) {
    HttpLink::Callbacks callbacks{
        .open = [this](uint64_t exchange, std::string bytes) { connections_.open(exchange, std::move(bytes)); },
        .close = [this](uint64_t exchange) { connections_.close(exchange); },
        .hear = [this](Value message, auto about) { upstream().hear(std::move(message), about); },
        .lose = [this](uint64_t request, const std::string& why) { upstream().lose(request, why); },
        .broken = [this](const Error& why) { broken(why); }};
    if (!server.oauth) return callbacks;
    callbacks.lease = [this] {
      auto lease = oauth_->lease(seconds());
      wait_for_token();
      return lease;
    };
    callbacks.challenged = [this](int status, Challenge challenge, uint64_t token) {
      oauth_->challenged(status, std::move(challenge), token, seconds());
      wait_for_token();
    };
    callbacks.spoken = [this](const Value& message) { return oauth_->is_spoken_in(message); };
    begin_oauth(server);
    return callbacks;
  }

  void begin_oauth(const policy::McpServer& server) {
    token_connections_.emplace(all_.loop_, *all_.proxy_,
                               Connections::Callbacks{.received =
                                                          [this](uint64_t exchange, std::string_view bytes) {
                                                            oauth_->received(exchange, bytes, seconds());
                                                            wait_for_token();
                                                          },
                                                      .ended =
                                                          [this](uint64_t exchange, std::string_view) {
                                                            oauth_->ended(exchange, seconds());
                                                            wait_for_token();
                                                          }});
    token_due_.emplace(all_.loop_, [this] {
      oauth_->tick(seconds());
      wait_for_token();
    });
    SecretBytes secret;
    const auto known = all_.oauth_.secrets.find(server.oauth->client_secret);
    if (known != all_.oauth_.secrets.end()) {
      if (auto copy = SecretBytes::copy_of(known->second.view())) secret = std::move(*copy);
    }
    oauth_.emplace(server, std::move(secret),
                   Authorization::Callbacks{
                       .open = [this](uint64_t exchange,
                                      std::string bytes) { token_connections_->open(exchange, std::move(bytes)); },
                       .close = [this](uint64_t exchange) { token_connections_->close(exchange); },
                       .granted = [this] { granted(); },
                       .refused =
                           [this](const std::string& why) {
                             link_.unauthorized(why, now());
                             wait();
                           },
                       .keep = [this](const KeptAuthorization& kept) { keep(kept); },
                       .kept = [this] { return kept(); }});
  }

  void granted() {
    if (up_) {
      link_.authorized(now());
      return wait();
    }
    // It was given up for want of a token, maybe: what is torn down is so by now.
    if (!std::exchange(given_up_, false)) return;
    again_.stop();
    delay_ = kFirstAgain;
    begin();
  }

  void keep(const KeptAuthorization& kept) {
    if (!all_.oauth_.store) return;
    if (auto ok = all_.oauth_.store->put(kept); !ok) {
      log::warn("the access token of the server '{}' is not kept: {}", name_, ok.error().message());
    }
  }

  std::optional<KeptAuthorization> kept() {
    if (!all_.oauth_.store) return std::nullopt;
    const auto& at = *declared_.endpoint;
    auto found = all_.oauth_.store->find(OauthUrl::of(at).to_string());
    if (found) return std::move(*found);
    log::warn("what was kept for the server '{}' is not read: {}", name_, found.error().message());
    return std::nullopt;
  }

  void wait_for_token() {
    const auto due = oauth_->due();
    if (!due) return token_due_->stop();
    token_due_->start(std::chrono::seconds(std::clamp<int64_t>(*due - seconds(), 0, 86400)));
  }

  HttpLinks& all_;
  const std::string name_;
  const policy::McpServer declared_;
  Connections connections_;
  std::optional<Connections> token_connections_;
  std::optional<Timer> token_due_;
  std::optional<Authorization> oauth_;  // nothing: no access tokens are had for it
  HttpLink link_;
  bool up_ = false;
  bool given_up_ = false;  // until again_
  std::chrono::milliseconds delay_ = kFirstAgain;
  Timer greeting_;
  Timer again_;
  Timer due_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

HttpLinks::HttpLinks(Loop& loop, const std::vector<policy::McpServer>& servers, std::optional<Endpoint> proxy,
                     Oauth oauth)
    : loop_(loop), proxy_(std::move(proxy)), oauth_(std::move(oauth)) {
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

void HttpLinks::begin_login(const std::string& server, std::string redirect, Authorization::ToldUrl url) {
  Link* link = find(server);
  if (link != nullptr && link->begin_login(std::move(redirect), url)) return;
  url(fail("the policy has no server '{}' with \"oauth\"", log::printable(server, 64)));
}

void HttpLinks::finish_login(const std::string& server, std::string_view query, Authorization::ToldEnd end) {
  if (Link* link = find(server)) link->finish_login(query, std::move(end));
}

void HttpLinks::abandon_login(const std::string& server) {
  if (Link* link = find(server)) link->abandon_login();
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
