// Levels of log messages (RFC 5424 section 6.2.1, as MCP writes them).
#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

namespace gatehouse::mcp {

inline constexpr std::string_view kLogLevels[] = {"debug", "info",     "notice", "warning",
                                                  "error", "critical", "alert",  "emergency"};

// How severe, from 0; nothing for what is no level.
inline std::optional<size_t> severity_of(std::string_view level) {
  const auto* found = std::find(std::begin(kLogLevels), std::end(kLogLevels), level);
  if (found == std::end(kLogLevels)) return std::nullopt;
  return static_cast<size_t>(found - std::begin(kLogLevels));
}

}  // namespace gatehouse::mcp
