// One server of tools, as far as its protocol goes: bytes come from whoever runs it, requests from the calls. Of both
// eras: revision 2026-07-28, in which every request stands by itself, and the session era (2025-11-25 and the two
// before). Which one a server speaks is asked first (specification 2026-07-28, basic/versioning). Whatever it says is
// an attack until it is read.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcp-gateway/line_reader.h"
#include "mcp-gateway/lists.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxToolsOfServer = 512;
inline constexpr size_t kMaxEntriesOfServer = 2048;  // of each other list; what is beyond them is not shown
inline constexpr size_t kMaxPagesOfServer = 64;
inline constexpr size_t kMaxDefinitionBytes = 64 << 10;
inline constexpr size_t kMaxToolNameBytes = 128;
inline constexpr size_t kMaxUriBytes = 2048;
inline constexpr size_t kMaxSaidBytesOfServer = 64 << 10;  // of one text that it logs or says of its progress
inline constexpr size_t kMaxQuestions = 16;                // of one call, at once
inline constexpr int kMaxRounds = 16;                      // of questions, in one call
inline constexpr size_t kMaxTaskIdBytes = 256;
inline constexpr int kProbeTicks = 3;  // that a server has to answer what the older ones do not know

// One message to a server. Besides its line, what a transport with header fields must mirror (specification 2026-07-28,
// basic/transports/streamable-http).
struct Outgoing {
  std::string line;                 // the whole message, with its end
  std::optional<uint64_t> request;  // id of one that is to be answered
  std::string method;               // of a request or notification; empty for an answer of ours
  std::string name;                 // for Mcp-Name, of requests that have one: tool, prompt, or URI of a resource
  std::vector<std::pair<std::string, std::string>> parameters;  // for Mcp-Param-{first}; text that is not encoded
  std::string_view revision;                                    // that it is written in; empty before one is negotiated
  std::string trace;              // of the exchange it belongs to, for the logs; may be empty
  std::optional<uint64_t> about;  // the request that a notifications/cancelled, or an answer of ours, belongs to
};

// What a client wants of a server.
struct Wanted {
  std::string method;
  Value params = Value::object();                                    // without "_meta", which is ours
  std::string name;                                                  // as in Outgoing
  std::vector<std::pair<std::string, std::string>> parameters = {};  // likewise
  Value capabilities = Value::object();  // what of its questions the client can answer; stateless servers are told
  std::string log_level = {};            // of what the server is to log about it; empty: nothing. Likewise
  bool progress = false;                 // to be told of it
  std::string trace = {};                // as in Outgoing
  // It is a tool that the server runs as a task only (2025-11-25, basic/utilities/tasks), which is to be kept for so
  // long.
  std::optional<std::chrono::milliseconds> task = {};
};

// How a call ended on the server's side.
struct Answer {
  enum class Kind { result, error, lost };
  Kind kind = Kind::lost;
  Value content;      // of a result or an error
  std::string words;  // of one that is lost: why
};

// What it says while it works on a call, with the members that the protocol knows.
struct Said {
  enum class Kind { progress, log };
  Kind kind = Kind::progress;
  Value params;  // {progress, total?, message?} or {level, logger?, data}
};

// What it wants to know of the client before it goes on: by keys of its own, or ours, "method" and "params" each. With
// none it only wants to be asked again.
struct Question {
  Value requests = Value::object();
};

class Upstream {
 public:
  // None comes from within a call of ours but `send`.
  struct Callbacks {
    std::function<void(const Outgoing& message)> send;
    // All that is on one of its lists, each with a name (URI) that is sound and its own: for every list at the
    // beginning, and when it says that one changed.
    std::function<void(ListKind kind, std::vector<Value> definitions)> listed;
    // It said what no server says, and must be ended; nothing follows until begin().
    std::function<void(const Error& why)> broken;
    std::function<void(const std::string& uri)> updated = nullptr;  // a resource that is watched
    std::function<void(Value params)> logged = nullptr;             // about no call in particular
  };
  // `questions`: what it may ask of clients, as their capabilities.
  explicit Upstream(Callbacks callbacks, Value questions = Value::object())
      : callbacks_(std::move(callbacks)), questions_allowed_(std::move(questions)) {}

  void begin();                       // it runs: greets it
  void take(std::string_view bytes);  // of what it writes
  // Of a transport that reads messages itself: one message, and the request on whose stream it came, if that is known.
  // An error without an id answers that request.
  void hear(Value message, std::optional<uint64_t> about = std::nullopt);
  void end(std::string_view why);                     // it runs no more; every call under way is lost
  void lose(uint64_t request, std::string_view why);  // that one will not be answered
  void tick();                                        // about once a second

  bool ready() const { return stage_ == Stage::ready; }    // greeted
  std::string_view revision() const { return revision_; }  // negotiated when it was greeted last
  bool offers(std::string_view capability) const { return find(capabilities_, capability) != nullptr; }

  struct Handlers {
    std::function<void(Answer)> answer;             // once, unless it is cancelled
    std::function<void(Said)> said = nullptr;       // null: not wanted
    std::function<void(Question)> asked = nullptr;  // null: nobody can be asked
  };
  // Only when ready. The number is the call's for as long as it is under way. Ids and tokens are our own, whatever the
  // guest's are.
  uint64_t call(Wanted wanted, Handlers handlers);
  // To what was asked about that call, each by its key: {"result": …} or {"error": …}.
  void reply(uint64_t call, const Value& responses);
  // No answer follows, and one that comes is passed over.
  void cancel(uint64_t call, std::string_view reason);
  // Nobody watches that resource any more.
  void unwatch(const std::string& uri);
  // What it is to log about no call in particular; of the session era.
  void set_log_level(const std::string& level);

 private:
  enum class Stage { down, probing, greeting, ready, broken };
  struct Pending {
    Wanted wanted;
    Handlers handlers;
    uint64_t request = 0;     // that is under way for it
    int rounds = 0;           // of questions
    Value methods = nullptr;  // of a question that is out: by key, what it asks; null: none is out
    std::string state;        // goes back with the answers
    bool has_state = false;
    Value responses = nullptr;  // that wait for the next tick
    std::string task = {};      // that the server has made of it
  };
  struct Asked {  // by a server of the session era
    Value id;
    uint64_t call;
    std::string method;
  };
  using Place = std::map<uint64_t, Pending>::iterator;

  bool take_line(std::string_view line);
  bool take_message(Value value, std::optional<uint64_t> about);
  bool alive() const { return stage_ != Stage::down && stage_ != Stage::broken; }

  // Greeting.
  void probe();
  void initialize();
  void probed(const Message& message);
  void greeted(const Message& message);
  void became_ready();

  // Lists.
  void list_next();
  void ask_list(std::string_view cursor);
  void listed(const Message& message);
  void list_done(std::vector<Value> definitions);
  void changed(std::string_view notification);
  void listen();
  void heard_of_listening(const Message& message);

  // Calls.
  void request(const Message& message, std::optional<uint64_t> about);
  void notification(const Message& message, std::optional<uint64_t> about);
  void answer(Message message);
  void send_call(Place at, Value params);
  void await_task(Place at, const Value& task);
  void input_required(Place at, Value content);
  void retry(Place at, const Value& responses);
  void finish(Place at, Answer answer);
  void take_progress(const Value& params);
  void take_log(const Value& params, std::optional<uint64_t> about);
  Place call_of(std::optional<uint64_t> about);
  Place call_of_task(const Value& params);
  Value meta() const;

  void ask(uint64_t id, Wanted wanted);
  void ask(uint64_t id, std::string method, Value params);
  void tell(std::string method, Value params, std::optional<uint64_t> about = std::nullopt);
  void tell_answer(std::string line, std::optional<uint64_t> about);
  void break_off(std::string_view why);

  Callbacks callbacks_;
  const Value questions_allowed_;
  Stage stage_ = Stage::down;
  LineReader lines_{kMessageLimits.bytes};
  std::string_view revision_;
  bool modern_ = false;       // it speaks 2026-07-28
  bool of_sessions_ = false;  // it is known not to
  bool probed_again_ = false;
  int probe_ticks_ = 0;
  Value capabilities_ = Value::object();
  uint64_t next_id_ = 1;
  uint64_t greeting_id_ = 0;  // of server/discover or initialize
  uint64_t listing_id_ = 0;   // 0: none under way
  ListKind listing_ = ListKind::tools;
  std::deque<ListKind> to_list_;  // in this order
  size_t pages_ = 0;
  std::vector<Value> definitions_;  // of the listing under way
  uint64_t listen_id_ = 0;          // of subscriptions/listen; 0: none
  bool listen_refused_ = false;
  std::set<std::string> watched_;  // resources
  std::string log_level_;
  std::map<uint64_t, Pending> calls_;
  std::map<uint64_t, uint64_t> requests_;  // that are under way, and the call of each
  std::map<std::string, Asked> asked_;     // by key
  uint64_t next_question_ = 1;
};

}  // namespace gatehouse::mcp
