// One server of tools over HTTP, on our side (basic/transports, Streamable HTTP): what its protocol (upstream.h) says
// becomes requests, and what answers them messages. Passive; whatever comes is an attack until it is read.
//
// Each message is written in the revision that it names. Of the session era (2025-11-25 and the two before) are the
// session's id, the stream of what nobody asked for, streams that are resumed, and answers of ours to what the server
// asks; a server that has ended the session is begun anew. From 2026-07-28 on a message is a request by itself, its
// fields mirror it, and closing it is how it is cancelled.
//
// Redirects are not followed, and a request is never sent twice, since what became of it the first time is not known:
// but for one that was answered with 401, or 403 for want of scope, and so was not carried out, once there is another
// access token.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcp-gateway/authorization.h"
#include "mcp-gateway/event_reader.h"
#include "mcp-gateway/link_request.h"
#include "mcp-gateway/message.h"
#include "proxy/response_reader.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxServerSessionBytes = 1024;         // of the id that a server gives its session
inline constexpr size_t kMaxReplies = 64;                      // to what it asks, under way
inline constexpr int kMaxResumes = 5;                          // of one answer's stream without anything new in it
inline constexpr std::chrono::milliseconds kResumeAgain{500};  // between two of them, at least
inline constexpr std::chrono::seconds kListenAgain{3};         // after the stream of what nobody asked for has ended
inline constexpr std::chrono::seconds kListenAgainLater{60};   // after it was refused
inline constexpr std::chrono::seconds kLinger{5};              // for an answered request's connection to end
inline constexpr std::chrono::seconds kFarewellTime{1};        // for a session's end to be told
inline constexpr int kMaxSendings = 3;                         // of one request that was refused for its access token

class HttpLink {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // None but `open` and `close` comes from within send().
  struct Callbacks {
    // On a connection of its own to the proxy. What comes of it is told to received() and ended(), from outside.
    std::function<void(uint64_t exchange, std::string bytes)> open;
    std::function<void(uint64_t exchange)> close;
    // It says this; on the stream of that request, if on one.
    std::function<void(Value message, std::optional<uint64_t> about)> hear;
    std::function<void(uint64_t request, const std::string& why)> lose;  // and this will not be answered
    // It breaks the protocol, or its session is over, or, at the beginning, it is not there: nothing follows until
    // begin().
    std::function<void(const Error& why)> broken;
    // Of a server that access tokens are had for; null: none are. Neither calls back from within.
    std::function<Authorization::Lease()> lease = nullptr;
    std::function<void(int status, Challenge challenge, uint64_t token)> challenged = nullptr;
    std::function<bool(const Value& message)> spoken = nullptr;  // whether a token stands in it
  };
  HttpLink(LinkPlace place, Callbacks callbacks) : place_(std::move(place)), callbacks_(std::move(callbacks)) {}

  void begin();  // anew; only before the first message, and after end()
  void send(const Outgoing& message);
  void received(uint64_t exchange, std::string_view bytes, Time now);
  void ended(uint64_t exchange, std::string_view why, Time now);  // the connection
  // There is another access token, or there will be none for now: requests have waited for it.
  void authorized(Time now);
  void unauthorized(std::string_view why, Time now);
  // What it has said before is wanted no more, and a session it has given is ended: a last exchange may be open until
  // kFarewellTime is over.
  void end(Time now);
  // When tick() is due; nothing: not before something else happens.
  std::optional<Time> due() const;
  void tick(Time now);
  bool idle() const { return exchanges_.empty(); }

 private:
  struct Exchange {
    enum class Kind {
      asks,      // a request of ours, or the rest of its answer
      tells,     // what is not answered
      listens,   // to what nobody asked for
      farewell,  // to the session
    };
    Exchange(Kind of_kind, std::string_view method) : kind(of_kind), reader(method) {}

    Kind kind;
    proxy::ResponseReader reader;
    EventReader events{kMessageLimits.bytes};
    std::optional<uint64_t> request;
    bool posted = false;     // its head has a message behind it
    bool reply = false;      // to what the server asks
    bool stateless = false;  // of the later era
    bool batches = false;    // several messages may come in one text
    bool opening = false;    // it is of the beginning: whatever else is to be said waits
    bool accepted = false;   // by its status
    bool streams = false;    // the answer is a stream of events
    bool speaks = false;     // the answer is worth reading
    bool answered = false;
    int resumed = 0;
    std::string resumed_from;  // id of the event
    std::string body;
    std::string fault;   // why the answer is of no use
    std::string asked;   // all of the request, while it may have to be sent again with another token
    uint64_t token = 0;  // that it went with
    int sendings = 0;
    bool waits = false;          // for a token, on no connection
    std::optional<Time> ends{};  // it is closed then
  };
  using Place = std::map<uint64_t, Exchange>::iterator;
  struct Resuming {
    Time at;
    std::string last_id;
    Exchange exchange;
  };

  void open(std::string bytes, Exchange exchange);
  void send_out(Place at);
  bool await_token(Place at, Time now);
  void post(const Outgoing& message);
  bool is_opening() const;
  size_t replies() const;
  bool forget(uint64_t request);  // whether it has been sent
  LinkSession session() const { return {session_, revision_}; }

  bool take_head(Place at, Time now);                                  // false: the exchange is no more
  bool take_session(const proxy::ResponseHead& head);                  // likewise
  bool take_text(uint64_t exchange, std::string_view text, Time now);  // likewise
  bool take_message(uint64_t exchange, Value message, Time now);       // likewise
  void over(Place at, std::string_view why, Time now);                 // the answer is, or will never be
  void give_up(Place at, std::string_view why, Time now);              // it is of no use, and not resumed
  void drop(Place at);
  void close_all();
  void break_off(std::string why);

  const LinkPlace place_;
  Callbacks callbacks_;
  std::string session_;
  std::string_view revision_;  // of the session
  uint64_t next_exchange_ = 1;
  std::map<uint64_t, Exchange> exchanges_;
  std::deque<Outgoing> waiting_;    // for the beginning to be over
  std::vector<Resuming> resuming_;  // when the server wants it
  bool reached_ = false;            // it has said of itself that it takes requests, or of one that it does not
  bool broken_ = true;
  std::optional<Time> listen_at_;  // nothing: it is being listened, or not to be
  std::string listened_;           // id of the last event of that stream
};

}  // namespace gatehouse::mcp
