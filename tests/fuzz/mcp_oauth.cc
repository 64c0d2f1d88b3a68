// What servers and issuers answer on the way to an access token, and what a browser comes back with, however hostile:
// nothing breaks, every request is one that the strict reader takes and goes to an origin that the policy names, a
// person is sent nowhere else, and nothing of the server's is repeated in words of ours but a printed origin or scope.
//
// The first byte says the grant (bit 0), whether a person logs in (bit 1) and the size of the pieces. The rest is split
// at byte 1: each piece answers the request that is open, or is the challenge or the browser's query where none is.
// Byte 3 at the end breaks the connection, byte 4 lets time pass.
#include <algorithm>
#include <cstdlib>

#include "mcp-gateway/authorization.h"
#include "proxy/request_reader.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::mcp;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_named(std::string_view host, uint16_t port) {
  return port == 443 && (host == "tools.example" || host == "auth.example");
}

policy::McpServer server_of(bool by_itself) {
  policy::McpServer server{.name = "web"};
  server.endpoint = policy::McpEndpoint{"tools.example", 443, "/mcp"};
  server.oauth.emplace();
  server.oauth->authorization_servers = {{"auth.example", 443}};
  if (by_itself) {
    server.oauth->grant = policy::McpGrant::client_credentials;
    server.oauth->client_id = "c";
  }
  return server;
}

class World {
 public:
  explicit World(bool by_itself)
      : authorization_(server_of(by_itself), *SecretBytes::copy_of("made-up"),
                       {.open = [this](uint64_t exchange, std::string_view bytes) { open(exchange, bytes); },
                        .close =
                            [this](uint64_t exchange) {
                              require(exchange == open_);
                              open_ = 0;
                            },
                        .granted = [] {},
                        .refused = [](const std::string& why) { require(why.size() < 24 << 10); },
                        .keep = [this](const KeptAuthorization& kept) { kept_ = kept; },
                        .kept = [this] { return kept_; }}) {}

  void log_in() {
    authorization_.begin_login(
        "http://127.0.0.1:7777/callback",
        [](const Result<std::string>& url) {
          const auto sound =
              url ? OauthUrl::parse(url->substr(0, url->find('?'))) : OauthUrl::parse("https://auth.example");
          require(sound && is_named(sound->host, sound->port));
        },
        now_);
  }

  void take(std::string_view script, size_t piece) {
    std::string bytes;
    bool breaks = false;
    for (const char c : script) {
      if (c == 3) breaks = true;
      if (c == 4) authorization_.tick(now_ += 61);
      if (c != 3 && c != 4) bytes += c;
    }
    if (open_ == 0) {
      authorization_.finish_login(
          bytes, [](const Result<void>&) {}, now_);
      authorization_.challenged(bytes.ends_with('!') ? 403 : 401, read_challenge({{"WWW-Authenticate", bytes}}),
                                authorization_.lease(now_).number, now_);
      authorization_.tick(now_ += 6);
      (void)authorization_.is_spoken_in(bytes.size() < 1000 ? json::Value::array({1}) : json::Value());
      return;
    }
    const uint64_t exchange = open_;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      authorization_.received(exchange, std::string_view(bytes).substr(at, piece), now_);
    }
    if (breaks) authorization_.ended(exchange, now_);
  }

 private:
  void open(uint64_t exchange, std::string_view bytes) {
    require(open_ == 0);
    open_ = exchange;
    proxy::RequestReader reader(proxy::Scheme::https);
    while (true) {
      const auto event = reader.feed(bytes);
      require(event.has_value() && event->kind != proxy::ReadEvent::Kind::need_more);
      bytes.remove_prefix(event->consumed);
      if (event->kind == proxy::ReadEvent::Kind::complete) break;
    }
    require(bytes.empty() && is_named(reader.head().host, reader.head().port));
  }

  Authorization::Time now_ = 1'000'000;
  uint64_t open_ = 0;
  std::optional<KeptAuthorization> kept_;
  Authorization authorization_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  World world((data[0] & 1) != 0);
  if ((data[0] & 2) != 0) world.log_in();
  while (!input.empty()) {
    const size_t end = std::min(input.find('\x01'), input.size());
    world.take(input.substr(0, end), (data[0] >> 2) + 1);
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return 0;
}
