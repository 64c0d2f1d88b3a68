// What clients are refused before there is a call to judge, on record without filling it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/audit/event.h"

namespace gatehouse::mcp {

inline constexpr size_t kRefusalRowsAtOnce = 32;            // of each kind
inline constexpr std::chrono::seconds kRefusalRowEvery{2};  // of each kind, beyond these

// Passive: the time goes in.
class Refusals {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // The row of one that was refused with this JSON-RPC code, or nothing when there are too many: the next row counts
  // them. Of the method it has one that the protocol knows, and nothing else that a guest chose.
  std::optional<audit::McpCall> refused(int code, std::string_view method, Time now);
  // Of a connection above the limit of clients.
  std::optional<audit::McpCall> turned_away(Time now);

 private:
  struct Kind {
    size_t left = kRefusalRowsAtOnce;
    Time since{};  // from which on more may come
    uint64_t untold = 0;
  };
  std::optional<audit::McpCall> row(std::string_view rule, std::string_view words, std::string_view method, Time now);

  std::map<std::string, Kind, std::less<>> kinds_;  // by rule
};

}  // namespace gatehouse::mcp
