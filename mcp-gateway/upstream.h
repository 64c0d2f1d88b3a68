// One server of tools, as far as its protocol goes: bytes come from whoever runs it, requests from the calls. The
// session era (2025-11-25 and the two before), over lines. Whatever it says is an attack until it is read.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcp-gateway/line_reader.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

inline constexpr std::string_view kRevisions[] = {"2025-11-25", "2025-06-18", "2025-03-26"};  // latest first
inline constexpr size_t kMaxToolsOfServer = 512;
inline constexpr size_t kMaxPagesOfServer = 64;
inline constexpr size_t kMaxDefinitionBytes = 64 << 10;
inline constexpr size_t kMaxToolNameBytes = 128;

struct Progress {
  Value progress;  // a number
  Value total;     // a number, or null
};

// One message to a server. Besides its line, what a transport with header fields must mirror (specification 2026-07-28,
// basic/transports/streamable-http).
struct Outgoing {
  std::string line;                 // the whole message, with its end
  std::optional<uint64_t> request;  // id of one that is to be answered
  std::string method;               // of a request or notification; empty for an answer of ours
  std::string name;                 // for Mcp-Name, of requests that have one: tool, prompt, or URI of a resource
  std::vector<std::pair<std::string, std::string>> parameters;  // for Mcp-Param-{first}; text that is not encoded
  std::string_view revision;                                    // that it is written in; empty before one is negotiated
  std::optional<uint64_t> about;  // the request that a notifications/cancelled, or an answer of ours, belongs to
};

// How a call ended on the server's side.
struct Answer {
  enum class Kind { result, error, lost };
  Kind kind = Kind::lost;
  Value content;      // of a result or an error
  std::string words;  // of one that is lost: why
};

class Upstream {
 public:
  // None comes from within a call of ours but `send`.
  struct Callbacks {
    std::function<void(const Outgoing& message)> send;
    // All of its tools, each with a name that is sound and its own: at the beginning, and when it says that they
    // changed.
    std::function<void(std::vector<Value> definitions)> listed;
    // It said what no server says, and must be ended; nothing follows until begin().
    std::function<void(const Error& why)> broken;
  };
  explicit Upstream(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  void begin();                       // it runs: greets it
  void take(std::string_view bytes);  // of what it writes
  // Of a transport that reads messages itself: one message, and the request on whose stream it came, if that is known.
  // An error without an id answers that request.
  void hear(Value message, std::optional<uint64_t> about = std::nullopt);
  void end(std::string_view why);                     // it runs no more; every call under way is lost
  void lose(uint64_t request, std::string_view why);  // that one will not be answered

  bool ready() const { return stage_ == Stage::ready; }    // greeted
  std::string_view revision() const { return revision_; }  // negotiated when it was greeted last

  using OnAnswer = std::function<void(Answer)>;
  using OnProgress = std::function<void(Progress)>;
  // Only when ready. Ids and tokens are our own, whatever the guest's are. `on_progress` may be null.
  uint64_t call(const std::string& tool, const Value& arguments, OnAnswer on_answer, OnProgress on_progress);
  // No answer follows, and one that comes is passed over.
  void cancel(uint64_t call, std::string_view reason);

 private:
  enum class Stage { down, greeting, ready, broken };
  struct Pending {
    OnAnswer on_answer;
    OnProgress on_progress;
  };

  bool take_line(std::string_view line);
  bool take_message(Value value, std::optional<uint64_t> about);
  void request(const Message& message);
  void notification(const Message& message);
  void answer(Message message);
  void greeted(const Message& message);
  void list(std::string_view cursor);
  void listed(const Message& message);
  void ask(uint64_t id, std::string method, Value params, std::string name = {});
  void tell(std::string method, Value params, std::optional<uint64_t> about = std::nullopt);
  void break_off(std::string_view why);

  Callbacks callbacks_;
  Stage stage_ = Stage::down;
  LineReader lines_{kMessageLimits.bytes};
  std::string_view revision_;
  uint64_t next_id_ = 1;
  uint64_t greeting_id_ = 0;
  uint64_t listing_id_ = 0;  // 0: none under way
  bool list_again_ = false;
  bool has_tools_ = false;
  size_t pages_ = 0;
  std::vector<Value> definitions_;  // of the listing under way
  std::map<uint64_t, Pending> calls_;
};

}  // namespace gatehouse::mcp
