#include "common/base/uuid.h"

#include <fmt/core.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

namespace gatehouse {

int64_t now_utc_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::string make_uuid() {
  constexpr uint64_t kCounterBits = 12;
  static std::mutex mutex;
  static uint64_t last = 0;  // milliseconds << 12 | counter

  uint64_t stamp = static_cast<uint64_t>(now_utc_us() / 1000) << kCounterBits;
  {
    const std::lock_guard lock(mutex);
    stamp = std::max(stamp, last + 1);  // a full counter borrows from the next millisecond
    last = stamp;
  }
  uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random) std::abort();  // cannot happen for 8 bytes

  const uint64_t ms = stamp >> kCounterBits;
  const uint64_t counter = stamp & ((1U << kCounterBits) - 1);
  const uint64_t tail = (random & 0x3fffffffffffffff) | 0x8000000000000000;  // variant 0b10
  return fmt::format("{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}", ms >> 16, ms & 0xffff, counter, tail >> 48,
                     tail & 0xffffffffffff);
}

bool is_uuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return text.size() == kForm.size() && std::equal(text.begin(), text.end(), kForm.begin(), [](char c, char form) {
           return form == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace gatehouse
