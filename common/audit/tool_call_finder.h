// What the models of a session have asked for, as the log has it: for a gate that sees the call being made.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::audit {

inline constexpr std::chrono::hours kToolCallFor{1};  // that a call may come after it was asked for
inline constexpr int kMaxToolCallsLookedAt = 16;      // of one hash, the latest

// Reads and waits for nobody: where the log cannot be read at once there is no answer.
class ToolCallFinder {
 public:
  // The log must be there.
  static Result<std::unique_ptr<ToolCallFinder>> open(const std::string& path);
  ~ToolCallFinder();

  struct Found {
    std::string event_id;  // of the tool_calls row
    std::string trace_id;
  };
  // The latest tool_calls row of this hash, no older than kToolCallFor at `now_us` (UTC), whose tool `is_it` takes.
  std::optional<Found> find(const std::string& call_hash, int64_t now_us,
                            const std::function<bool(std::string_view name)>& is_it);

 private:
  struct Database;
  explicit ToolCallFinder(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace gatehouse::audit
