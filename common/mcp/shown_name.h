// How tools are called, and told apart.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse::mcp {

// What clients, and the models behind them, take for a name.
inline constexpr size_t kMaxShownNameBytes = 64;

inline constexpr std::string_view kBetweenNames = "__";  // which no server's name has

// "server__tool": letters, digits, '_' and '-', at most kMaxShownNameBytes; a tool whose name does not fit so is shown
// with a piece of its hash, so that names stay unique.
std::string shown_name(std::string_view server, std::string_view tool);

// Lower-case hex.
std::string sha256_hex(std::string_view text);

}  // namespace gatehouse::mcp
