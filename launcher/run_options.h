// Reading what `gatehouse run` is given. Pure: words in, settings or a usage error out.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace gatehouse::launcher {

// "NAME=value" with a name as POSIX shells have it; the value may be empty and may hold further '='.
Result<std::pair<std::string, std::string>> parse_environment_entry(std::string_view text);

// Seconds, with or without a fraction, more than 0 and at most kMaxTimeLimit.
inline constexpr std::chrono::hours kMaxTimeLimit{24 * 365};
Result<std::chrono::milliseconds> parse_time_limit(std::string_view text);

// A name for a session whose user gave none: "run-", the time, and a few random digits.
std::string make_session_name();

}  // namespace gatehouse::launcher
