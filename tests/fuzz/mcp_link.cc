// What a server of tools answers over HTTP, however it is cut, in both eras: nothing breaks, every request of ours is
// one that the strict reader takes, a call ends once at most, and nothing of the server's is repeated in words of ours.
//
// The first byte is the size of the pieces; the rest is split at byte 1: each piece answers the oldest open request. In
// it byte 2 is the id that was asked with, byte 3 at the end breaks the connection, byte 4 lets time pass, byte 5 makes
// another call, byte 6 one of the era without sessions, and byte 7 cancels the latest of these.
#include <cstdlib>
#include <map>

#include "mcp-gateway/http_link.h"
#include "mcp-gateway/upstream.h"
#include "proxy/request_reader.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::mcp;

constexpr uint64_t kFirstOfOurs = uint64_t{1} << 32;  // ids that the upstream does not know of

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

class Session {
 public:
  Session() { begin(); }

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
      if (c == 5) call();
      if (c == 6) ask();
      if (c == 7) cancel();
      if (c < 2 || c > 7) bytes += c;
    }
    for (size_t at = 0; at < bytes.size(); at += piece) {
      link_.received(exchange, std::string_view(bytes).substr(at, piece), now_);
    }
    if (breaks) link_.ended(exchange, "it broke", now_);
    require(answered_ <= calls_);
    if (std::exchange(broken_, false)) {
      over();
      begin();
    }
  }

  void over() {
    upstream_.end("it is broken");
    require(answered_ == calls_);
    link_.end(now_);
    require(open_.size() <= 1 + parting_);
    parting_ = open_.size();
    asked_.clear();
  }

  ~Session() {
    over();
    link_.tick(now_ += std::chrono::seconds(61));
    require(open_.empty() && link_.idle());
  }

 private:
  void begin() {
    link_.begin();
    upstream_.begin();
  }

  void call() {
    if (!upstream_.ready() || calls_ >= 100) return;
    ++calls_;
    (void)upstream_.call(
        "t", Value::object(),
        [this](const Answer& answer) {
          ++answered_;
          require(answer.kind != Answer::Kind::lost || answer.words.size() < 300);
        },
        [](const Progress&) {});
  }

  void ask() {
    if (asked_.size() >= 100) return;
    Outgoing message;
    message.line = request_line(++last_, "tools/call", Value::object());
    message.request = last_;
    message.method = "tools/call";
    message.name = "t\xc3\xa9";
    message.parameters = {{"X", " y"}};
    message.revision = "2026-07-28";
    asked_[last_] = false;
    link_.send(message);
  }

  void cancel() {
    Outgoing message;
    message.line = notification_line("notifications/cancelled", Value::object());
    message.method = "notifications/cancelled";
    message.revision = "2026-07-28";
    message.about = last_;
    link_.send(message);
    asked_[last_] = true;
  }

  void heard(Value message, std::optional<uint64_t> about) {
    const auto parsed = parse_message(message);
    const bool ends = parsed && about >= kFirstOfOurs &&
                      (parsed->kind == Message::Kind::result || parsed->kind == Message::Kind::error) &&
                      (parsed->id.is_null() || parsed->id == *about);
    if (ends) asked_[*about] = true;
    upstream_.hear(std::move(message), about);
  }

  void lost(uint64_t request, const std::string& why) {
    require(why.size() < 300);
    if (request < kFirstOfOurs) return upstream_.lose(request, why);
    require(!std::exchange(asked_[request], true));
  }

  HttpLink::Time now_{};
  std::map<uint64_t, std::string> open_;  // the id that each was asked with
  std::map<uint64_t, bool> asked_;        // in the later era; whether it has ended
  uint64_t last_ = kFirstOfOurs;
  size_t calls_ = 0, answered_ = 0, parting_ = 0;
  bool broken_ = false;
  Upstream upstream_{{[this](const Outgoing& message) { link_.send(message); }, [](const std::vector<Value>&) {},
                      [this](const Error& why) { broken_ |= !why.message().empty(); }}};
  HttpLink link_{
      {"tools.example", "/mcp"},
      {.open = [this](uint64_t exchange, const std::string& bytes) { open_[exchange] = require_request(bytes); },
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
