// Whatever the bytes, reading them ends in a value or in words; a value that was read is written as one ASCII line that
// reads as the same value, and canonically as one text however it is written.
#include <algorithm>
#include <cstdlib>

#include "common/json/canonical.h"
#include "common/json/strict.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const gatehouse::json::Limits limits{.bytes = 1 << 16, .depth = 16, .values = 1000};
  const auto value = gatehouse::json::read(text, limits);
  if (!value) {
    if (value.error().message().empty()) std::abort();
    return 0;
  }
  const std::string line = gatehouse::json::write(*value);
  if (std::any_of(line.begin(), line.end(), [](char c) { return c < 0x20 || c > 0x7e; })) std::abort();
  const auto again = gatehouse::json::read(line, {.bytes = 1 << 20, .depth = 16, .values = 1000});
  if (!again || *again != *value) std::abort();
  const std::string canonical = gatehouse::json::write_canonical(*value);
  if (gatehouse::json::write_canonical(*again) != canonical) std::abort();
  // Integers beyond 64 bits alone are not read back.
  const auto back = gatehouse::json::read(canonical, {.bytes = 1 << 20, .depth = 16, .values = 1000});
  if (back ? gatehouse::json::write_canonical(*back) != canonical
           : back.error().message() != "an integer beyond 64 bits") {
    std::abort();
  }
  return 0;
}
