// One client's session over HTTP (specification 2025-11-25 and the two before, basic/transports, Streamable HTTP): its
// requests and the streams on which answers travel, and what of these it can ask for again. Passive.
//
// Each POST with requests is a stream of its own, and so is what concerns none of them, which a GET brings. An answer
// is plain JSON unless there is something to say before it, or it takes long. Events are numbered within their stream,
// and the last of them are kept: a client whose connection broke names the last one it saw. That a connection breaks
// cancels nothing.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mcp-gateway/gateway.h"
#include "mcp-gateway/http_reply.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxHeldEvents = 256;  // of a session
inline constexpr size_t kMaxHeldEventBytes =
    1 << 20;  // likewise; the last one is kept whatever its size, if there is room
inline constexpr std::chrono::seconds kQuietTime{15};    // with nothing said, after which a stream says that it lives
inline constexpr std::chrono::minutes kSessionTime{60};  // without a request, after which a session is over

class HttpSession {
 public:
  using Time = std::chrono::steady_clock::time_point;

  HttpSession(Gateway& gateway, std::string id, Time now);
  // Streams that are open end; what was not answered is refused with 404.
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  // One message, or several of a batch. Refuses, having done nothing, when the id of a request is in use.
  Result<void> post(std::vector<Message> messages, HttpReply& reply, Time now);
  // What concerns no request. Whoever was listening before hears no more.
  void listen(HttpReply& reply, Time now);
  // The same, or the stream that the event was on, from behind that event. Refuses an event that is no longer known.
  Result<void> resume(std::string_view event_id, HttpReply& reply, Time now);

  void tick(Time now);
  bool idle() const;  // nothing is under way, and nobody listens
  bool over(Time now) const { return idle() && now - last_used_ >= kSessionTime; }
  Time last_used() const { return last_used_; }
  std::string_view revision() const { return client_->revision(); }

 private:
  struct Stream {
    HttpReply* reply = nullptr;  // null: nobody reads it now
    std::set<std::string> owed;  // requests that are to be answered on it, as JSON
    bool batch = false;
    bool events = false;  // it is one of events, no longer a JSON answer to be
    bool done = false;    // nothing more comes
    uint64_t last = 0;    // number of its last event
    Time said;
  };
  struct Held {
    uint64_t stream;
    uint64_t event;
    std::string text;
  };
  using Place = std::map<uint64_t, Stream>::iterator;

  void said(const Value& request, std::string_view line, const Client::Told& told);
  void attach(Place at, HttpReply& reply, Time now);
  void detach(Place at);
  void begin_events(Place at);
  void say(Place at, std::string_view line, bool needed);
  void finish(Place at);
  void hold(Held event);
  bool holds(uint64_t stream) const;

  Gateway& gateway_;
  const std::string id_;
  bool greeting_ = true;  // it has not been told its id
  Client* client_ = nullptr;
  std::map<uint64_t, Stream> streams_;        // 0 is what concerns no request
  std::map<std::string, uint64_t> requests_;  // the stream each is answered on
  uint64_t next_stream_ = 1;
  std::deque<Held> held_;
  size_t held_bytes_ = 0;
  Room::Share held_room_;
  uint64_t heard_ = 0;  // number of the last event of stream 0 that somebody was sent
  Time now_;
  Time last_used_;
};

}  // namespace gatehouse::mcp
