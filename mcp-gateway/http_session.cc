#include "mcp-gateway/http_session.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace gatehouse::mcp {

namespace {

constexpr uint64_t kListening = 0;  // the stream of what concerns no request
// From this revision on an event without data may tell a number to resume from; clients of older ones take it for a
// message.
constexpr std::string_view kPrimed = "2025-11-25";
constexpr std::string_view kAlive = ": \n\n";

std::string event_of(uint64_t stream, uint64_t number, std::string_view line) {
  while (line.ends_with('\n')) line.remove_suffix(1);
  return fmt::format("id: {}-{}\ndata: {}\n\n", stream, number, line);
}

struct EventId {
  uint64_t stream;
  uint64_t event;
};
std::optional<EventId> parse_event_id(std::string_view text) {
  EventId id{};
  const char* const end = text.data() + text.size();
  const auto stream = std::from_chars(text.data(), end, id.stream);
  if (stream.ec != std::errc() || stream.ptr == end || *stream.ptr != '-') return std::nullopt;
  const auto event = std::from_chars(stream.ptr + 1, end, id.event);
  if (event.ec != std::errc() || event.ptr != end) return std::nullopt;
  return id;
}

}  // namespace

HttpSession::HttpSession(Gateway& gateway, std::string id, Time now)
    : gateway_(gateway), id_(std::move(id)), held_room_(gateway.room()), now_(now), last_used_(now) {
  Stream& listening = streams_[kListening];
  listening.events = true;
  client_ = gateway_.add_client({
      .send = [this](std::string_view line) { say(streams_.find(kListening), line, false); },
      .broken = [](const Error&) {},  // it is given no bytes
      .crowded = [] { return false; },
      .about = [this](const Value& request, std::string_view line,
                      const Client::Told& told) { said(request, line, told); },
  });
}

HttpSession::~HttpSession() {
  requests_.clear();
  gateway_.remove_client(client_);
  for (auto& [number, stream] : streams_) {
    if (stream.reply == nullptr) continue;
    HttpReply& reply = *stream.reply;
    detach(streams_.find(number));
    if (stream.events) {
      reply.end_events();
    } else {
      reply.answer(404, "", error_line(nullptr, {kInvalidRequest, "the session is over; initialize another one"}));
    }
  }
}

Result<void> HttpSession::post(std::vector<Message> messages, HttpReply& reply, Time now) {
  now_ = last_used_ = now;
  Stream stream;
  for (const auto& message : messages) {
    if (message.kind != Message::Kind::request) continue;
    std::string key = json::write(message.id);
    if (requests_.contains(key) || !stream.owed.insert(std::move(key)).second) {
      return fail("a request of this id is under way");
    }
  }
  if (stream.owed.empty()) {
    for (auto& message : messages) client_->take(std::move(message));
    reply.answer(202, "", "");
    return {};
  }
  stream.batch = messages.size() > 1;
  const uint64_t number = next_stream_++;
  for (const auto& key : stream.owed) requests_.emplace(key, number);
  attach(streams_.emplace(number, std::move(stream)).first, reply, now);
  for (auto& message : messages) client_->take(std::move(message));
  greeting_ = false;
  return {};
}

void HttpSession::listen(HttpReply& reply, Time now) {
  // What came while nobody listened is told now, as far as it is still held.
  (void)resume(fmt::format("{}-{}", kListening, heard_), reply, now);
}

Result<void> HttpSession::resume(std::string_view event_id, HttpReply& reply, Time now) {
  now_ = last_used_ = now;
  const auto id = parse_event_id(event_id);
  const auto at = id ? streams_.find(id->stream) : streams_.end();
  if (at == streams_.end() || !at->second.events || id->event > at->second.last) {
    return fail("no such event is known here any more");
  }
  const auto missed = [&](const Held& held) { return held.stream == id->stream && held.event > id->event; };
  const auto kept = static_cast<uint64_t>(std::count_if(held_.begin(), held_.end(), missed));
  if (id->stream != kListening && kept != at->second.last - id->event) {
    return fail("what followed that event is not kept any more");
  }
  attach(at, reply, now);
  reply.begin_events();
  for (const auto& held : held_) {
    if (missed(held)) reply.write_events(held.text);
  }
  if (id->stream == kListening) heard_ = at->second.last;
  if (at->second.done) finish(at);
  return {};
}

void HttpSession::attach(Place at, HttpReply& reply, Time now) {
  if (HttpReply* before = at->second.reply) {
    const bool events = at->second.events;
    detach(at);
    if (events) before->end_events();
  }
  at->second.reply = &reply;
  at->second.said = now;
  reply.gone = [this, number = at->first] {
    if (const auto found = streams_.find(number); found != streams_.end()) detach(found);
  };
}

void HttpSession::detach(Place at) {
  if (at->second.reply != nullptr) at->second.reply->gone = nullptr;
  at->second.reply = nullptr;
}

// From the client: about one of its requests.
void HttpSession::said(const Value& request, std::string_view line, const Client::Told& told) {
  const std::string key = json::write(request);
  const auto found = requests_.find(key);
  if (found == requests_.end()) return;
  const auto at = streams_.find(found->second);
  Stream& stream = at->second;
  if (told.last) {
    requests_.erase(found);
    stream.owed.erase(key);
  }
  const bool nobody = stream.reply == nullptr && !stream.events;  // and nobody can come back for it
  if (nobody) {
    if (stream.owed.empty()) streams_.erase(at);
    return;
  }
  if (told.last && !line.empty() && !stream.events && !stream.batch) {
    HttpReply& reply = *stream.reply;
    detach(at);
    streams_.erase(at);
    while (line.ends_with('\n')) line.remove_suffix(1);
    return reply.answer(200, greeting_ && !client_->revision().empty() ? std::string_view(id_) : "", line);
  }
  if (!stream.events) begin_events(at);
  if (!line.empty()) say(at, line, told.needed);
  if (stream.owed.empty()) {
    stream.done = true;
    finish(at);
  }
}

void HttpSession::begin_events(Place at) {
  Stream& stream = at->second;
  stream.events = true;
  stream.said = now_;
  stream.reply->begin_events();
  if (client_->revision() != kPrimed) return;
  const std::string priming = event_of(at->first, ++stream.last, "");
  stream.reply->write_events(priming);
  hold({at->first, stream.last, priming});
}

void HttpSession::say(Place at, std::string_view line, bool needed) {
  Stream& stream = at->second;
  const bool unread = stream.reply != nullptr && stream.reply->crowded();
  if (unread && !needed) return;
  stream.said = now_;
  std::string event = event_of(at->first, ++stream.last, line);
  if (stream.reply != nullptr) {
    stream.reply->write_events(event);
    if (at->first == kListening) heard_ = stream.last;
  }
  hold({at->first, stream.last, std::move(event)});
}

// Of a stream that is done: it ends for whoever reads it, and is kept for as long as something of it is held.
void HttpSession::finish(Place at) {
  if (HttpReply* reply = at->second.reply) {
    detach(at);
    reply->end_events();
  }
  if (!holds(at->first)) streams_.erase(at);
}

bool HttpSession::holds(uint64_t stream) const {
  return std::any_of(held_.begin(), held_.end(), [stream](const Held& one) { return one.stream == stream; });
}

void HttpSession::hold(Held event) {
  held_bytes_ += event.text.size();
  held_.push_back(std::move(event));
  while (held_.size() > kMaxHeldEvents || (held_bytes_ > kMaxHeldEventBytes && held_.size() > 1) ||
         !held_room_.resize(held_bytes_)) {
    held_bytes_ -= held_.front().text.size();
    const uint64_t stream = held_.front().stream;
    held_.pop_front();
    const auto at = streams_.find(stream);
    if (at != streams_.end() && at->second.done && !holds(stream)) streams_.erase(at);
  }
}

void HttpSession::tick(Time now) {
  now_ = now;
  for (auto at = streams_.begin(); at != streams_.end(); ++at) {
    Stream& stream = at->second;
    if (stream.reply == nullptr || now - stream.said < kQuietTime) continue;
    stream.said = now;
    if (stream.events) {
      stream.reply->write_events(kAlive);
    } else {
      begin_events(at);
    }
  }
}

bool HttpSession::idle() const {
  return !client_->busy() &&
         std::all_of(streams_.begin(), streams_.end(), [](const auto& entry) { return entry.second.reply == nullptr; });
}

}  // namespace gatehouse::mcp
