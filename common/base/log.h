// Operator messages on stderr, one line each, stamped with time and process. Never a secret, never guest bytes
// unescaped: pass those through printable().
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace gatehouse::log {

enum class Level { debug, info, warn, error };

// Names the process in every line ("proxy"). `level` is the least that is printed; GATEHOUSE_LOG=debug|info|warn|error
// overrides it. Call once, first thing in main().
void start(std::string_view process, Level level = Level::info);

void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

// `bytes` with everything outside printable ASCII (and the backslash) as \xNN, cut to `limit` bytes of input with an
// ellipsis: safe for a terminal, a log line and a JSON string alike.
std::string printable(std::string_view bytes, size_t limit = 256);

}  // namespace gatehouse::log
