#include "launcher/run_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

#include "common/base/uuid.h"

namespace gatehouse::launcher {

namespace {

constexpr size_t kRandomDigits = 4;

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

Result<std::pair<std::string, std::string>> parse_environment_entry(std::string_view text) {
  const size_t equals = text.find('=');
  // The value may be a secret, so an error never shows it.
  const auto name = text.substr(0, equals);
  if (equals == std::string_view::npos) return fail("--env '{}': write NAME=value", name);
  if (!is_name(name)) {
    return fail("--env '{}': a name has letters, digits and _, and does not begin with a digit", name);
  }
  if (text.find('\0') != std::string_view::npos) return fail("--env '{}': the value holds a NUL byte", name);
  return std::pair{std::string(name), std::string(text.substr(equals + 1))};
}

Result<std::chrono::milliseconds> parse_time_limit(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  const double most = std::chrono::duration<double>(kMaxTimeLimit).count();
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(seconds) || seconds < 0.001 ||
      seconds > most) {
    return fail("--timeout '{}': write a number of seconds from 0.001 to {}", text, most);
  }
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

std::string make_session_name() {
  const std::time_t now = now_utc_us() / 1'000'000;
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &utc);
  const std::string id = make_uuid();
  return fmt::format("run-{}-{}", stamp, id.substr(id.size() - kRandomDigits));
}

}  // namespace gatehouse::launcher
