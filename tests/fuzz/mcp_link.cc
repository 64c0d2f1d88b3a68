// What a server of tools answers over HTTP, however it is cut, in both eras: nothing breaks, every request of ours is
// one that the strict reader takes, a call ends once at most, and nothing of the server's is repeated in words of ours.
//
// The first byte is the size of the pieces; the rest is split at byte 1: each piece answers the oldest open request. In
// it byte 2 is the id that was asked with, byte 3 at the end breaks the connection, byte 4 lets time pass, byte 5 makes
// another call, byte 6 one of the era without sessions, and byte 7 cancels the latest of these.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "mcp-gateway/http_link.h"
#include "proxy/request_reader.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::mcp;

void require(bool holds) {
  if (!holds) std::abort();
}

// The id in the request's message, or "0".
std::string require_request(std::string_view bytes) {
  proxy::RequestReader reader(proxy::Scheme::https);
  std::string body;
  while (true) {
    const auto event = reader.feed(bytes);
    require(event.has_value() && event->kind != proxy::ReadEvent::Kind::need_more);
    bytes.remove_prefix(event->consumed);
    if (event->kind == proxy::ReadEvent::Kind::body) body += event->body;
    if (event->kind == proxy::ReadEvent::Kind::complete) break;
  }
  require(bytes.empty() && reader.head().path == "/mcp" && reader.head().host == "tools.example");
  if (body.empty()) return "0";
  const auto message = json::read(body);
  require(message.has_value());
  return message->contains("id") ? json::write((*message)["id"]) : "0";
}

// Says what a gateway would: greets, asks in both eras, answers what it is asked.
class Session {
 public:
  Session() { begin(); }
  ~Session() {
    link_.end(now_);
    link_.tick(now_ += std::chrono::seconds(61));
    require(open_.empty() && link_.idle());
  }

  void answer(std::string_view script, size_t piece) {
    if (open_.empty()) link_.tick(now_);
    if (open_.empty()) return;
    const auto [exchange, id] = *open_.begin();
    std::string bytes;
    bool breaks = false;
    for (const char c : script) {
      if (c == 2) bytes += id;
      if (c == 3) breaks = true;
      if (c == 4) link_.tick(now_ += std::chrono::seconds(61));
      if (c == 5 && !revision_.empty()) ask("tools/call", revision_);
      if (c == 6) ask("tools/call", kStateless);
      if (c == 7) cancel();
      if (c < 2 || c > 7) bytes += c;
    }
    for (size_t at = 0; at < bytes.size(); at += piece) {
      link_.received(exchange, std::string_view(bytes).substr(at, piece), now_);
    }
    if (breaks) link_.ended(exchange, "it broke", now_);
    if (!std::exchange(broken_, false)) return;
    require(std::all_of(open_.begin(), open_.end(), [](const auto& entry) { return entry.second == kFarewell; }));
    link_.end(now_);
    begin();
  }

 private:
  void begin() {
    link_.begin();
    revision_ = {};
    asked_.clear();
    ask("initialize", "");
  }

  void ask(const std::string& method, std::string_view revision) {
    if (asked_.size() >= kMaxAsked) return;
    Outgoing message;
    message.line = request_line(++last_, method, Value::object());
    message.request = last_;
    message.method = method;
    message.name = "t\xc3\xa9";
    message.parameters = {{"X", " y"}, {"bad name", "z"}};
    message.revision = revision;
    asked_[last_] = false;
    link_.send(message);
  }

  void cancel() {
    tell("notifications/cancelled", last_ % 2 == 0 && !revision_.empty() ? revision_ : kStateless, last_);
    asked_[last_] = true;
  }

  void tell(const std::string& method, std::string_view revision, std::optional<uint64_t> about = {}) {
    Outgoing message;
    message.line = notification_line(method, Value::object());
    message.method = method;
    message.revision = revision;
    message.about = about;
    link_.send(message);
  }

  void heard(Value said, std::optional<uint64_t> about) {
    const auto message = parse_message(std::move(said));
    if (!message) return;
    if (message->kind == Message::Kind::request) {
      Outgoing reply;
      reply.line = result_line(message->id, Value::object());
      reply.revision = revision_;
      reply.about = about;
      return link_.send(reply);
    }
    const bool ends = message->kind == Message::Kind::error || message->kind == Message::Kind::result;
    if (!about || !ends || (message->id != *about && !message->id.is_null())) return;
    // Told and not lost before; a server may say it twice.
    if (std::exchange(asked_[*about], true) || message->kind == Message::Kind::error) return;
    const std::string* revision = find_text(message->content, "protocolVersion");
    if (revision == nullptr || !revision_.empty()) return;
    revision_ = *revision == kBatches ? kBatches : kSessions;
    tell("notifications/initialized", revision_);
    ask("tools/list", revision_);
  }

  void lost(uint64_t request, const std::string& why) {
    require(why.size() < 300);
    require(!std::exchange(asked_[request], true));
  }

  void opened(uint64_t exchange, const std::string& bytes) {
    const auto id = require_request(bytes);
    open_[exchange] = bytes.starts_with("DELETE ") ? kFarewell : id;
  }

  static constexpr size_t kMaxAsked = 200;
  static constexpr std::string_view kStateless = "2026-07-28", kSessions = "2025-11-25", kBatches = "2025-03-26";
  static constexpr const char* kFarewell = "farewell";

  HttpLink::Time now_{};
  std::map<uint64_t, std::string> open_;  // the id that each was asked with
  std::map<uint64_t, bool> asked_;        // whether it has ended
  uint64_t last_ = 0;
  std::string_view revision_;
  bool broken_ = false;
  HttpLink link_{{"tools.example", "/mcp"},
                 {.open = [this](uint64_t exchange, const std::string& bytes) { opened(exchange, bytes); },
                  .close = [this](uint64_t exchange) { require(open_.erase(exchange) == 1); },
                  .hear = [this](Value message, auto about) { heard(std::move(message), about); },
                  .lose = [this](uint64_t request, const std::string& why) { lost(request, why); },
                  .broken = [this](const Error& why) { broken_ |= !why.message().empty(); }}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] + 1;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  Session session;
  while (!input.empty()) {
    const size_t end = std::min(input.find('\x01'), input.size());
    session.answer(input.substr(0, end), piece);
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return 0;
}
