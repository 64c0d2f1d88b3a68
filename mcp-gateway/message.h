// JSON-RPC 2.0 as MCP has it: what a value says, and how ours are written. What is forwarded is always written anew out
// of what was judged.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/json/strict.h"

namespace gatehouse::mcp {

using json::Value;

inline constexpr std::string_view kModern = "2026-07-28";  // every request stands by itself
inline constexpr std::string_view kRevisions[] = {"2025-11-25", "2025-06-18",
                                                  "2025-03-26"};  // of sessions; latest first

// In "_meta" of what is about a task (2025-11-25, basic/utilities/tasks).
inline constexpr std::string_view kRelatedTask = "io.modelcontextprotocol/related-task";

inline constexpr json::Limits kMessageLimits{};
inline constexpr size_t kMaxIdBytes = 256;
inline constexpr size_t kMaxMethodBytes = 128;

struct Message {
  enum class Kind { request, notification, result, error };
  Kind kind = Kind::notification;
  Value id;            // of all but notifications: a text or an integer; null in an error about something unreadable
  std::string method;  // of requests and notifications
  Value params = Value::object();
  Value content;  // of a result: an object; of an error: its object
};

// Refuses what is no message, in words without a byte of it. Members that JSON-RPC does not know are passed over.
Result<Message> parse_message(Value value);

// Codes of errors. Those of our own are outside the range that JSON-RPC keeps for itself (specification 5.1).
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kNoResource = -32002;      // of the session era
inline constexpr int kHeaderMismatch = -32020;  // these three of 2026-07-28
inline constexpr int kNoCapability = -32021;
inline constexpr int kNoRevision = -32022;
inline constexpr int kRefusedByClient = -1;
inline constexpr int kDenied = 403;    // by the policy or the scanner
inline constexpr int kBusy = 429;      // too much at once
inline constexpr int kUpstream = 502;  // the server is away, or not understood
inline constexpr int kTimeout = 504;   // it took too long

struct RpcError {
  int code = kInternalError;
  std::string message;
  Value data = nullptr;  // null: none
};

// Whole lines.
std::string request_line(const Value& id, std::string_view method, Value params);
std::string notification_line(std::string_view method, Value params);
std::string result_line(const Value& id, Value result);
std::string error_line(const Value& id, const RpcError& error);

// An object's member of that name, or null.
const Value* find(const Value& object, std::string_view name);
// The same if it is a text; else null.
const std::string* find_text(const Value& object, std::string_view name);

// Whether `id` can be a request's: a text of up to kMaxIdBytes or an integer.
bool is_id(const Value& id);

}  // namespace gatehouse::mcp
