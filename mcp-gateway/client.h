// One client in the guest, as far as its protocol goes: lines in, lines out. The session era of MCP; what is not
// carried is refused in words.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "mcp-gateway/call.h"
#include "mcp-gateway/line_reader.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxCallsOfClient = 64;  // under way at once
inline constexpr size_t kToolsOfPage = 100;
inline constexpr size_t kMaxBatch = 32;  // messages at once, in the revision that has batches

// What clients are served from.
class ToolHouse {
 public:
  virtual ~ToolHouse() = default;
  virtual const Catalogue& catalogue() const = 0;
  // Whether every server has listed its tools, or has had its time to.
  virtual bool settled() const = 0;
  // A call of a tool by its shown name, whether there is one or not. Null: there is no room for its arguments.
  virtual std::unique_ptr<Call> call(const std::string& shown, Value arguments, Call::Callbacks callbacks) = 0;
  // For the log: what a client wrote is refused with this JSON-RPC code; `method` is what it asked for, if that is
  // known.
  virtual void refused(int code, std::string_view method) = 0;
};

class Client {
 public:
  struct Callbacks {
    std::function<void(std::string_view line)> send;
    std::function<void(const Error& why)> broken;  // to be closed: what it writes cannot be read. Nothing follows.
    std::function<bool()> crowded;                 // it does not read what it is sent: what need not be said is not
    // Of a transport that keeps requests apart: what concerns one of its requests, by id, comes here and not to `send`.
    // After `last` nothing does any more; its line is empty when there is no answer, the request being cancelled.
    std::function<void(const Value& request, std::string_view line, bool last)> about = nullptr;
  };
  Client(ToolHouse& house, Callbacks callbacks) : house_(house), callbacks_(std::move(callbacks)) {}

  void take(std::string_view bytes);  // lines
  void take(Message message);         // of a transport that reads messages itself
  // The catalogue is another one, or has become complete.
  void tools_changed();
  void settled();
  size_t held() const { return lines_.held(); }  // bytes of a line that is not whole
  // Whether an answer is owed.
  bool busy() const { return !calls_.empty() || !waiting_.empty(); }
  // What is spoken with it; empty before it has initialized the session.
  std::string_view revision() const { return revision_; }

 private:
  bool take_line(std::string_view line);
  void take_value(Value value);
  void request(Message message);
  void notification(const Message& message);
  void initialize(const Message& message);
  void list_tools(const Message& message);
  void show_tools(const Value& id, std::string_view after);
  void call_tool(Message message);
  void ended(const std::string& key, const Value& id, Call::Outcome outcome);
  void refuse(const Value& id, int code, std::string_view words, Value data = nullptr);
  void say(const Value& request, std::string_view line, bool last = true);

  ToolHouse& house_;
  Callbacks callbacks_;
  LineReader lines_{kMessageLimits.bytes};
  std::string_view revision_;  // negotiated; empty before
  std::string asked_;          // the method of the request that is being answered
  bool ready_ = false;         // it has said so
  struct Waiting {
    Value id;
    std::string after;
  };
  std::vector<Waiting> waiting_;  // lists, for the catalogue to be complete
  bool broken_ = false;
  std::map<std::string, std::unique_ptr<Call>> calls_;  // by id, as JSON: 1 and "1" are two
};

}  // namespace gatehouse::mcp
