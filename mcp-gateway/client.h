// One client in the guest, as far as its protocol goes: messages in, messages out. Of the session era, which begins
// with initialize, and of 2026-07-28, in which each request stands by itself. What is not carried is refused in words.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "mcp-gateway/exchange.h"
#include "mcp-gateway/line_reader.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxCallsOfClient = 64;  // under way at once
inline constexpr size_t kMaxListensOfClient = 16;
inline constexpr size_t kMaxTasksOfClient = 64;  // that are kept, finished or not
inline constexpr std::chrono::milliseconds kTaskTime{
    3'600'000};                                              // that one is kept at most, and unless less is asked for
inline constexpr std::chrono::milliseconds kPollTime{1000};  // that a client is told to wait before it asks again
inline constexpr size_t kMaxWatchedOfClient = 256;           // resources
inline constexpr size_t kToolsOfPage = 100;                  // entries of any list
inline constexpr size_t kMaxBatch = 32;                      // messages at once, in the revision that has batches

// A request that is carried to a server, by the names that clients know.
struct CarriedRequest {
  std::string method;  // tools/call, prompts/get, resources/read, resources/subscribe, completion/complete
  Value params;
  Value capabilities = Value::object();
  std::string log_level = {};
  bool progress = false;
};

// What clients are served from.
class ToolHouse {
 public:
  virtual ~ToolHouse() = default;
  virtual const Catalogue& catalogue(ListKind kind) const = 0;
  // Whether every server has listed what it has, or has had its time to.
  virtual bool settled() const = 0;
  // Of what is there or not; refuses what is no such request, or has no room, before anything is on record.
  virtual tl::expected<std::unique_ptr<Call>, RpcError> call(CarriedRequest request, Call::Callbacks callbacks) = 0;
  virtual HeldExchanges& held() = 0;
  virtual Room& room() = 0;
  // A client watches that resource no more, by its shown URI, or wants other messages of servers.
  virtual void unwatched(const std::string& uri) = 0;
  virtual void log_levels_changed() = 0;
  // For the log: what a client wrote is refused with this JSON-RPC code; `method` is what it asked for, if that is
  // known.
  virtual void refused(int code, std::string_view method) = 0;
};

class Client {
 public:
  struct Told {
    bool last = true;    // the answer
    bool needed = true;  // else it may be left out where the client does not read
    int code = 0;        // of an error that a transport has to know, or 0
  };
  struct Callbacks {
    std::function<void(std::string_view line)> send;
    std::function<void(const Error& why)> broken;  // to be closed: what it writes cannot be read. Nothing follows.
    std::function<bool()> crowded;                 // it does not read what it is sent: what need not be said is not
    // Of a transport that keeps requests apart: what concerns one of its requests, by id, comes here and not to `send`.
    // After the last one nothing does any more; its line is empty when there is no answer, the request being cancelled.
    std::function<void(const Value& request, std::string_view line, const Told& told)> about = nullptr;
  };
  // `stateless`: the transport says that what it brings is of 2026-07-28.
  Client(ToolHouse& house, Callbacks callbacks, bool stateless = false)
      : house_(house), callbacks_(std::move(callbacks)), stateless_(stateless) {}
  ~Client();

  void take(std::string_view bytes);  // lines
  void take(Message message);         // of a transport that reads messages itself
  void give_up() { broken_ = true; }  // its connection is closed: what is left of its lines is dropped
  // A catalogue is another one, or all have become complete.
  void changed(ListKind kind);
  void settled();
  void updated(const std::string& uri);          // a resource, by its shown URI
  void logged(const Value& params);              // a server says this about no request in particular
  size_t held() const { return lines_.held(); }  // bytes of a line that is not whole
  // Whether an answer is owed.
  bool busy() const { return !exchanges_.empty() || !waiting_.empty() || !listens_.empty(); }
  // What is spoken with it; empty before it has initialized a session.
  std::string_view revision() const { return revision_; }
  bool watches(const std::string& uri) const;
  // What it wants to be told that is about no request in particular.
  const std::string& log_level() const { return log_level_; }

 private:
  // How a request is to be answered.
  struct Terms {
    std::string_view revision;
    Value capabilities = Value::object();
    std::string log_level = {};
    bool modern() const { return revision == kModern; }
  };
  struct Waiting {
    Value id;
    ListKind kind;
    std::string after;
    Terms terms;
  };
  struct UnderWay {
    Value id;
    Terms terms;
    std::unique_ptr<Exchange> exchange;
    std::string subscribes;  // to this shown URI, if it comes to that
    std::string listen;      // key of the listening that it is for
    std::string task;        // that it is the work of
    Value token = nullptr;   // by which it is told of progress; null: not wanted
  };
  struct Listen {  // of 2026-07-28
    Value id;
    Value granted = Value::object();
    std::set<std::string> uris;
    size_t owed = 0;  // resources that nobody has decided about yet
  };
  // A call that its client asks about later, of 2025-11-25 (basic/utilities/tasks). It is ours: its server has a call
  // like any other.
  struct Task {
    using Clock = std::chrono::system_clock;
    Clock::time_point created;
    Clock::time_point updated;
    std::chrono::milliseconds kept;
    std::string_view status = "working";
    std::optional<Call::Outcome> outcome = {};  // of one that is done
    std::unique_ptr<Room::Share> room = {};     // that it takes
    std::vector<Value> waiting = {};            // requests for it
  };
  struct Question {  // of ours, to a client of the session era
    std::string exchange;
    std::string key;
  };

  bool take_line(std::string_view line);
  void take_value(Value value);
  void request(Message message);
  void serve(Message message, Terms terms);
  void notification(const Message& message);
  void answer(Message message);
  void initialize(const Message& message);
  void discover(const Value& id);
  std::optional<Terms> terms_of(const Message& message);

  void list(const Message& message, ListKind kind, Terms terms);
  void show(const Waiting& asked);
  void set_log_level(const Message& message);
  void unsubscribe(const Message& message);

  void carry(Message message, Terms terms);
  void go_on(Message message, Terms terms, const std::string& state);
  void attach(const std::string& key);
  void ended(const std::string& key, Call::Outcome outcome);
  void said(const std::string& key, Said said);
  void asked(const std::string& key, const Value& fresh);
  void ask_back(const std::string& key);
  void forget_questions(const std::string& key);
  bool in_use(const Value& id) const;

  void begin_task(const Value& id, UnderWay under_way, std::chrono::milliseconds kept, CarriedRequest request);
  void serve_task(const Message& message);
  void task_ended(const std::string& task, Call::Outcome outcome);
  void give_outcome(const Value& id, const std::string& task);
  void set_status(const std::string& task, std::string_view status);
  static Value told_of(const std::string& id, const Task& task);
  void drop_old_tasks();

  void listen(const Message& message);
  void listened(const std::string& key, const std::string& uri, bool granted);
  void acknowledge(Listen& listen);
  void tell_listener(const Listen& listen, std::string_view method, Value params, bool needed = false);

  void refuse(const Value& id, int code, std::string_view words, Value data = nullptr);
  void answer_with(const Value& id, const Terms& terms, Value result);
  void say(const Value& request, std::string_view line, const Told& told);
  void say(const Value& request, std::string_view line) { say(request, line, Told()); }
  void tell(std::string_view method, Value params = Value::object());

  ToolHouse& house_;
  Callbacks callbacks_;
  const bool stateless_;
  LineReader lines_{kMessageLimits.bytes};
  std::string_view revision_;             // negotiated; empty before
  Value capabilities_ = Value::object();  // of a session
  std::string log_level_;                 // likewise; empty: not said
  std::set<std::string> watched_;         // likewise
  std::string asked_;                     // the method of the request that is being answered
  bool ready_ = false;                    // it has said so
  std::vector<Waiting> waiting_;          // lists, for the catalogues to be complete
  bool broken_ = false;
  std::map<std::string, UnderWay> exchanges_;  // by id, as JSON: 1 and "1" are two
  std::map<std::string, Listen> listens_;      // likewise
  std::map<std::string, Task> tasks_;          // by their own id
  std::map<std::string, Question> questions_;  // by our id
  uint64_t next_question_ = 1;
};

}  // namespace gatehouse::mcp
